"""Group commit: acked is what is on disk, and nothing else; a full disk only makes the boards wait."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from gateway.app.inbox import MAX_BYTES, Message
from gateway.app.ingest import Ingest
from gateway.app.pace import CATCHING_UP
from gateway.store import devices, frames
from gateway.store.database import StoreError, StoreFull
from gateway.store.thread import StoreThread
from tools import onboard

PATIENCE_S = 10.0
ROWS = [[320, 0, 1500], [321, 0, 1500]]

pytestmark = pytest.mark.asyncio


class FakeSource:
    """Keeps what is said to the boards."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, bool]] = []
        self.spoke = asyncio.Event()

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        raise AssertionError("the test delivers by itself")

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        self.said.append((topic, payload, retain))
        self.spoke.set()
        return True


class Bench:
    def __init__(self, household: Any) -> None:
        self.household = household
        self.source = FakeSource()
        self.store = StoreThread()
        self.room: Callable[[], None] = lambda: None
        self.ingest = Ingest(
            household.db,
            self.store,
            self.source,
            lambda: household.now_ms,
            window_s=0.3,
            quiet_s=60,
            make_room=self.make_room,
        )
        self.ingest.retry_s = 0.02
        self.task = asyncio.create_task(self.ingest.run())

    def make_room(self) -> None:
        self.room()

    async def hear(self, *messages: tuple[str, bytes]) -> None:
        for topic, payload in messages:
            await self.ingest.deliver(Message(topic, payload))

    async def settled(self) -> None:
        await asyncio.wait_for(self.ingest.settle(), PATIENCE_S)

    async def acked(self) -> float:
        """Seconds until the next ack, if nothing hurries it."""
        began = time.monotonic()
        self.source.spoke.clear()
        await asyncio.wait_for(self.source.spoke.wait(), PATIENCE_S)
        return time.monotonic() - began

    def messages(self, board: Any) -> list[tuple[Any, bool]]:
        """(what the board reads in an ack, opened by the firmware's own code, whether it is retained)."""
        mac, cbor = onboard.load("mac").Mac0(board.key), onboard.load("cbor")
        topic = f"hg/1/{board.device}/ack"
        return [(cbor.loads(mac.open(b"ack", payload)), r) for t, payload, r in self.source.said if t == topic]

    def acks(self, board: Any) -> list[Any]:
        """The marks of each ack."""
        return [message[3:] for message, _ in self.messages(board)]


@pytest_asyncio.fixture
async def bench(household: Any) -> AsyncIterator[Bench]:
    made = Bench(household)
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)
    made.store.close()


async def test_what_is_acked_is_on_disk_and_the_ack_is_cumulative(bench: Bench, board: Any):
    await bench.hear(board.birth(), board.rows(1, ROWS), board.rows(2, ROWS), board.rows(4, ROWS))
    await bench.settled()
    assert bench.acks(board)[-1] == [[1, 2]]
    assert bench.household.count("frame") == 3


async def test_a_frame_that_came_before_is_acked_again_and_stored_once(bench: Bench, board: Any):
    for _ in range(2):
        await bench.hear(board.rows(1, ROWS))
        await bench.settled()
    assert bench.acks(board) == [[[1, 1]]] * 2
    assert bench.household.count("frame") == 1


async def test_a_new_boot_is_acked_beside_the_old(bench: Bench, board: Any):
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    await bench.hear(board.rows(1, ROWS, boot=2))
    await bench.settled()
    assert bench.acks(board)[-1] == [[2, 1], [1, 1]]


async def test_messages_in_one_window_are_one_commit(bench: Bench, board: Any):
    await bench.hear(*[board.rows(seq, ROWS) for seq in range(1, 40)])
    await bench.settled()
    assert bench.household.db.counters()["commits"] < 10
    assert bench.acks(board)[-1] == [[1, 39]]


async def test_an_ack_says_the_time_and_how_long_a_frame_may_wait(bench: Bench, board: Any):
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    bench.ingest.looked()
    await bench.hear(board.rows(2, ROWS))
    await bench.settled()
    time_s = bench.household.now_ms // 1000
    assert [message[:3] for message, _ in bench.messages(board)] == [[1, time_s, 60], [1, time_s, 1]]


async def test_the_gateways_clock_may_be_anything(bench: Bench, board: Any):
    bench.household.now_ms = -(10**15)
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    assert bench.messages(board) == [([1, 0, 60, [1, 1]], True)]


async def test_an_old_boot_is_acked_however_many_came_after_it(bench: Bench, board: Any):
    for boot in range(2, 20):
        await bench.hear(board.rows(1, ROWS, boot=boot))
        await bench.settled()
    await bench.hear(board.birth(1), board.rows(1, ROWS, boot=1))
    await bench.settled()
    assert bench.acks(board)[-1][0] == [1, 1]


async def test_more_boots_than_one_ack_holds_are_all_acked(bench: Bench, board: Any):
    for boot in range(1, 20):
        await bench.hear(board.birth(boot), board.rows(1, ROWS, boot=boot))
    await bench.settled()
    told = bench.messages(board)
    assert sorted(boot for message, _ in told for boot, _ in message[3:]) == list(range(1, 20))
    assert [retain for _, retain in told] == [True, False, False]
    assert told[0][0][3] == [19, 1]


async def test_the_first_commit_is_soon_and_quiet_series_then_wait(bench: Bench, board: Any):
    await bench.hear(board.rows(1, ROWS))
    assert await bench.acked() < 0.25
    await bench.hear(board.rows(2, ROWS))
    await asyncio.sleep(0.6)
    assert bench.household.count("frame") == len(bench.acks(board)) == 1


async def started(bench: Bench, board: Any) -> None:
    """The first commit is over: from now on nothing is soon by itself."""
    await bench.hear(board.birth())
    await bench.settled()


async def test_an_event_takes_what_waits_with_it(bench: Bench, board: Any):
    await started(bench, board)
    await bench.hear(board.rows(1, ROWS), board.events(2, [(3, 0, 1)]))
    assert 0.2 < await bench.acked() < 5
    assert bench.acks(board)[-1] == [[1, 2]]


@pytest.mark.parametrize("what", ["state", "birth"])
async def test_a_board_that_comes_or_goes_is_seen_soon(bench: Bench, board: Any, what: str):
    await started(bench, board)
    await bench.hear(board.rows(1, ROWS), board.state(1) if what == "state" else board.birth())
    assert 0.2 < await bench.acked() < 5


async def test_a_stranger_cannot_make_the_gateway_write_more_often(bench: Bench, board: Any):
    await started(bench, board)
    topic, payload = board.events(1, [(3, 0, 1)])
    strangers = [(topic, payload[:-1] + bytes([n])) for n in range(2 * CATCHING_UP)]
    await bench.hear(*strangers, ("hg/1/ffffffffffff/up", payload), ("hg/1/x", payload))
    await asyncio.sleep(0.6)
    assert bench.household.dead() == []
    await bench.settled()
    assert {reason for reason, _ in bench.household.dead()} == {"bad_mac", "unknown_device", "unknown_topic"}


async def test_a_backlog_does_not_wait(bench: Bench, board: Any):
    await started(bench, board)
    await bench.hear(*[board.rows(seq, ROWS) for seq in range(1, CATCHING_UP + 1)])
    assert await bench.acked() < 0.25
    assert bench.acks(board)[-1] == [[1, CATCHING_UP]]


async def test_who_looks_sees_what_waits_already(bench: Bench, board: Any):
    await started(bench, board)
    await bench.hear(board.rows(1, ROWS))
    await asyncio.sleep(0.1)
    bench.ingest.looked()
    assert 0.2 < await bench.acked() < 5


async def test_a_board_that_was_enrolled_a_moment_ago_does_not_wait(bench: Bench, board: Any):
    await started(bench, board)
    key = bytes(range(32, 64))
    devices.enrol(bench.household.db, "a0b1c2d3e4f6", "New", bench.household.now_ms, key)
    new = type(board)("a0b1c2d3e4f6", key, board.channels)
    await bench.hear(new.rows(1, ROWS))
    assert await bench.acked() < 5
    assert bench.acks(new) == [[[1, 1]]]


async def test_a_frame_is_received_when_it_came_not_when_it_was_committed(bench: Bench, board: Any):
    await started(bench, board)
    came_ms = bench.household.now_ms
    await bench.hear(board.rows(1, ROWS))
    bench.household.now_ms += 60_000
    await bench.settled()
    assert bench.household.db.connection.execute("SELECT received_ms FROM frame").fetchall() == [(came_ms,)]


FULL = [sqlite3.OperationalError("database or disk is full"), StoreFull("the store is full; allow more")]


@pytest.mark.parametrize("why", FULL, ids=["disk", "ceiling"])
async def test_while_it_is_full_the_boards_wait_and_it_is_said_once(
    bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: Exception
):
    commit = frames.commit
    failures = 5
    told = []

    def full(*arguments: Any) -> frames.Committed:
        nonlocal failures
        told.append(bench.ingest.trouble)
        if failures:
            failures -= 1
            raise why
        return commit(*arguments)

    monkeypatch.setattr(frames, "commit", full)
    caplog.set_level(logging.WARNING, "gateway")
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    assert failures == 0
    assert told[0] is None
    assert "full" in str(told[1])
    assert [str(why) in record.getMessage() for record in caplog.records] == [True]
    assert bench.acks(board) == [[[1, 1]]]
    assert bench.household.count("frame") == 1
    assert bench.ingest.trouble is None


async def test_the_ceiling_is_asked_about_once_a_megabyte_and_until_there_is_room(
    bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gateway.app.ingest.ROOM_BYTES", 100)
    asked = 0

    def make_room() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise FULL[1]

    bench.room = make_room
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    assert asked == 0
    for seq in (2, 3, 4):
        await bench.hear(board.rows(seq, ROWS))
    await bench.settled()
    assert asked == 3
    assert bench.acks(board)[-1] == [[1, 4]]
    await bench.hear(board.rows(5, ROWS))
    await bench.settled()
    assert asked == 3


async def test_memory_is_bounded_while_the_disk_is_full(bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch):
    topic, _ = board.rows(1, ROWS)
    stuck = asyncio.Event()

    def full(*_: Any) -> frames.Committed:
        stuck.set()
        raise FULL[0]

    monkeypatch.setattr(frames, "commit", full)
    taken = 0

    async def flood() -> None:
        nonlocal taken
        while True:
            await bench.ingest.deliver(Message(topic, bytes(60_000)))
            taken += 60_000

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.5)
    assert stuck.is_set()
    before = taken
    await asyncio.sleep(0.2)
    flooding.cancel()
    assert taken == before < 2 * MAX_BYTES


async def test_a_damaged_database_ends_the_gateway_with_a_sentence(
    bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch
):
    def damaged(*_: Any) -> frames.Committed:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(frames, "commit", damaged)
    await bench.hear(board.rows(1, ROWS))
    with pytest.raises(StoreError, match="set aside"):
        await asyncio.wait_for(bench.task, PATIENCE_S)


async def test_bad_input_does_not_stop_the_stream(bench: Bench, board: Any):
    topic, payload = board.rows(1, ROWS)
    await bench.hear((topic, b"\x81" * 1000), (topic, payload[:-1]), ("hg/1/ffffffffffff/up", payload), (topic, b""))
    await bench.hear((topic, bytes(1_000_000)), (topic, payload))
    await bench.settled()
    assert bench.acks(board)[-1] == [[1, 1]]
    assert bench.household.db.counters()["dead_letters"] == 5
