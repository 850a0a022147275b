"""One fill: what becomes of each frame, and what is counted of it."""

from __future__ import annotations

from typing import Any

from gateway.consent.vocabulary import Granularity
from tests.gateway.said import gap
from tests.gateway.sinks import HOUR_MS, QUARTER_MS, at, events, fill, filled, minute


def test_the_finer_of_two_grants_holds_and_nothing_leaves_twice(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR)
    raw = household.grant(expiry_ms=household.now_ms + 120_000)
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    assert [e["consentgrant"] for e in events(queue)] == [raw.id]
    assert household.count("bucket") == 0


def test_gap_frames_pass_in_silence(household: Any, board: Any):
    queue = household.queue()
    household.grant(start_ms=0)
    household.receive(board.birth(), gap(board, 2, 1, 1, 1, **at(household)), minute(household, board, 3))
    assert len(filled(queue)) == 1
    counters = household.db.counters()
    assert (counters.get("frames_not_of_birth"), counters["granted"], counters["withheld"]) == (None, 6, 12)
    assert household.count("parked") == 0


def test_frames_that_do_not_fit_the_birth_that_came_after_them_are_counted(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    household.receive(board.rows(1, [[1, 2]], **at(household)), minute(household, board, 2))
    fill(queue)
    household.receive(board.birth())
    assert len(filled(queue)) == 1
    assert household.db.counters()["frames_not_of_birth"] == 1
    assert household.count("parked") == 0


def test_what_an_aggregate_may_not_hold_is_not_counted_as_granted(household: Any, board: Any):
    queue = household.queue()
    household.now_ms -= household.now_ms % QUARTER_MS
    household.grant(granularity=Granularity.QUARTER_HOUR, start_ms=household.now_ms + 60_000)
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 21)])
    fill(queue)
    counters = household.db.counters()
    assert (counters["granted"], counters["withheld.partial"], counters["withheld.before_grant"]) == (30, 14 * 6, 6)


def test_neither_is_what_a_grant_reaches_back_to(household: Any, board: Any):
    queue = household.queue()
    household.now_ms -= household.now_ms % QUARTER_MS
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 21)])
    fill(queue)
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=household.now_ms - 19 * 60_000)
    fill(queue)
    household.now_ms += 2 * HOUR_MS
    (sent,) = filled(queue)
    assert (sent["data"]["count"], household.db.counters()["granted"]) == (30, 30)
