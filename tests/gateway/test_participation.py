"""Which boards are told what to keep to themselves, when, and how often."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence

import pytest

from gateway.app.participation import Participation
from gateway.consent import local_use, register
from gateway.consent.local_use import Mode
from gateway.store import devices
from gateway.store.database import StoreError
from gateway.store.thread import StoreThread
from gateway.wire.state import ALL_USED, State, Use, encode_state
from tests.gateway.conftest import Board, Household
from tools import household_loop

DOOR = 0b01010
DEVICE = "a0b1c2d3e4f5"


class Bench:
    """A participation in a household's time, and the boards' end of it."""

    def __init__(self, household: Household, board: Board, store: StoreThread) -> None:
        self.household = household
        self.board = board
        self.store = store
        self.sent: list[tuple[str, str, list[int]]] = []
        self.fails: Exception | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._start_ms = household.now_ms
        self.participation = Participation(
            household.db, store, register.Register(household.db), self.command, self.now_ms
        )

    def now_ms(self) -> int:
        """The household's clock goes with its loop."""
        return self._start_ms + (int(self.loop.time() * 1000) if self.loop else 0)

    async def command(self, device: str, verb: str, args: Sequence[int]) -> bool:
        self.sent.append((device, verb, list(args)))
        if self.fails:
            raise self.fails
        return True

    def say(self, use: Use = ALL_USED, *, boot: int = 1, online: bool = True, quiet: bool = False) -> None:
        """The board says its state."""
        message = self.board.say("state", encode_state(State(boot, online, quiet, use)))
        self.participation.heard(self.household.receive(message))

    def mode(self, mode: Mode) -> None:
        local_use.set_mode(self.household.db, DEVICE, "door", mode, self.household.now_ms)
        self.participation.changed()

    async def wait(self, seconds: float = 0.1) -> list[list[int]]:
        """The arguments of what was sent in that time."""
        await asyncio.sleep(seconds)
        self.household.now_ms = self.now_ms()
        sent, self.sent = self.sent, []
        assert all(what[:2] == (DEVICE, "use") for what in sent)
        return [args for _, _, args in sent]


@pytest.fixture
def bench(household: Household, board: Board) -> Iterator[Bench]:
    store = StoreThread()
    household.receive(board.birth())
    yield Bench(household, board, store)
    store.close()


def play(bench: Bench, scene: object) -> None:
    async def played() -> None:
        bench.loop = asyncio.get_running_loop()
        running = asyncio.create_task(bench.participation.run())
        try:
            await scene()  # type: ignore[operator]
            assert not running.done() or running.result() is None
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    household_loop.run(played())


def test_a_household_that_said_nothing_sends_nothing(bench: Bench):
    async def scene() -> None:
        bench.say()
        bench.participation.changed()
        assert await bench.wait(600) == []

    play(bench, scene)


def test_a_board_is_told_when_it_comes_and_when_something_changes(bench: Bench):
    async def scene() -> None:
        bench.mode(Mode.GRANTED)
        assert await bench.wait() == [], "it is not there"
        bench.say()
        assert await bench.wait() == [[DOOR, 0]]
        bench.say(Use(DOOR))
        assert await bench.wait(600) == []
        grant = bench.household.grant(category="door", start_ms=bench.household.now_ms)
        bench.participation.changed()
        assert await bench.wait() == [[]]
        bench.say()
        assert await bench.wait(600) == []
        bench.household.revoke(grant)
        bench.participation.changed()
        assert await bench.wait() == [[DOOR, 0]]
        bench.mode(Mode.UNMEASURED)
        assert await bench.wait() == [[DOOR, DOOR]], "at once, though it has not said that it heard the last"

    play(bench, scene)


def test_it_is_told_again_less_and_less_often_until_it_says_so(bench: Bench):
    async def scene() -> None:
        bench.mode(Mode.GRANTED)
        bench.say()
        assert len(await bench.wait(4)) == 1
        assert len(await bench.wait(4)) == 1
        assert len(await bench.wait(92)) == 3
        assert len(await bench.wait(3600)) in range(6, 12)
        bench.say(Use(DOOR))
        assert await bench.wait(3600) == []

    play(bench, scene)


def test_who_comes_back_is_told_at_once(bench: Bench):
    async def scene() -> None:
        bench.mode(Mode.GRANTED)
        bench.say()
        await bench.wait(1000)
        bench.say(online=False)
        assert await bench.wait(1000) == [], "nobody is there to hear it"
        bench.say()
        assert len(await bench.wait(1)) == 1
        bench.household.receive(bench.board.birth(2))
        bench.say(boot=2)
        assert len(await bench.wait(1)) == 1

    play(bench, scene)


def test_a_board_that_keeps_what_this_household_never_asked_for_is_told(bench: Bench):
    """It was told by another gateway, or by this one before its database was lost."""

    async def scene() -> None:
        bench.say(Use(DOOR, DOOR))
        assert await bench.wait() == [[]]

    play(bench, scene)


def test_without_the_birth_of_its_boot_nobody_knows_its_channels(bench: Bench):
    async def scene() -> None:
        bench.mode(Mode.GRANTED)
        bench.say(boot=2)
        assert await bench.wait(30) == []
        bench.household.receive(bench.board.birth(2, [["x", "/", 1, 1, 0, "door"]]))
        assert (await bench.wait(60))[:1] == [[1, 0]]

    play(bench, scene)


def test_a_grant_that_begins_or_ends_by_itself_is_told_at_that_time(bench: Bench):
    async def scene() -> None:
        now = bench.household.now_ms
        bench.mode(Mode.GRANTED)
        bench.say(Use(DOOR))
        bench.household.grant(category="door", start_ms=now + 10_000, expiry_ms=now + 30_000)
        bench.participation.changed()
        assert await bench.wait(9.9) == []
        assert await bench.wait(0.2) == [[]]
        bench.say()
        assert await bench.wait(19.8) == []
        assert await bench.wait(0.2) == [[DOOR, 0]]

    play(bench, scene)


def test_a_quiet_board_is_told_too_and_a_revoked_one_is_not(bench: Bench):
    async def scene() -> None:
        bench.mode(Mode.GRANTED)
        bench.say(quiet=True)
        assert await bench.wait() == [[DOOR, 0]]
        devices.revoke(bench.household.db, DEVICE, bench.household.now_ms)
        assert await bench.wait(600) == []

    play(bench, scene)


def test_a_full_disk_stops_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    async def scene() -> None:
        bench.say()
        bench.mode(Mode.GRANTED)
        with monkeypatch.context() as full:
            full.setattr(local_use, "modes", fails)
            assert await bench.wait(60) == []
        assert [DOOR, 0] in await bench.wait(10)

    play(bench, scene)


def test_a_command_that_fails_stops_nothing(bench: Bench):
    async def scene() -> None:
        bench.fails = StoreError("no device")
        bench.mode(Mode.GRANTED)
        bench.say()
        assert len(await bench.wait(60)) > 1

    play(bench, scene)
