"""Which boards are told that somebody looks, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from gateway.app.watching import LIVE_S, Watching
from gateway.store import devices
from gateway.store.database import StoreError
from gateway.store.thread import StoreThread
from gateway.wire.state import ALL_USED, State, encode_state
from tests.gateway.conftest import Board, Household
from tools import household_loop

DEVICE = "a0b1c2d3e4f5"


class Bench:
    """Somebody who looks, or not, and the boards' end of it."""

    def __init__(self, household: Household, board: Board, store: StoreThread) -> None:
        self.household = household
        self.board = board
        self.sent: list[tuple[str, str, list[int]]] = []
        self.fails: Exception | None = None
        self.watching = Watching(household.db, store, self.command)

    async def command(self, device: str, verb: str, args: Sequence[int]) -> bool:
        self.sent.append((device, verb, list(args)))
        if self.fails:
            raise self.fails
        return True

    def say(self, *, online: bool = True, quiet: bool = False, boot: int = 1) -> None:
        self.household.receive(self.board.say("state", encode_state(State(boot, online, quiet, ALL_USED))))

    async def look(self, seconds: float) -> list[tuple[str, str, list[int]]]:
        """What was sent while somebody looked for so long."""
        for _ in range(int(seconds)):
            self.watching.looked()
            await asyncio.sleep(1)
        sent, self.sent = self.sent, []
        return sent

    async def rest(self, seconds: float) -> list[tuple[str, str, list[int]]]:
        """What was sent while nobody did."""
        await asyncio.sleep(seconds)
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def bench(household: Household, board: Board) -> Iterator[Bench]:
    store = StoreThread()
    household.receive(board.birth())
    yield Bench(household, board, store)
    store.close()


def play(bench: Bench, scene) -> None:
    async def played() -> None:
        running = asyncio.create_task(bench.watching.run())
        try:
            await scene()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    household_loop.run(played())


TOLD = (DEVICE, "live", [LIVE_S])


def test_a_board_is_told_once_and_again_before_it_ends_for_as_long_as_somebody_looks(bench: Bench) -> None:
    async def scene() -> None:
        bench.say()
        assert await bench.rest(30) == []
        assert await bench.look(60) == [TOLD]
        assert await bench.look(LIVE_S) in ([TOLD], [TOLD, TOLD])
        await bench.rest(12)
        assert await bench.rest(1000) == []
        assert await bench.look(5) == [TOLD]

    play(bench, scene)


def test_who_is_away_quiet_or_revoked_is_not_told_and_who_comes_back_is_at_once(bench: Bench) -> None:
    async def scene() -> None:
        bench.say(online=False)
        assert await bench.look(20) == []
        bench.say(quiet=True, boot=2)
        assert await bench.look(20) == []
        bench.say(boot=3)
        assert await bench.look(3) == [TOLD]
        bench.say(online=False, boot=3)
        assert await bench.look(3) == []
        bench.say(boot=4)
        assert await bench.look(3) == [TOLD]
        devices.revoke(bench.household.db, DEVICE, bench.household.now_ms)
        assert await bench.look(200) == []

    play(bench, scene)


def test_where_there_are_many_nobody_watches_all_of_them(bench: Bench) -> None:
    async def scene() -> None:
        bench.say()
        for number in range(16):
            devices.enrol(bench.household.db, f"{number:012x}", "Board", 0)
        with bench.household.db.transaction() as sql:
            sql.execute("UPDATE device SET online = 1")
            bench.household.db.revise("devices")
        assert await bench.look(20) == []

    play(bench, scene)


def test_a_store_that_fails_ends_nothing(bench: Bench) -> None:
    async def scene() -> None:
        bench.say()
        bench.fails = StoreError("full")
        assert await bench.look(3) == [TOLD]
        bench.fails = None
        assert await bench.look(100) == [TOLD]

    play(bench, scene)
