"""Thinned frames: what a board with a full journal kept of its readings is shared for what it is."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent.grants import Hours
from gateway.consent.vocabulary import Granularity
from gateway.forward.buckets import GRACE_MS
from gateway.web.series import newest
from tests.gateway.said import read, thinned
from tests.gateway.sinks import HOUR_MS, QUARTER_MS, filled

ROW = [(300, 320, 352), (0, 0, 1), (1700, 1750, 1800)]
MINUTE_MS = 60_000


def said(household: Any, board: Any, seq: int, rows: list[Any], each: int = 6, **more: Any) -> Any:
    """Rows of a minute that begin now; the clock is at their end then."""
    head = {"time_s": household.now_ms // 1000, "uptime_ms": household.now_ms - 1_779_999_000_000, **more}
    household.now_ms += len(rows) * MINUTE_MS
    return thinned(board, seq, rows, each, **head)


def test_they_are_stored_and_read_and_placed_by_the_last_reading_in_them(household: Any, board: Any):
    household.receive(board.birth(), said(household, board, 1, [ROW, ROW]))
    (frame,) = read(household)
    assert (frame.frame.each, frame.frame.rows, frame.frame.values) == (6, 2, 18)
    assert frame.label == "measured"
    assert household.db.windows.find(1, 1).clock.end_ms == household.now_ms - 10_000
    found = newest(household.db, 1, "fridge_temp", 10)
    assert [p.raw for p in found.points] == [320, 320]  # the console draws the means


def test_raw_sharing_tells_lowest_mean_and_highest_of_each_row(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    household.receive(board.birth(), said(household, board, 1, [ROW, [(-16, 0, 16), None, None]]))
    (sent,) = filled(queue)
    assert sent["data"] == {
        "unit": "Cel",
        "category": "temperature",
        "time_label": "measured",
        "step_ms": MINUTE_MS,
        "values": [20, 0],
        "thinned": {"rows_each": 6, "min": [18.75, -1], "max": [22, 1]},
    }
    assert household.db.counters()["granted"] == 2


def test_an_aggregate_takes_all_that_a_row_stands_for(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.HOUR, since_ms=0)
    household.receive(board.birth())
    whole = [[320 + i, 0, 1800] for i in range(6)]
    head = {"time_s": household.now_ms // 1000, "uptime_ms": household.now_ms - 1_779_999_000_000}
    household.now_ms += MINUTE_MS
    household.receive(board.rows(1, whole, **head))
    household.receive(said(household, board, 2, [ROW, [None, None, None], [(310, 330, 340), None, None]]))
    filled(queue)
    household.now_ms += GRACE_MS + HOUR_MS
    (sent,) = filled(queue)
    data = sent["data"]
    assert (data["count"], data["min"], data["max"]) == (6 + 12, 300 / 16, 352 / 16)
    mean = (sum(row[0] for row in whole) + 6 * 320 + 6 * 330) / 18 / 16
    assert data["mean"] == pytest.approx(mean, abs=5e-5)
    assert "thinned" not in data


def test_a_row_that_reaches_out_of_what_is_granted_stays_at_home_whole(household: Any, board: Any):
    """It cannot be taken apart: a part of it was measured before the grant, or in an hour that is not granted."""
    queue = household.queue()
    head = {"time_s": household.now_ms // 1000, "uptime_ms": 60_000}  # 20:26:40
    household.now_ms += 30_000
    household.grant(hours=Hours(20 * 60, 20 * 60 + 29, "UTC"))
    household.now_ms += 270_000
    household.receive(board.birth(), thinned(board, 1, [ROW] * 5, 6, **head))
    (sent,) = filled(queue)
    assert (sent["time"], sent["data"]["values"]) == ("2026-05-28T20:27:00Z", [20])
    counters = household.db.counters()
    assert (counters["withheld.before_grant"], counters["withheld.outside_hours"]) == (1, 3)


def test_hours_within_a_long_row_count_too(household: Any, board: Any):
    queue = household.queue()
    household.grant(hours=Hours(20 * 60 + 50, 20 * 60 + 20, "UTC"), start_ms=0)  # all but half an hour
    head = {"time_s": household.now_ms // 1000 - 3600, "uptime_ms": 60_000}
    household.receive(board.birth(), thinned(board, 1, [ROW, ROW], 60, step_ms=1_800_000, **head))
    (sent,) = filled(queue)  # 19:26:40 to 19:56; the other reaches from 19:56 to 20:26
    assert sent["data"]["values"] == [20]


def test_another_grant_that_covers_the_whole_row_may_let_it_out(household: Any, board: Any):
    queue = household.queue()
    raw = household.grant(hours=Hours(20 * 60, 20 * 60 + 27, "UTC"))
    hourly = household.grant(granularity=Granularity.HOUR, since_ms=0)
    household.receive(board.birth(), said(household, board, 1, [ROW, ROW]))
    assert [e["consentgrant"] for e in filled(queue)] == []
    household.now_ms += GRACE_MS + HOUR_MS
    (sent,) = filled(queue)
    assert (sent["consentgrant"], sent["data"]["count"]) == (hourly.id, 12)
    assert raw.id != hourly.id


def test_thinned_rows_close_the_aggregates_that_they_pass(household: Any, board: Any):
    queue = household.queue()
    household.grant(granularity=Granularity.QUARTER_HOUR)
    household.now_ms += QUARTER_MS - household.now_ms % QUARTER_MS
    household.receive(board.birth(), said(household, board, 1, [ROW] * 40))
    assert [e["data"]["count"] for e in filled(queue)] == [90, 90]
