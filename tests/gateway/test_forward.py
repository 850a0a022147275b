"""The forwarder: a fake sink that is down, slow, or refuses; a real queue and database behind it."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio

from gateway.forward import forwarder as forwarder_module
from gateway.forward.backoff import Backoff
from gateway.forward.forwarder import Forwarder
from gateway.forward.queue import MAX_BATCH
from gateway.forward.sink import Rejected, Retry
from gateway.store.database import Database
from gateway.store.thread import StoreThread

PATIENCE_S = 10.0


class FakeSink:
    """Keeps what it gets. `answers` are raised one after the other before it takes anything; `refuses` says which
    event it will never take."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.notices: list[str] = []
        self.tried: list[list[str]] = []
        self.answers: list[Exception] = []
        self.refuses: Callable[[str], bool] = lambda _: False
        self.before_answer: Callable[[], None] = lambda: None
        self.arrived = asyncio.Event()
        self.closed = False

    async def open(self) -> None:
        pass

    def compose(self, events: Sequence[str]) -> bytes:
        return "\n".join(events).encode()

    async def send(self, body: bytes) -> None:
        events = body.decode().split("\n")
        self.tried.append(events)
        await asyncio.sleep(0)
        self.before_answer()
        if self.answers:
            raise self.answers.pop(0)
        if any(map(self.refuses, events)):
            raise Rejected("status 422")
        self.got += events
        self.arrived.set()

    async def notify(self, notice: str) -> None:
        self.notices.append(notice)

    async def abort(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


class Bench:
    """A forwarder over the household's database."""

    def __init__(self, household: Any) -> None:
        self.household = household
        self.sink = FakeSink()
        self.store = StoreThread()
        self.forwarder = self.make(household.queue())

    def make(self, queue: Any) -> Forwarder:
        return Forwarder(queue, self.sink, self.store, Backoff(0.01, 0.02, random.Random(1)))

    def frames(self, board: Any, first: int, last: int) -> list[Any]:
        made = []
        for seq in range(first, last + 1):
            time_s = self.household.now_ms // 1000
            self.household.now_ms += 1000
            made.append(board.rows(seq, [[seq, 0, 0]], time_s=time_s, uptime_ms=seq * 1000))
        return made

    def values(self, bodies: Sequence[str]) -> list[float]:
        return [json.loads(body)["data"]["values"][0] * 16 for body in bodies]

    async def drain(self) -> bool:
        """Step until nothing waits any more."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not await self.forwarder.step() and not self.forwarder.queue.depth():
                return True
            await asyncio.sleep(0.001)
        return False


@pytest_asyncio.fixture
async def bench(household: Any) -> AsyncIterator[Bench]:
    made = Bench(household)
    yield made
    made.store.close()


pytestmark = pytest.mark.asyncio


async def test_what_was_granted_arrives_once_and_in_order(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 1200))
    assert await bench.drain()
    assert bench.values(bench.sink.got) == list(range(1, 1201))
    assert max(map(len, bench.sink.tried)) <= MAX_BATCH
    assert bench.household.db.counters()["cloud_events_sent"] == 1200


async def test_nothing_is_sent_where_nothing_may_leave(bench: Bench, board: Any):
    bench.household.receive(board.birth(), *bench.frames(board, 1, 10))
    assert await bench.drain()
    assert bench.sink.tried == []


async def test_a_sink_that_was_down_gets_the_same_bytes_when_it_is_back(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 5))
    bench.sink.answers = [Retry("cannot be reached"), Retry("cannot be reached")]
    await bench.forwarder.step()
    assert bench.forwarder.trouble == "cannot be reached"
    assert bench.sink.got == []
    assert await bench.drain()
    assert bench.forwarder.trouble is None
    assert bench.sink.tried[0] == bench.sink.tried[1] == bench.sink.tried[2] == bench.sink.got


async def test_it_waits_as_long_as_the_sink_asks(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 1))
    bench.sink.answers = [Retry("status 429", after_s=0.4)]
    began = time.monotonic()
    assert await bench.drain()
    assert time.monotonic() - began >= 0.4
    assert len(bench.sink.tried) == 2


async def test_while_it_waits_frames_are_still_decided_on(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 1))
    bench.sink.answers = [Retry("status 503", after_s=60)]
    await bench.forwarder.step()
    bench.household.receive(*bench.frames(board, 2, 4))
    await bench.forwarder.step()
    assert len(bench.sink.tried) == 1
    assert bench.forwarder.queue.depth() == 4


@pytest.mark.parametrize("bad", [{1}, {200}, {77}, {5, 6}, {1, 100, 200}, set(range(90, 110))])
async def test_events_that_are_refused_for_good_are_found_by_halving_and_all_others_arrive_once(
    bench: Bench, board: Any, bad: set[int]
):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 200))
    bench.sink.refuses = lambda body: round(bench.values([body])[0]) in bad
    assert await bench.drain()
    assert bench.values(bench.sink.got) == [n for n in range(1, 201) if n not in bad]
    assert bench.household.db.counters()["events_rejected"] == len(bad)
    assert len(bench.sink.tried) < 20 * (len(bad) + 1)


async def test_after_a_refusal_batches_become_large_again(bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forwarder_module, "MAX_BATCH", 64)
    bench.forwarder = bench.make(bench.household.queue())
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 400))
    bench.sink.refuses = lambda body: round(bench.values([body])[0]) == 3
    assert await bench.drain()
    assert len(bench.sink.tried[-2]) == 64


async def test_a_grant_that_is_revoked_while_a_batch_is_halved_lets_nothing_more_out(bench: Bench, board: Any):
    grant = bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 100))

    def revoke_in_another_process() -> None:
        bench.sink.before_answer = lambda: None
        other = Database(bench.household.path)
        with other.transaction() as sql:
            sql.execute("UPDATE consent_grant SET revoked_ms = 1 WHERE id = ?", (grant.id,))
            other.revise("grants")
        other.close()

    bench.sink.refuses = lambda body: round(bench.values([body])[0]) == 100
    bench.sink.before_answer = revoke_in_another_process
    assert await bench.drain()
    assert bench.sink.got == []
    assert len(bench.sink.tried) == 1
    assert bench.household.db.counters()["withheld.revoked"] == 100


async def test_what_was_sent_but_not_noted_is_sent_again_byte_for_byte(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 3))

    def crash(*_: Any) -> None:
        raise RuntimeError("power cut")

    bench.forwarder.queue.delivered = crash
    with pytest.raises(RuntimeError):
        await bench.forwarder.step()
    bench.forwarder = bench.make(bench.household.queue())
    assert await bench.drain()
    assert bench.sink.tried[0] == bench.sink.tried[1]
    assert bench.sink.got == bench.sink.tried[0] * 2


async def test_run_forwards_until_it_is_cancelled_and_closes_the_sink(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth())
    running = asyncio.create_task(bench.forwarder.run())
    bench.household.receive(*bench.frames(board, 1, 2))
    bench.forwarder.wake()
    await asyncio.wait_for(bench.sink.arrived.wait(), PATIENCE_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.values(bench.sink.got) == [1, 2]
    assert bench.sink.closed


async def test_a_sink_that_is_down_holds_up_no_other(bench: Bench, board: Any):
    bench.household.grant()
    other_sink, down = FakeSink(), bench.forwarder
    bench.sink.answers = [Retry("down")] * 1000
    other = Forwarder(bench.household.queue("other"), other_sink, bench.store)
    bench.household.receive(board.birth(), *bench.frames(board, 1, 30))
    for _ in range(5):
        await down.step()
        await other.step()
    assert len(other_sink.got) == 30
    assert down.queue.depth() == 30


async def test_a_fault_in_one_sink_is_told_and_tried_again(bench: Bench, board: Any, monkeypatch: pytest.MonkeyPatch):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 2))
    fill, faults = bench.forwarder.queue.fill, [sqlite3.OperationalError("disk is full"), ValueError("a fault of ours")]

    def faulty() -> bool:
        if faults:
            raise faults.pop()
        return fill()

    monkeypatch.setattr(bench.forwarder.queue, "fill", faulty)
    running = asyncio.create_task(bench.forwarder.run())
    await asyncio.wait_for(bench.sink.arrived.wait(), PATIENCE_S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bench.values(bench.sink.got) == [1, 2]


async def test_what_was_sent_is_counted_by_grant(bench: Bench, board: Any):
    grant = bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 3))
    assert await bench.drain()
    assert bench.household.db.counters()[f"cloud_events_sent.{grant.id}"] == 3


async def test_a_sink_that_refuses_everything_loses_only_the_first_few(bench: Bench, board: Any):
    bench.household.grant()
    bench.household.receive(board.birth(), *bench.frames(board, 1, 80))
    bench.sink.refuses = lambda _: True
    for _ in range(400):
        await bench.forwarder.step()
        await asyncio.sleep(0.001)
    assert bench.household.db.counters()["events_rejected"] == forwarder_module.REFUSED_IN_A_ROW
    assert "check its url" in str(bench.forwarder.trouble)
    bench.sink.refuses = lambda _: False
    assert await bench.drain()
    assert bench.values(bench.sink.got) == list(range(1 + forwarder_module.REFUSED_IN_A_ROW, 81))
    assert bench.forwarder.trouble is None
