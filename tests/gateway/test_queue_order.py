"""In which order a sink takes frames: first come, first served, but each board's in the order of their numbers."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.vocabulary import Granularity
from gateway.forward import queue as queue_module
from gateway.store.database import Database
from tests.gateway.said import MINUTE, Life, gap, read
from tests.gateway.sinks import DAY_MS, events, fill, filled, minute


def test_parked_frames_wait_for_their_birth(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    household.receive(minute(household, board, 1), minute(household, board, 2))
    assert filled(queue) == []
    assert household.count("parked") == 2
    household.receive(board.birth())
    assert [e["time"] for e in filled(queue)] == ["2026-05-28T20:26:40Z", "2026-05-28T20:27:40Z"]
    assert household.count("parked") == 0


def test_parked_frames_wait_for_the_gap_to_close_and_are_then_in_order(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 7)]
    household.receive(board.birth(), frames[0], frames[3], frames[2])
    assert len(filled(queue)) == 1
    assert household.count("parked") == 2
    household.receive(frames[5], frames[1], frames[4])
    sent = filled(queue)
    assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)
    assert len(sent) == 6


def test_more_parked_frames_than_one_fill_takes_are_still_in_order(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 31)]
    household.receive(board.birth(), *frames[1:20])
    fill(queue)
    assert household.count("parked") == 19
    household.receive(frames[0], *frames[20:])
    sent = filled(queue)
    assert len(sent) == 30
    assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)


def test_readings_that_waited_are_not_late_for_their_aggregate(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR)
    frames = [minute(household, board, seq) for seq in range(1, 46)]
    household.receive(board.birth(), *frames[1:40])
    fill(queue)
    household.receive(frames[0], *frames[40:])
    fill(queue)
    assert household.db.counters().get("late", 0) == 0


def test_the_first_frame_that_comes_last_is_not_late_for_a_sink_that_reads_slowly(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 5)
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR)
    frames = [minute(household, board, seq) for seq in range(1, 41)]
    household.receive(board.birth(), *frames[1:], frames[0])
    fill(queue)
    assert household.db.counters().get("late", 0) == 0


def test_a_board_with_much_to_say_does_not_keep_another_waiting(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
    other = household.board("ffffffffffff")
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 41)]
    one = minute(household, other, 1)
    household.receive(other.birth(), board.birth(), *frames[:20], one, *frames[20:])
    fill(queue)
    devices = [row[0] for row in household.db.connection.execute("SELECT device FROM outbox ORDER BY id")]
    assert len(devices) == 41
    assert devices.index(other.device) <= 24


def test_frames_that_come_in_order_are_never_parked(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    """What a sink decides on as it reads it is not written down as waiting: a disk would wear for nothing."""
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 4)
    queue = household.queue()
    household.grant()
    household.db.connection.execute("CREATE TEMP TABLE seen (n)")
    household.db.connection.execute(
        "CREATE TEMP TRIGGER watch AFTER INSERT ON main.parked BEGIN INSERT INTO seen VALUES (1); END"
    )
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 101)])
    while queue.backlog():
        queue.fill()
    assert household.count("seen") == 0
    assert [e["time"] for e in events(queue)] == sorted(e["time"] for e in events(queue))
    assert queue.depth() == 100


def test_frames_out_of_order_within_one_look_are_not_parked_either(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 31)]
    household.receive(board.birth(), *frames[1:], frames[0])
    queue.fill()
    assert household.count("parked") == 0
    assert len(events(queue)) == 30


def test_a_long_island_whose_gap_closes_is_taken_in_order_by_small_looks(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 3)
    queue = household.queue()
    household.grant()
    frames = [minute(household, board, seq) for seq in range(1, 41)]
    household.receive(board.birth(), *frames[10:30])
    fill(queue)
    household.receive(*frames[:5])
    fill(queue)
    household.receive(*frames[5:10], *frames[30:])  # the tenth closes it, and more comes behind
    sent = filled(queue)
    assert len(sent) == 40
    assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)


def test_a_clock_that_comes_late_brings_all_that_waited_for_it_first(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", 3)
    queue = household.queue()
    household.grant(start_ms=0)
    life = Life(household, board)
    life.error_s = None
    household.receive(*[life.minute() for _ in range(20)])
    fill(queue)
    assert household.count("parked") == 20
    life.error_s = 0
    household.receive(*[life.minute() for _ in range(5)])
    sent = filled(queue)
    assert [e["data"]["time_label"] for e in sent] == ["placed"] * 20 + ["measured"] * 5
    assert [e["time"] for e in sent] == sorted(e["time"] for e in sent)


def year_of(household: Any, board: Any, rng: random.Random) -> list[Any]:
    """What a board says in three boots: with frames that got lost, clocks that jump, births that come late."""
    mine, births = [], []
    for boot in (1, 2, 3):
        known, gone = rng.randrange(12), [seq for seq in range(1, 12) if rng.random() < 0.1]
        head: dict[str, Any] = {"boot": boot, "uptime_ms": 0}
        for seq in range(1, 13):
            head["time_s"] = household.now_ms // 1000 + rng.choice([0, 0, 0, 40, -40]) if seq > known else None
            if seq not in gone:
                mine.append(board.rows(seq, MINUTE, **head))
            head["uptime_ms"] += 60_000
            household.now_ms += 60_000
        mine += [gap(board, 13 + n, boot, seq, seq, **head) for n, seq in enumerate(gone)]
        births.append(board.birth(boot))
        household.now_ms += 30_000
    for first in range(0, len(mine), 8):
        part = mine[first : first + 8]
        rng.shuffle(part)
        mine[first : first + 8] = part
    for birth in births:
        mine.insert(rng.randrange(len(mine) + 1), birth)
    return mine


@pytest.mark.parametrize("seed", range(12))
def test_whatever_comes_in_whatever_order_each_boards_readings_leave_once_and_in_order(
    household: Any, monkeypatch: pytest.MonkeyPatch, seed: int
):
    """Three boards, and two sinks that read in small looks, one of them late; crashes between."""
    rng = random.Random(seed)
    monkeypatch.setattr(queue_module, "_FRAMES_A_FILL", rng.choice([1, 2, 5, 50]))
    household.grant(start_ms=0)
    queues = [household.queue("prompt"), household.queue("slow")]
    said = []
    start_ms = household.now_ms
    for n in range(3):
        household.now_ms = start_ms
        said.append(year_of(household, household.board(f"a0b1c2d3e4f{n}"), rng))
    while any(said):
        mine = rng.choice([m for m in said if m])
        household.receive(*[mine.pop(0) for _ in range(min(len(mine), rng.randint(1, 6)))])
        for queue, chance in zip(queues, (0.5, 0.1), strict=True):
            if rng.random() < chance:
                queue.fill()
        if rng.random() < 0.1:
            household.db.connection.close()
            household.db = Database(household.path)
            queues = [household.queue("prompt"), household.queue("slow")]
    household.now_ms += 2 * DAY_MS  # whoever still has no clock will have none
    names = Pseudonyms(household.db.secret, "manufacturer")
    timed = {
        names.event("product-improvement", f.device, f.frame.boot, f.seq, 0, 0): (f.device, f.frame.boot, f.seq)
        for f in read(household)
        if f.frame.rows and f.time_ms is not None
    }
    assert len(timed) > 60
    for queue in queues:
        fill(queue)
        assert queue.backlog() == 0
        sent = [timed[json.loads(e.body)["id"]] for e in queue.take(10_000)]
        assert sorted(sent) == sorted(timed.values())
        for boot in {frame[:2] for frame in sent}:
            seqs = [frame[2] for frame in sent if frame[:2] == boot]
            assert seqs == sorted(seqs)
    assert household.count("parked") == 0
