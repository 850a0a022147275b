"""`hearthgate flash` gives a board another key, and what it holds under the one before is not lost: the real command on
a virtual board, with a real gateway and a real broker. The frames that it holds are more than go out at once without an
ack (firmware/flight.py): if these opened nowhere, nothing would ever come behind them.

Alone: pytest tests/emulated/test_flash_key.py (about four minutes).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.app import rekeying
from gateway.flash import held
from gateway.flash.remote import Remote
from gateway.store import devices
from tests.emulated.test_flash import command
from tools.serial_board import CHIP_ID, SerialBoard
from tools.update_house import BOARD, House, house

PATIENCE_S = 90.0
QUICK = {"report_s": 1, "quiet_s": 1, "step_ms": 500, "durable": True}
ALONE_S = 24
MANY = 17

Frames = set[tuple[int, int]]


@contextlib.asynccontextmanager
async def at_home(folder: Path) -> AsyncIterator[House]:
    """A gateway, with settings for commands beside it."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with house(folder) as home:
        (folder / "hearthgate.toml").write_text(
            f'[store]\npath = "house.sqlite"\n[console]\nenabled = false\n'
            f'[broker]\nbuiltin = true\nhost = "127.0.0.1"\nport = {home.gateway.broker_port}\n'
        )
        yield home


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[SerialBoard]:
    """A board of the household in tmp_path/first, which is away: off, and it holds many frames. It obeyed commands."""

    async def live() -> SerialBoard:
        async with at_home(tmp_path / "first") as home:
            board = await home.board(CHIP_ID, **QUICK)
            board.switch_on()
            await home.online(CHIP_ID, PATIENCE_S)
            for _ in range(3):
                assert await home.gateway.command(CHIP_ID, "flush")
            await asyncio.sleep(3)
        await asyncio.sleep(ALONE_S)
        board.cut_power()
        return board

    board = asyncio.run(live())
    yield board
    board.close()


def on_flash(board: SerialBoard) -> Frames:
    """The (boot, seq) of the frames that it holds; it is off before and after."""
    head = struct.Struct("<HIIBI")
    found = set()
    board.switch_on()
    with Remote.open(board.port) as remote:
        for path in remote.names(held.FOLDER):
            data, at = remote.read(path) or b"", 0
            while at < len(data):
                size, boot, seq, _, _ = head.unpack_from(data, at)
                found.add((boot, seq))
                at += head.size + size
    board.cut_power()
    return found


def flash(folder: Path, board: SerialBoard) -> subprocess.CompletedProcess[str]:
    """The command; the board has power."""
    return command(folder, "flash", "--port", board.port, "--board", BOARD, "--wait", "0")


async def stored(home: House, frames: Frames) -> None:
    """Wait until all of them are in the database."""
    async with asyncio.timeout(PATIENCE_S):
        while frames - set(await home.select("SELECT boot, seq FROM frame")):
            home.gateway.ingest.looked()
            await asyncio.sleep(0.2)


async def key(home: House) -> bytes:
    return (await home.gateway.store(devices.registry, home.gateway.db))[CHIP_ID].key


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_board_that_was_revoked_is_taken_back_with_what_it_holds(lonely: SerialBoard, tmp_path: Path) -> None:
    async def scene() -> None:
        waiting = on_flash(lonely)
        assert len(waiting) >= MANY
        async with at_home(tmp_path / "first") as home:
            before = await key(home)
            await home.gateway.store(devices.revoke, home.gateway.db, CHIP_ID, now_ms())
            lonely.switch_on()
            done = await asyncio.to_thread(flash, tmp_path / "first", lonely)
            assert done.returncode == 0, done.stderr
            assert "holds from before come under the new one" in done.stdout
            assert await key(home) != before
        # And it is alone once more, with its new key.
        await asyncio.sleep(ALONE_S)
        lonely.cut_power()
        waiting |= on_flash(lonely)
        assert len({boot for boot, _ in waiting}) > 1
        async with at_home(tmp_path / "first") as home:
            lonely.switch_on()
            assert (await asyncio.to_thread(flash, tmp_path / "first", lonely)).returncode == 0
            await home.online(CHIP_ID, PATIENCE_S)
            await stored(home, waiting)
            assert await home.select("SELECT reason FROM dead_letter WHERE reason = 'bad_mac'") == []

    asyncio.run(scene())


def test_a_board_that_a_new_database_does_not_know_brings_what_it_holds_and_obeys(
    lonely: SerialBoard, tmp_path: Path
) -> None:
    async def scene() -> None:
        waiting = on_flash(lonely)
        assert len(waiting) >= MANY
        async with at_home(tmp_path / "second") as home:
            lonely.switch_on()
            done = await asyncio.to_thread(flash, tmp_path / "second", lonely)
            assert done.returncode == 0, done.stderr
            boot = await home.online(CHIP_ID, PATIENCE_S)
            await stored(home, waiting)
            assert await home.select("SELECT reason FROM dead_letter WHERE reason = 'bad_mac'") == []
            lonely.console.clear()
            assert await home.gateway.command(CHIP_ID, "reboot")
            await home.online(CHIP_ID, PATIENCE_S, boot)
            assert not [line for line in lonely.console if "refused cmd" in line]

    asyncio.run(scene())


def test_flashing_that_is_interrupted_while_a_key_is_changed_loses_nothing(lonely: SerialBoard, tmp_path: Path) -> None:
    async def scene() -> None:
        waiting = on_flash(lonely)
        assert len(waiting) >= MANY
        async with at_home(tmp_path / "first") as home:
            before = await key(home)
            rekey = await home.gateway.store(rekeying.begin, home.gateway.db, CHIP_ID, now_ms())
            await home.gateway._changed_beside()
            cuts = 0
            while True:
                lonely.switch_on(cut_after=4000 * (cuts + 1))
                done = await asyncio.to_thread(flash, tmp_path / "first", lonely)
                if done.returncode == 0:
                    break
                cuts += 1
                assert await key(home) == before, "the board may still have it"
                assert lonely.wait_off(20)
            assert cuts > 1
            assert await key(home) == rekey.next.key
            lonely.cut_power()
            lonely.switch_on()
            await home.online(CHIP_ID, PATIENCE_S)
            await stored(home, waiting)
            assert await home.select("SELECT reason FROM dead_letter WHERE reason = 'bad_mac'") == []

    asyncio.run(scene())


def test_frames_under_a_key_that_nobody_knows_any_more_are_given_up_and_counted(
    lonely: SerialBoard, tmp_path: Path
) -> None:
    async def scene() -> None:
        lost = len(on_flash(lonely))
        assert lost >= MANY
        lonely.switch_on()
        with Remote.open(lonely.port) as remote:
            remote.remove("/board.json")
        async with at_home(tmp_path / "second") as home:
            done = await asyncio.to_thread(flash, tmp_path / "second", lonely)
            assert done.returncode == 0, done.stderr
            removed = re.search(r"(\d+) frames on it removed", done.stdout)
            assert removed is not None and int(removed[1]) >= lost
            boot = await home.online(CHIP_ID, PATIENCE_S)
            await stored(home, {(boot, 1), (boot, 2)})
            assert await home.select("SELECT reason FROM dead_letter WHERE reason = 'bad_mac'") == []

    asyncio.run(scene())
