"""A sink's queue is bounded, keeps what was not confirmed through crashes, and sends nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.consent.vocabulary import Granularity
from gateway.forward import queue as queue_module
from gateway.forward.outbox import Outbox
from gateway.store.database import Database
from tests.gateway.sinks import at, fill, filled, minute


def test_what_was_not_confirmed_is_taken_again_byte_for_byte_after_a_crash(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    household.grant(category="stock", granularity=Granularity.QUARTER_HOUR)
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 31)])
    fill(queue)
    first = [queued.body for queued in queue.take()]
    assert len(first) > 30
    household.db.close()
    household.db = Database(household.path)
    household.now_ms += 5000
    again = household.queue()
    assert not again.fill()
    assert [queued.body for queued in again.take()] == first


def test_what_was_confirmed_never_comes_again(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 4)]
    household.receive(board.birth(), *frames)
    fill(queue)
    queue.delivered(queue.take(2))
    assert queue.depth() == 1
    household.receive(*frames)  # the board sends them again
    assert len(filled(queue)) == 1
    queue.delivered(queue.take())
    assert filled(queue) == []
    assert household.db.counters()["cloud_events_sent"] == 3


def test_a_fill_that_fails_is_done_again_whole(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    queue = household.queue()
    household.grant()
    household.receive(board.birth(), minute(household, board, 1), minute(household, board, 2))
    calls = []

    def fail_at_second(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("power cut")
        insert(*args)

    insert = Outbox._insert
    monkeypatch.setattr(Outbox, "_insert", fail_at_second)
    with pytest.raises(RuntimeError):
        queue.fill()
    assert queue.depth() == 0
    monkeypatch.undo()
    assert len(filled(queue)) == 2


def test_each_sink_goes_at_its_own_pace(household: Any, board: Any):
    fast, slow = household.queue("fast"), household.queue("slow")
    household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    fill(fast)
    fast.delivered(fast.take())
    household.receive(minute(household, board, 2))
    fill(fast)
    assert (fast.depth(), slow.depth(), slow.backlog()) == (1, 0, 2)
    assert len(filled(slow)) == 2


def test_the_outbox_has_a_bound_and_the_frames_wait(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_module, "MAX_OUTBOX", 10)
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
    queue = household.queue()
    household.grant()
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 101)])
    fill(queue)
    assert 10 <= queue.depth() < 14
    assert queue.backlog() == 100 - queue.depth()
    seen: list[str] = []
    while batch := queue.take(7):
        seen += [json.loads(queued.body)["time"] for queued in batch]
        queue.delivered(batch)
        fill(queue)
        assert queue.depth() < 14
    assert seen == sorted(seen)
    assert len(seen) == 100


def test_frames_that_each_give_many_events_do_not_pass_the_bound_by_far(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "MAX_OUTBOX", 100)
    queue = household.queue()
    household.grant(category="door")
    many = [(3, i, i & 1) for i in range(256)]
    household.receive(board.birth(), *[board.events(seq, many, **at(household)) for seq in range(1, 101)])
    household.now_ms += 1000
    fill(queue)
    assert queue.depth() <= 100 + 256


def test_where_nothing_is_granted_nothing_is_written_for_each_frame(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "SAVE_FRAMES", 10)
    queue = household.queue()
    household.receive(board.birth())
    on_disk = []
    for seq in range(1, 26):
        household.receive(minute(household, board, seq))
        before = household.db.connection.total_changes
        fill(queue)
        assert queue.backlog() == 0
        on_disk.append(household.db.connection.total_changes > before)
        assert household.db.counters()["withheld"] == 18 * seq
    assert [seq for seq, written in enumerate(on_disk, start=1) if written] == [10, 20]


def test_what_a_crash_forgets_of_it_is_decided_again_and_counted_once(household: Any, board: Any):
    queue = household.queue()
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    household.db.connection.close()
    household.db = Database(household.path)
    queue = household.queue()
    assert queue.backlog() == 1
    fill(queue)
    household.grant()
    household.receive(minute(household, board, 2))
    assert len(filled(queue)) == 1
    assert household.db.counters()["withheld"] == 18 + 12
    household.db.connection.close()
    household.db = Database(household.path)
    assert household.queue().backlog() == 0
    assert household.db.counters()["withheld"] == 18 + 12
