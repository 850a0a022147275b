"""app/updating.py: a gateway's side of updates, against boards that say what the case tells them to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest

from gateway.app.inbox import Message
from gateway.app.updating import Updating
from gateway.consent.update_decisions import Voice, Way
from gateway.errors import HearthgateError
from gateway.store import devices, updates
from gateway.store.database import Database
from gateway.store.frames import Committed, StateChange
from gateway.store.thread import StoreThread
from gateway.store.updates import Row
from gateway.update.manifest import LAST
from gateway.update.rollout import State
from gateway.update.version import Anyway
from gateway.wire.cose import open_sealed, seal
from gateway.wire.topics import topic

CLASS = b"fridge-sim 2566"
FILES = {"link.mpy": b"l" * 1500, "main.py": b"m", LAST: b'{"board": "fridge-sim"}'}
FIRST, SECOND, THIRD = "5e0000000001", "5e0000000002", "5e0000000003"
KEYS = {FIRST: bytes(range(32)), SECOND: bytes(range(1, 33)), THIRD: bytes(range(2, 34))}
NOW_MS = 1_800_000_000_000
NOBODY = Voice(Way.API)


class Spoken:
    """A source: what was said to boards, opened."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[Any]]] = []

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        raise NotImplementedError

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        assert not retain
        device, what = topic.split("/")[2:]
        opened = open_sealed(KEYS[device], what, payload)
        self.said.append((device, cbor2.loads(opened)))
        return True


class Desk:
    def __init__(self, folder: Path) -> None:
        self.db = Database(folder / "h.sqlite")
        self.store = StoreThread()
        self.source = Spoken()
        self.hurried = 0
        self.updating = Updating(self.db, self.store, self.source, self._hurry)
        self.updating.order.build = lambda _: ("9.9.9", dict(FILES))
        for device, key in KEYS.items():
            known = devices.enrol(self.db, device, f"Fridge {device[-1]}", NOW_MS, key)
            self.db.connection.execute("UPDATE device SET online = 1 WHERE id = ?", (known.id,))

    def _hurry(self) -> None:
        self.hurried += 1

    async def order(
        self,
        stages: Mapping[str, int],
        *,
        ask: bool = False,
        firmware: str | None = None,
        anyway: Anyway | None = None,
    ) -> None:
        await self.store(lambda: updates.order(self.db, stages, NOW_MS, ask=ask, firmware=firmware, anyway=anyway))
        self.updating.changed()

    async def says(self, device: str, *items: Any, key: bytes | None = None) -> None:
        message = seal(key or KEYS[device], "want", cbor2.dumps([1, *items]))
        assert self.updating.takes(Message(topic(device, "want"), message))
        await self.quiet()

    async def has(self, device: str, newest: int = 0, digest: bytes = bytes(32), slot: str = "a") -> None:
        await self.says(device, 0, newest, CLASS, slot, digest)

    async def quiet(self) -> None:
        """Until it has done what there was to do."""
        for _ in range(20):
            await asyncio.sleep(0.005)

    def heard(self) -> list[tuple[str, list[Any]]]:
        """What was said since."""
        said, self.source.said = self.source.said, []
        return said

    async def rows(self) -> dict[str, Row]:
        return await self.store(updates.rows, self.db)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    made = Desk(folder)
    task = asyncio.create_task(made.updating.run())
    try:
        yield made
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.store.close()
        made.db.close()


def play(folder: Path, scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def played() -> None:
        async with desk(folder) as made:
            await scene(made)

    asyncio.run(played())


def test_a_board_is_asked_offered_given_and_heard(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0})
        await desk.quiet()
        assert desk.heard() == [(FIRST, [1, 0])]
        await desk.has(FIRST)
        ((_, offer),) = desk.heard()
        sequence = offer[2]
        assert offer[3:] == [b"hearthgate", CLASS, "b", 3]
        await desk.says(FIRST, 1, sequence, 0, 1024)
        assert desk.heard() == [(FIRST, [1, 2, sequence, 0, 1024, b"l" * 476])]
        row = (await desk.rows())[FIRST]
        assert (row.state, row.sequence, row.done, row.size) == (State.LOADING, sequence, 1024, 1524)
        await desk.says(FIRST, 3, sequence, "")
        assert (await desk.rows())[FIRST].state is State.TRIAL
        assert desk.hurried
        await desk.says(FIRST, 5, sequence, "")
        assert (await desk.rows())[FIRST].state is State.UPDATED
        assert desk.db.counters()["boards_updated"] == 1

    play(tmp_path, scene)


def test_a_rollback_keeps_the_next_board_from_beginning(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0, SECOND: 1})
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        await desk.says(FIRST, 3, sequence, "")
        await desk.says(FIRST, 6, sequence, "failures")
        rows = await desk.rows()
        assert rows[FIRST].state is State.ROLLED_BACK
        assert "sensors" in rows[FIRST].detail
        assert rows[SECOND].state is State.WAIT
        assert {device for device, _ in desk.heard()} == {FIRST}

    play(tmp_path, scene)


def test_a_board_that_has_it_is_left_alone_and_the_next_one_begins(tmp_path: Path) -> None:
    import hashlib

    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0, SECOND: 1})
        await desk.has(FIRST, digest=hashlib.sha256(FILES[LAST]).digest())
        rows = await desk.rows()
        assert rows[FIRST].state is State.CURRENT
        assert (SECOND, [1, 0]) in desk.heard()

    play(tmp_path, scene)


def test_a_gateway_that_starts_again_goes_on(tmp_path: Path) -> None:
    async def first(desk: Desk) -> None:
        await desk.order({FIRST: 0})
        await desk.has(FIRST)

    async def second(desk: Desk) -> None:
        desk.updating.order.build = lambda _: pytest.fail("the image of the order is kept")
        sequence = (await desk.rows())[FIRST].sequence
        await desk.quiet()
        desk.heard()
        await desk.says(FIRST, 1, sequence, 0, 0)
        assert desk.heard() == [(FIRST, [1, 0])], "it asks what the board has before it goes on"
        await desk.has(FIRST)
        ((_, offer),) = desk.heard()
        assert offer[2] == sequence
        await desk.says(FIRST, 1, sequence, 1, 0)
        assert desk.heard() == [(FIRST, [1, 2, sequence, 1, 0, b"m"])]

    play(tmp_path, first)
    play(tmp_path, second)


def test_a_board_that_waits_says_why_and_is_asked_later(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0})
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        await desk.says(FIRST, 2, sequence, "battery")
        row = (await desk.rows())[FIRST]
        assert (row.state, row.detail) == (State.HELD, "its battery is low")

    play(tmp_path, scene)


def test_firmware_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        def build(_: str) -> tuple[str, dict[str, bytes]]:
            raise HearthgateError("there is no mpy-cross")

        desk.updating.order.build = build
        await desk.order({FIRST: 0})
        await desk.has(FIRST)
        row = (await desk.rows())[FIRST]
        assert (row.state, row.detail) == (State.FAILED, "there is no mpy-cross")

    play(tmp_path, scene)


def test_what_was_not_ordered_goes_on_no_board(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0}, firmware="9.9.8")
        await desk.has(FIRST)
        row = (await desk.rows())[FIRST]
        assert row.state is State.FAILED
        assert row.detail.startswith("version 9.9.8 was ordered, and this gateway has 9.9.9 now")
        assert await desk.store(updates.find_image, desk.db, CLASS.decode()) is None
        await desk.order({FIRST: 0}, firmware="9.9.9")
        await desk.quiet()
        await desk.has(FIRST)
        assert (await desk.rows())[FIRST].state is State.LOADING

    play(tmp_path, scene)


def test_a_household_that_wants_to_be_asked_is_asked(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0}, ask=True)
        await desk.quiet()
        assert desk.heard() == []
        assert await desk.updating.order.agree(NOBODY) == 1
        await desk.quiet()
        assert desk.heard() == [(FIRST, [1, 0])]
        assert await desk.updating.order.agree(NOBODY) == await desk.updating.order.decline(NOBODY) == 0

    play(tmp_path, scene)


def test_a_household_that_says_no_or_stop_is_left_alone(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0}, ask=True)
        assert await desk.updating.order.decline(NOBODY) == 1
        await desk.quiet()
        assert desk.heard() == []
        await desk.order({FIRST: 0, SECOND: 1})
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        desk.heard()
        assert await desk.updating.order.stop(NOBODY) == 2
        await desk.says(FIRST, 1, sequence, 0, 0)
        assert desk.heard() == []
        assert {row.state for row in (await desk.rows()).values()} == {State.STOPPED}

    play(tmp_path, scene)


@pytest.mark.parametrize("steps", range(8))
def test_it_ends_when_told_to_in_whatever_moment_something_came(tmp_path: Path, steps: int) -> None:
    async def scene(desk: Desk) -> None:
        task = asyncio.create_task(desk.updating.run())
        await desk.quiet()
        desk.updating.changed()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        assert await asyncio.wait([task], timeout=5) == ({task}, set())

    play(tmp_path, scene)


def test_a_board_that_comes_online_is_asked_at_once(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        known = devices.registry(desk.db)[FIRST]
        desk.db.connection.execute("UPDATE device SET online = 0")
        await desk.order({FIRST: 0})
        await desk.quiet()
        assert desk.heard() == []
        desk.db.connection.execute("UPDATE device SET online = 1")
        desk.updating.heard(Committed(states=[StateChange(known.id, 2, online=True, received_ms=NOW_MS)]))
        await desk.quiet()
        assert desk.heard() == [(FIRST, [1, 0])]

    play(tmp_path, scene)


def test_a_board_that_is_offline_stalls_no_other_and_is_asked_when_it_is_back(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        away = devices.registry(desk.db)[SECOND].id
        desk.db.connection.execute("UPDATE device SET online = 0 WHERE id = ?", (away,))
        await desk.order({FIRST: 0, SECOND: 1, THIRD: 2})
        await desk.quiet()
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        await desk.says(FIRST, 5, sequence, "")
        assert (THIRD, [1, 0]) in desk.heard()
        desk.db.connection.execute("UPDATE device SET online = 1")
        desk.updating.heard(Committed(states=[StateChange(away, 2, online=True, received_ms=NOW_MS)]))
        await desk.quiet()
        assert (SECOND, [1, 0]) in desk.heard()

    play(tmp_path, scene)


def test_ten_thousand_forged_words_are_refused_and_counted(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.order({FIRST: 0})
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        dice = random.Random(1)
        good = seal(KEYS[FIRST], "want", cbor2.dumps([1, 5, sequence, ""]))
        desk.heard()
        for n in range(10_000):
            forged = bytearray(good)
            if n % 4 == 0:
                forged = bytearray(seal(KEYS[SECOND], "want", cbor2.dumps([1, 5, sequence, ""])))
            elif n % 4 == 1:
                forged = bytearray(seal(KEYS[FIRST], "up", cbor2.dumps([1, 5, sequence, ""])))
            elif n % 4 == 2:
                forged[dice.randrange(len(forged))] ^= 1 << dice.randrange(8)
            else:
                del forged[dice.randrange(len(forged)) :]
            desk.updating.takes(Message(topic(FIRST, "want"), bytes(forged)))
            if n % 100 == 99:
                while desk.updating.waiting:  # noqa: ASYNC110 - what it waits for tells nobody
                    await asyncio.sleep(0.001)
        await desk.quiet()
        assert desk.db.counters()["wants_refused"] == 10_000
        assert (await desk.rows())[FIRST].state is State.LOADING
        assert desk.heard() == []

    play(tmp_path, scene)


def test_numbers_only_grow(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        before = 0
        for _ in range(3):
            await desk.order({FIRST: 0})
            await desk.quiet()
            await desk.has(FIRST)
            row = (await desk.rows())[FIRST]
            assert row.sequence is not None
            assert row.sequence > before
            before = row.sequence

    play(tmp_path, scene)
