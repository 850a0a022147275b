"""A board's key is changed by command, whole: real MicroPython with its own flash, a real gateway, a real broker.

Alone: pytest tests/emulated/test_rekey.py (about a minute).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app import admission, rekeying
from gateway.flash import flashing
from gateway.flash.configuring import Broker, table
from gateway.flash.remote import Remote
from gateway.flash.sources import find_board
from gateway.store import devices
from tools.serial_board import SerialBoard
from tools.update_house import House, house

BOARD = "5e00000000c1"
PATIENCE_S = 60.0
QUICK = {"report_s": 1, "quiet_s": 1, "step_ms": 500, "durable": True}

Scene = Callable[[House, SerialBoard], Awaitable[None]]


def play(folder: Path, scene: Scene) -> None:
    async def played() -> None:
        async with house(folder) as home:
            board = await home.board(BOARD, **QUICK)
            try:
                board.switch_on()
                await home.online(BOARD, PATIENCE_S)
                await scene(home, board)
            finally:
                board.close()

    asyncio.run(played())


async def begin(home: House) -> bytes:
    """As `hearthgate devices rotate` does it; returns the next key."""
    rekey = await home.gateway.store(rekeying.begin, home.gateway.db, BOARD, time.time_ns() // 1_000_000)
    await home.gateway._changed_beside()
    return rekey.next.key


async def settled(home: House, key: bytes) -> None:
    """Wait until the board is known by that key only."""
    async with asyncio.timeout(PATIENCE_S):
        while (await home.gateway.store(devices.registry, home.gateway.db))[BOARD].key != key:
            home.gateway.ingest.looked()
            await asyncio.sleep(0.1)


async def strays(home: House) -> list[tuple[str, str]]:
    return await home.select("SELECT topic, reason FROM dead_letter")


async def whole(home: House) -> None:
    """Wait until no number of any boot is missing: what is live goes between what is left from before."""
    async with asyncio.timeout(PATIENCE_S):
        while any(count != highest for count, highest in (await home.numbers()).values()):
            home.gateway.ingest.looked()
            await asyncio.sleep(0.1)


async def beyond(home: House, boot: int, count: int) -> None:
    """Wait until so many frames of that boot are stored."""
    async with asyncio.timeout(PATIENCE_S):
        while (await home.numbers()).get(boot, (0, 0))[0] < count:
            home.gateway.ingest.looked()
            await asyncio.sleep(0.1)


def test_a_board_takes_its_next_key_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        await beyond(home, 1, 3)
        keys = [(await home.gateway.store(devices.registry, home.gateway.db))[BOARD].key]
        for boot in (2, 3):
            keys.append(await begin(home))
            await settled(home, keys[-1])
            assert await home.online(BOARD, PATIENCE_S, boot - 1) == boot
            await beyond(home, boot, 3)
        assert len(set(keys)) == 3
        assert set(await home.numbers()) == {1, 2, 3}
        await whole(home)
        assert await strays(home) == []
        assert (await home.gateway.store(home.gateway.db.counters))["keys_changed"] == 2
        # The power goes: what is on flash is the third key, and the board comes back with it.
        board.cut_power()
        board.switch_on()
        assert await home.online(BOARD, PATIENCE_S, 3) == 4
        await beyond(home, 4, 2)
        await whole(home)
        assert await strays(home) == []

    play(tmp_path, scene)


def test_frames_that_an_earlier_life_left_come_under_the_next_key(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        await beyond(home, 1, 2)
        # The board goes over to the next key at its start, with frames on flash that nobody has confirmed.
        key = await begin(home)
        async with asyncio.timeout(PATIENCE_S):
            while not any("reboot" in line for line in board.console):
                home.gateway.ingest.looked()
                await asyncio.sleep(0.02)
        board.cut_power()
        board.switch_on()
        await settled(home, key)
        boot = await home.online(BOARD, PATIENCE_S, 1)
        await beyond(home, boot, 2)
        await whole(home)
        assert await strays(home) == []

    play(tmp_path, scene)


def test_a_board_finds_in_while_the_broker_knows_its_old_password_only(tmp_path: Path) -> None:
    """As Mosquitto does, whose file has one for each board, and gets the next when the board has used the key."""

    async def scene(home: House, board: SerialBoard) -> None:
        admission_of = home.gateway._admission
        admission_of._passwords = lambda: {
            name: (password,) for name, password in admission.passwords(home.gateway.db).items()
        }
        await beyond(home, 1, 2)
        for boot in (2, 3):
            key = await begin(home)
            await settled(home, key)
            await beyond(home, boot, 2)
            assert any("wrong user or password" in line or "not allowed" in line for line in board.console)
            board.console.clear()
        await whole(home)
        assert await strays(home) == []

    play(tmp_path, scene)


def test_a_board_that_is_flashed_while_its_key_is_changed_still_sends_what_it_holds(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        await beyond(home, 1, 3)
        board.cut_power()
        key = await begin(home)
        rekey = (await home.gateway.store(rekeying.pending, home.gateway.db))[BOARD]
        assert rekey.next.key == key
        await asyncio.to_thread(flash, board, home.gateway.broker_port, key)
        await settled(home, key)
        boot = await home.online(BOARD, PATIENCE_S, 1)
        await beyond(home, boot, 2)
        await whole(home)
        assert await strays(home) == []

    play(tmp_path, scene)


def flash(board: SerialBoard, port: int, key: bytes) -> None:
    """As `hearthgate flash` does it."""
    made = find_board("fridge-sim")
    where = Broker("127.0.0.1", port, tls=False)
    values = table(made, device=BOARD, key=key, name="Fridge", broker=where, wifi=None) | QUICK
    board.switch_on()
    with Remote.open(board.port, 10.0) as remote:
        flashing.put(remote, made, remote.facts(), values, None)
        kept = json.loads(remote.read("/key") or b"null")
        assert kept["key"] == key.hex() and kept["old"] != key.hex()
        remote.reset()
