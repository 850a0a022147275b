"""Group commit: acked is what is on disk, and nothing else; a full disk only makes the boards wait."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from gateway.app.ingest import Ingest
from gateway.app.source import Message
from gateway.store import frames
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
        self.ingest = Ingest(household.db, self.store, self.source, lambda: household.now_ms, window_s=0.02)
        self.ingest.retry_s = 0.02
        self.task = asyncio.create_task(self.ingest.run())

    async def hear(self, *messages: tuple[str, bytes]) -> None:
        for topic, payload in messages:
            await self.ingest.deliver(Message(topic, payload))

    async def settled(self) -> None:
        await asyncio.wait_for(self.ingest.settle(), PATIENCE_S)

    def acks(self, board: Any) -> list[Any]:
        """What the board reads in its acks, opened by the firmware's own code."""
        mac, cbor = onboard.load("mac").Mac0(board.key), onboard.load("cbor")
        topic = f"hg/1/{board.device}/ack"
        assert all((t, retain) == (topic, True) for t, _, retain in self.source.said)
        return [cbor.loads(mac.open(b"ack", payload)) for _, payload, _ in self.source.said]


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
    assert bench.acks(board)[-1] == [1, [1, 2]]
    assert bench.household.count("frame") == 3


async def test_a_frame_that_came_before_is_acked_again_and_stored_once(bench: Bench, board: Any):
    for _ in range(2):
        await bench.hear(board.rows(1, ROWS))
        await bench.settled()
    assert bench.acks(board) == [[1, [1, 1]]] * 2
    assert bench.household.count("frame") == 1


async def test_a_new_boot_is_acked_beside_the_old(bench: Bench, board: Any):
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    await bench.hear(board.rows(1, ROWS, boot=2))
    await bench.settled()
    assert bench.acks(board)[-1] == [1, [2, 1], [1, 1]]


async def test_messages_in_one_window_are_one_commit(bench: Bench, board: Any):
    await bench.hear(*[board.rows(seq, ROWS) for seq in range(1, 40)])
    await bench.settled()
    assert bench.household.db.counters()["commits"] < 10
    assert bench.acks(board)[-1] == [1, [1, 39]]


async def test_a_full_disk_only_makes_the_boards_wait(bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch):
    commit = frames.commit
    failures = 3
    told = []

    def full(*arguments: Any) -> frames.Committed:
        nonlocal failures
        told.append(bench.ingest.trouble)
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return commit(*arguments)

    monkeypatch.setattr(frames, "commit", full)
    await bench.hear(board.rows(1, ROWS))
    await bench.settled()
    assert failures == 0
    assert told[0] is None
    assert "full" in str(told[1])
    assert bench.acks(board) == [[1, [1, 1]]]
    assert bench.household.count("frame") == 1
    assert bench.ingest.trouble is None


async def test_bad_input_does_not_stop_the_stream(bench: Bench, board: Any):
    topic, payload = board.rows(1, ROWS)
    await bench.hear((topic, b"\x81" * 1000), (topic, payload[:-1]), ("hg/1/ffffffffffff/up", payload), (topic, b""))
    await bench.hear((topic, bytes(1_000_000)), (topic, payload))
    await bench.settled()
    assert bench.acks(board)[-1] == [1, [1, 1]]
    assert bench.household.db.counters()["dead_letters"] == 5
