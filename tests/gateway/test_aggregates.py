"""Aggregates: exact, complete, sent once, and only of what was granted."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from gateway.consent.grants import Hours
from gateway.consent.vocabulary import Granularity
from gateway.forward.buckets import GRACE_MS
from tests.gateway.sinks import DAY_MS, HOUR_MS, QUARTER_MS, at, events, fill, filled, minute


@pytest.mark.parametrize("granularity", [Granularity.QUARTER_HOUR, Granularity.HOUR, Granularity.DAY])
def test_they_equal_a_straightforward_computation(household: Any, board: Any, granularity: Granularity):
    length_ms = granularity.bucket_ms
    assert length_ms is not None
    step_ms = length_ms // 45
    rng = random.Random(granularity.value)
    queue, grant = (
        household.queue(),
        household.grant(granularity=granularity, since_ms=0, expiry_ms=household.now_ms + 40 * DAY_MS),
    )
    expected: dict[int, list[int]] = defaultdict(list)
    household.receive(board.birth())
    for seq in range(1, 12):
        rows = [[None if rng.random() < 0.1 else rng.randint(-500, 500), 0, 0] for _ in range(rng.randint(1, 50))]
        for i, row in enumerate(rows):
            time_ms = household.now_ms + i * step_ms
            if row[0] is not None:
                expected[time_ms - time_ms % length_ms].append(row[0])
        head = at(household)
        household.now_ms += len(rows) * step_ms
        household.receive(board.rows(seq, rows, step_ms=step_ms, **head))
        if seq % 3 == 0:
            fill(queue)
    fill(queue)
    household.now_ms += length_ms + GRACE_MS
    sent = filled(queue)
    assert len(sent) == len(expected) > 3
    for event, (start_ms, values) in zip(sent, sorted(expected.items()), strict=True):
        begin, end = (datetime.fromisoformat(event["data"][key]).timestamp() * 1000 for key in ("from", "to"))
        assert (begin, end) == (start_ms, start_ms + length_ms)
        assert event["time"] == event["data"]["from"]
        assert event["type"] == "io.hearthgate.aggregate.v1"
        assert event["consentgrant"] == grant.id
        assert event["consentgranularity"] == granularity.value
        data = event["data"]
        assert (data["count"], data["min"], data["max"]) == (len(values), min(values) / 16, max(values) / 16)
        assert data["mean"] == pytest.approx(float(Fraction(sum(values), 16 * len(values))), abs=5e-5)
        assert "values" not in data


def test_an_aggregate_is_sent_when_the_boards_rows_have_passed_its_end_and_not_before(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    household.receive(board.birth())
    for seq in range(1, 4):  # 20:26:40 to 20:29:40
        household.receive(minute(household, board, seq))
        assert filled(queue) == []
    household.receive(minute(household, board, 4))
    (sent,) = filled(queue)
    assert (sent["data"]["from"], sent["data"]["to"]) == ("2026-05-28T20:15:00Z", "2026-05-28T20:30:00Z")
    assert sent["data"]["count"] == 20


def test_an_event_does_not_close_an_aggregate_before_the_rows_that_it_overtook(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    household.receive(board.birth(), minute(household, board, 1))
    frame = minute(household, board, 3)
    household.now_ms += 600_000
    household.receive(board.events(2, [(3, 0, 1)], **at(household)))
    assert filled(queue) == []
    household.receive(frame)
    fill(queue)
    assert household.db.counters().get("late", 0) == 0


def test_a_silent_boards_aggregate_is_sent_after_the_grace(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    end_ms = household.now_ms - household.now_ms % QUARTER_MS + QUARTER_MS
    household.now_ms = end_ms + GRACE_MS - 1
    assert filled(queue) == []
    household.now_ms += 1
    assert len(filled(queue)) == 1


def test_an_outage_longer_than_the_grace_is_aggregated_whole_when_the_board_is_back(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    household.now_ms += QUARTER_MS - household.now_ms % QUARTER_MS
    household.receive(board.birth())
    kept = [minute(household, board, seq) for seq in range(1, 181)]  # three hours without a link
    assert filled(queue) == []
    counts: list[int] = []
    for i in range(0, len(kept), 8):  # as many as a board sends ahead of its acks
        household.receive(*kept[i : i + 8])
        household.now_ms += 2000
        fill(queue)
        counts += [e["data"]["count"] for e in events(queue)]
        queue.delivered(queue.take())
    assert counts == [90] * 12
    assert household.db.counters().get("late", 0) == 0


def test_what_comes_after_an_aggregate_was_sent_is_late_and_never_a_second_aggregate_of_the_same_name(
    household: Any, board: Any
):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    household.receive(board.birth(), minute(household, board, 1))
    waiting = minute(household, board, 2)  # the link goes down before this one
    fill(queue)
    household.now_ms += GRACE_MS + 2 * QUARTER_MS
    (sent,) = filled(queue)
    queue.delivered(queue.take())
    household.receive(waiting)
    household.now_ms += GRACE_MS + 2 * QUARTER_MS
    assert [e["id"] for e in filled(queue) if e["id"] == sent["id"]] == []
    assert household.db.counters()["late"] == 6


def test_a_clock_that_runs_ahead_does_not_close_every_aggregate_to_come(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    ahead = board.rows(1, [[320, 0, 0]] * 6, time_s=household.now_ms // 1000 + 10**7, uptime_ms=0)
    household.receive(board.birth(), board.birth(boot=2), ahead)
    fill(queue)
    household.receive(*[minute(household, board, seq, boot=2) for seq in range(1, 8)])
    fill(queue)
    assert household.db.counters().get("late", 0) == 0


def test_a_scale_that_changes_with_a_new_boot_is_not_mixed_with_the_old(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=0)
    finer = [["fridge_temp", "Cel", 1, 100, 0, "temperature"], *board.channels[1:]]
    household.receive(board.birth(boot=1), board.birth(boot=2, channels=finer))
    household.receive(board.rows(1, [[80, 0, 0]] * 4, **at(household)))
    household.now_ms += 40_000
    household.receive(board.rows(1, [[500, 0, 0]] * 4, boot=2, **at(household)))
    fill(queue)
    household.now_ms += GRACE_MS + 2 * QUARTER_MS
    sent = filled(queue)
    assert sum(e["data"]["count"] for e in sent) == 8
    assert {(e["data"]["min"], e["data"]["max"]) for e in sent} == {(5, 5)}
    assert len({e["id"] for e in sent}) == len(sent)


def test_an_aggregate_is_labelled_by_the_less_certain_time_in_it(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.HOUR, start_ms=0)
    household.receive(board.birth())
    household.receive(board.rows(1, [[80, 0, 0]] * 2, uptime_ms=0, time_s=household.now_ms // 1000))
    household.receive(board.rows(2, [[80, 0, 0]] * 2, uptime_ms=30_000))
    fill(queue)
    household.now_ms += GRACE_MS + 2 * HOUR_MS
    assert [(e["data"]["count"], e["data"]["time_label"]) for e in filled(queue)] == [(4, "placed")]


def test_hours_that_cut_an_aggregate_leave_the_rest_out_and_it_is_sent(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.HOUR, since_ms=0, hours=Hours(20 * 60 + 28, 20 * 60 + 29, "UTC"))
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 6)])
    fill(queue)
    household.now_ms += GRACE_MS + HOUR_MS
    (sent,) = filled(queue)
    assert sent["data"]["count"] == 6


def test_the_mean_of_many_large_values_is_exact(household: Any, board: Any):
    queue = household.queue()
    household.grant(category="stock", granularity=Granularity.DAY, since_ms=0)
    household.receive(board.birth())
    for seq in range(1, 60):
        head = at(household)
        household.now_ms += 60_000
        household.receive(board.rows(seq, [[0, 0, 2**29 - 1]] * 60, step_ms=1000, **head))
    fill(queue)
    household.now_ms += 2 * DAY_MS
    (sent,) = filled(queue)
    assert sent["data"]["mean"] == sent["data"]["min"] == sent["data"]["max"] == (2**29 - 1) / 1000
