"""The device takes part: a real board and its world, a real broker and the real gateway, and a finger on the button.

Alone: pytest tests/emulated/test_participation.py (about a minute).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.app.settings import Broker, Settings, Store
from gateway.consent import local_use, register
from gateway.consent.grants import Grant
from gateway.consent.local_use import Mode
from gateway.consent.vocabulary import Granularity
from gateway.store import devices
from gateway.store.reader import FrameReader, StoredFrame
from gateway.web.live import Live
from tests.conftest import BrokerFactory
from tools.virtual_board import VirtualBoard

KEY = bytes(range(32))
DEVICE = "5e0000000009"
SPEED = 40
PATIENCE_S = 60.0
EPOCH_MS = time.time_ns() // 1_000_000
HOLD_S = 60
"""In the household's time: a second and a half of a machine that may be busy. However long, it is one press."""
DOOR, TOP_SHELF = 2, 3
DOOR_EVENTS = (6, 7)
LEAST_FREE = 28 * 1024

pytestmark = pytest.mark.asyncio


def now_ms() -> int:
    """The household's clock, which is the board's."""
    return EPOCH_MS + (time.time_ns() // 1_000_000 - EPOCH_MS) * SPEED


class House:
    """A gateway that runs, and a fridge that reports every row."""

    def __init__(self, gateway: Gateway, board: VirtualBoard) -> None:
        self.gateway = gateway
        self.board = board
        self._reader = FrameReader(gateway.db)

    async def frames(self, after: int = 0) -> list[StoredFrame]:
        """What has come, oldest first; without the first `after`."""

        def read() -> list[StoredFrame]:
            ((id_,),) = self.gateway.db.connection.execute("SELECT id FROM device").fetchall()
            return self._reader.of_device(id_, 10_000)

        return (await self.gateway.store(read))[after:]

    async def until(self, reached: Callable[[list[StoredFrame]], object], after: int = 0) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not reached(await self.frames(after)):
            self.board.check()
            assert time.monotonic() < deadline, list(self.board.console)[-12:]
            await asyncio.sleep(0.1)

    async def mode(self, category: str, mode: Mode) -> None:
        await self.gateway.store(local_use.set_mode, self.gateway.db, DEVICE, category, mode, now_ms())
        await self.gateway.consent_changed()

    async def known(self) -> devices.Device:
        return (await self.gateway.store(devices.registry, self.gateway.db))[DEVICE]

    async def led(self, pattern: str) -> None:
        await self.until(lambda _: self.board.led_pattern() == pattern)

    async def is_quiet(self, *, quiet: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (await self.known()).quiet is not quiet:
            assert time.monotonic() < deadline, list(self.board.console)[-12:]
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def house(broker: BrokerFactory, folder: Path) -> AsyncIterator[House]:
    port = broker().port
    gateway = Gateway(
        Settings(
            store=Store.model_construct(
                **{
                    **Store().model_dump(),
                    "path": folder / "h.sqlite",
                    "commit_window_ms": 50,
                    "quiet_commit_window_s": 0.2,
                }
            ),
            broker=Broker(host="127.0.0.1", port=port),
        ),
        now_ms=now_ms,
    )
    await gateway.store(devices.enrol, gateway.db, DEVICE, "Kitchen fridge", now_ms(), KEY)
    board = VirtualBoard(
        "fridge-sim",
        device=DEVICE,
        key=KEY,
        name="Kitchen fridge",
        mqtt_host="127.0.0.1",
        mqtt_port=port,
        seed=1,
        speed=SPEED,
        epoch_ms=EPOCH_MS,
        workdir=folder / "board",
        settings={"report_s": 10, "quiet_s": 10},
    )
    try:
        await gateway.start()
        await board.start()
        yield House(gateway, board)
    finally:
        await board.close()
        await gateway.close()


def rows(frames: list[StoredFrame]) -> list[tuple[int | None, ...]]:
    return [row for f in frames if f.frame.columns for row in zip(*f.frame.columns, strict=True)]


def told_of_the_door(frames: list[StoredFrame]) -> bool:
    return any(e.channel in DOOR_EVENTS for f in frames for e in f.frame.events)


async def silent(house: House) -> int:
    """Wait until the door's values stay away; how many frames there are then."""

    def gone(frames: list[StoredFrame]) -> bool:
        last = rows(frames)[-3:]
        return len(last) == 3 and all(row[DOOR] is None and row[TOP_SHELF] is not None for row in last)

    await house.until(gone)
    return len(await house.frames())


async def test_what_nobody_may_use_does_not_leave_the_board(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async with house(mosquitto, tmp_path) as here:
        await here.until(
            lambda frames: rows(frames) and rows(frames)[-1][DOOR] is not None and told_of_the_door(frames)
        )
        await here.mode("door", Mode.GRANTED)
        seen = await silent(here)
        # Longer than the door of that household ever stays closed by day.
        await here.until(lambda frames: len(rows(frames)) > 130, seen)
        since = await here.frames(seen)
        assert {row[DOOR] for row in rows(since)} == {None}
        assert all(row[TOP_SHELF] is not None for row in rows(since))
        assert not told_of_the_door(since)

        grant = Grant(
            register.new_id(), "Robin", (DEVICE,), "door", "manufacturer", "product-improvement", Granularity.HOUR,
            None, now_ms(), now_ms() + 86_400_000, "I agree.", "en", now_ms(),
        )  # fmt: skip
        await here.gateway.grant(grant)
        seen = len(await here.frames())
        await here.until(lambda frames: rows(frames) and rows(frames)[-1][DOOR] is not None, seen)
        await here.gateway.pause(grant.id)
        await silent(here)
        await here.gateway.resume(grant.id)
        seen = len(await here.frames())
        await here.until(lambda frames: rows(frames) and rows(frames)[-1][DOOR] is not None, seen)

        # It keeps to it after a power cut, from the first row on and without a gateway.
        await here.gateway.revoke(grant.id)
        await silent(here)
        await here.board.kill()
        seen = len(await here.frames())
        await here.board.start()
        await here.until(lambda frames: len(rows(frames)) > 3, seen)
        assert {row[DOOR] for row in rows(await here.frames(seen))} == {None}


async def test_a_long_press_makes_it_quiet_and_another_ends_that(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async with house(mosquitto, tmp_path) as here:
        await here.until(lambda frames: len(rows(frames)) > 3)
        live = Live(here.gateway)
        here.board.press(HOLD_S)
        await here.is_quiet(quiet=True)
        await asyncio.sleep(3)  # what it had measured before comes still
        before = len(await here.frames())
        await asyncio.sleep(3)
        assert len(await here.frames()) == before, "a dozen rows would have been due"
        await here.led("two short")
        (shown,) = (await live.home()).devices
        assert (shown.quiet, shown.online) == (True, True)

        await here.board.kill()
        await here.board.start()
        await asyncio.sleep(3)
        assert (await here.known()).quiet
        assert len(await here.frames()) == before, "it stays quiet after a power cut"

        here.board.press(HOLD_S)
        await here.is_quiet(quiet=False)
        await here.until(lambda frames: len(rows(frames)) > 3, before)
        await here.led("on")


async def test_what_is_not_measured_and_what_a_new_gateway_says(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async with house(mosquitto, tmp_path) as here:
        await here.until(rows)
        await here.mode("door", Mode.UNMEASURED)
        await silent(here)
        await here.mode("door", Mode.KEEP)
        seen = len(await here.frames())
        await here.until(lambda frames: rows(frames) and rows(frames)[-1][DOOR] is not None, seen)
        assert here.board.health is None or here.board.health["heap_min"] >= LEAST_FREE
