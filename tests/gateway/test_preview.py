"""What a grant would send is what it then sends, and looking at it leaves no trace."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.consent.decide import Reason
from gateway.consent.grants import Hours
from gateway.consent.vocabulary import Granularity
from gateway.forward import preview as preview_module
from gateway.forward.preview import Look, preview
from tests.gateway.sinks import DAY_MS, HOUR_MS, QUARTER_MS, at, filled, minute

DAY_START = 1_780_012_800_000  # a midnight in UTC


def live(household: Any, board: Any, minutes: int, first: int = 1) -> None:
    """So many minutes of rows, and a door that opens in every tenth."""
    seq = first
    for i in range(minutes):
        household.receive(minute(household, board, seq))
        seq += 1
        if i % 10 == 0:
            household.receive(board.events(seq, [(3, 0, 1)], **at(household)))
            seq += 1


def draft(household: Any, **fields: Any) -> Any:
    """A grant that was never given."""
    given = household.grant(**fields)
    with household.db.transaction() as sql:
        sql.execute("DELETE FROM consent_grant")
        household.db.revise("grants")
    return given


def dump(household: Any) -> list[str]:
    return list(household.db.connection.iterdump())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"category": "door"},
        {"category": "door", "granularity": Granularity.EVENT},
        {"granularity": Granularity.QUARTER_HOUR},
        {"granularity": Granularity.HOUR, "category": "stock"},
        {"granularity": Granularity("30min"), "hours": Hours(60, 150, "UTC")},
        {"hours": Hours(0, 12 * 60, "UTC")},
    ],
)
def test_it_is_what_the_grant_sends(household: Any, board: Any, fields: dict[str, Any]):
    household.now_ms = DAY_START
    queue = household.queue()
    grant = household.grant(expiry_ms=DAY_START + 30 * DAY_MS, **fields)
    household.receive(board.birth())
    live(household, board, 180)
    sent = filled(queue)
    seen = preview(household.db, grant, "manufacturer", household.now_ms)
    by_id = {event["id"]: event for event in sent}
    assert {event["id"]: event for event in map(json.loads, seen.events)} == by_id
    assert seen.total == len(sent) > 0
    assert seen.body == f"[{','.join(seen.events)}]"
    assert seen.bytes == len(seen.body.encode())
    assert seen.whole


def test_it_writes_nothing(household: Any, board: Any):
    household.receive(board.birth())
    live(household, board, 60)
    grant = draft(household, granularity=Granularity.QUARTER_HOUR)
    before, changes = dump(household), household.db.connection.total_changes
    assert preview(household.db, grant, "manufacturer", household.now_ms).total > 0
    assert dump(household) == before
    assert household.db.connection.total_changes == changes


def test_only_the_last_day_is_looked_at(household: Any, board: Any):
    household.receive(board.birth())
    live(household, board, 20)
    household.now_ms += 2 * DAY_MS
    first = household.now_ms
    live(household, board, 10, first=23)
    seen = preview(household.db, draft(household), "manufacturer", household.now_ms)
    assert seen.total == 10
    assert seen.from_ms == household.now_ms - DAY_MS < first
    assert seen.to_ms == household.now_ms
    assert preview(household.db, draft(household), "manufacturer", household.now_ms, 5 * 60_000).total == 5


def test_of_a_day_the_last_whole_one_is_shown(household: Any, board: Any):
    household.now_ms = DAY_START - 2 * HOUR_MS
    household.receive(board.birth())
    live(household, board, 5 * 60)
    grant = draft(household, granularity=Granularity.DAY)
    seen = preview(household.db, grant, "manufacturer", household.now_ms)
    (event,) = map(json.loads, seen.events)
    assert (seen.from_ms, seen.to_ms) == (DAY_START - DAY_MS, DAY_START)
    assert event["data"]["count"] == 2 * 60 * 6


def test_aggregates_that_are_still_filling_are_not_shown(household: Any, board: Any):
    household.now_ms = DAY_START
    household.receive(board.birth())
    live(household, board, 20)
    grant = draft(household, granularity=Granularity.QUARTER_HOUR)
    (event,) = map(json.loads, preview(household.db, grant, "manufacturer", household.now_ms).events)
    assert event["data"]["count"] == QUARTER_MS // 10_000


def test_a_grant_at_rest_or_taken_back_shows_what_it_would_send(household: Any, board: Any):
    household.receive(board.birth())
    live(household, board, 10)
    grant = draft(household)
    for other in (
        grant.paused(household.now_ms),
        grant.paused(household.now_ms).resumed(household.now_ms),
        grant.revoked(household.now_ms),
        replace(grant, start_ms=household.now_ms + DAY_MS),
        replace(grant, start_ms=household.now_ms - 2 * DAY_MS, expiry_ms=household.now_ms - DAY_MS),
    ):
        assert preview(household.db, other, "manufacturer", household.now_ms).total == 10


def test_another_recipient_device_or_category_shows_nothing(household: Any, board: Any):
    household.receive(board.birth())
    live(household, board, 10)
    grant = draft(household)
    for other, recipient in (
        (grant, "university"),
        (replace(grant, devices=("ffffffffffff",)), "manufacturer"),
        (replace(grant, category="health"), "manufacturer"),
    ):
        seen = preview(household.db, other, recipient, household.now_ms)
        assert (seen.total, seen.bytes, seen.body, seen.events) == (0, 0, "", [])


def test_what_would_stay_is_counted_with_its_reason(household: Any, board: Any):
    household.now_ms = DAY_START
    household.receive(board.birth())
    live(household, board, 30)
    grant = draft(household, category="door", granularity=Granularity.EVENT, hours=Hours(0, 10, "UTC"))
    seen = preview(household.db, grant, "manufacturer", household.now_ms)
    assert seen.total == 1
    assert seen.withheld == {Reason.NOT_AN_EVENT: 60, Reason.OUTSIDE_HOURS: 122}


def test_an_empty_house_shows_nothing(household: Any):
    assert preview(household.db, draft(household), "manufacturer", household.now_ms).total == 0


def test_many_events_are_counted_and_the_first_are_shown(household: Any, board: Any):
    household.receive(board.birth())
    live(household, board, preview_module.EVENTS_SHOWN + 20)
    seen = preview(household.db, draft(household), "manufacturer", household.now_ms)
    assert len(seen.events) == preview_module.EVENTS_SHOWN
    assert seen.total == preview_module.EVENTS_SHOWN + 20
    assert seen.bytes > len(seen.body.encode())


def test_a_house_with_too_many_frames_is_not_read_whole(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preview_module, "MAX_FRAMES", 10)
    monkeypatch.setattr(preview_module, "_FRAMES_A_STEP", 5)
    household.receive(board.birth())
    live(household, board, 30)
    look = Look(household.db, draft(household), "manufacturer", household.now_ms)
    steps = 0
    while look.step():
        steps += 1
    assert steps == 3
    assert not look.seen().whole
