"""A grant that says from when reaches back to what its sink had decided on before, once, and no further."""

from __future__ import annotations

from typing import Any

from gateway.consent import register
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.store.database import Database
from tests.gateway.sinks import HOUR_MS, QUARTER_MS, events, fill, filled, minute


def measured(household: Any, board: Any, minutes: int, first: int = 1) -> None:
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(first, first + minutes)])


def test_what_was_measured_since_then_is_sent_once_and_nothing_older(household: Any, board: Any):
    queue = household.queue()
    measured(household, board, 10)
    assert filled(queue) == []
    since_ms = household.now_ms - 4 * 60_000
    grant = household.grant(since_ms=since_ms)
    sent = filled(queue)
    assert len(sent) == 4
    assert {event["consentgrant"] for event in sent} == {grant.id}
    queue.delivered(queue.take())
    measured(household, board, 2, first=11)
    assert len(filled(queue)) == 2
    assert household.db.counters()["granted"] == 6 * 6


def test_a_grant_that_does_not_say_so_reaches_nothing_back(household: Any, board: Any):
    queue = household.queue()
    measured(household, board, 3)
    fill(queue)
    household.grant()
    assert filled(queue) == []


def test_what_left_under_an_earlier_grant_leaves_under_the_new_one_as_another_event(household: Any, board: Any):
    queue, old = household.queue(), household.grant()
    measured(household, board, 2)
    first = filled(queue)
    queue.delivered(queue.take())
    household.revoke(old)
    household.grant(since_ms=0)
    again = filled(queue)
    assert len(first) == len(again) == 2
    assert not {event["id"] for event in first} & {event["id"] for event in again}


def test_an_aggregate_is_whole_when_half_of_it_was_measured_before_the_grant(household: Any, board: Any):
    queue = household.queue()
    household.now_ms -= household.now_ms % QUARTER_MS
    measured(household, board, 8)
    fill(queue)
    household.grant(granularity=Granularity.QUARTER_HOUR, since_ms=household.now_ms - HOUR_MS)
    measured(household, board, 8, first=9)
    (sent,) = filled(queue)
    assert sent["data"]["count"] == 90


def test_a_crash_in_between_neither_loses_nor_doubles(household: Any, board: Any):
    queue = household.queue()
    measured(household, board, 450)
    fill(queue)
    household.grant(since_ms=household.now_ms - 400 * 60_000)
    queue.fill()
    household.db = Database(household.path)
    assert len(filled(household.queue())) == 400


def test_one_that_starts_later_reaches_back_when_it_starts(household: Any, board: Any):
    queue = household.queue()
    household.grant(start_ms=household.now_ms + HOUR_MS, since_ms=household.now_ms)
    measured(household, board, 5)
    assert filled(queue) == []
    household.now_ms += HOUR_MS
    assert len(filled(queue)) == 5


def test_a_longer_life_does_not_reach_back_again_and_a_finer_grain_does(household: Any, board: Any):
    queue = household.queue()
    measured(household, board, 5)
    fill(queue)
    grant = household.grant(since_ms=household.now_ms - 5 * 60_000)
    assert len(filled(queue)) == 5
    queue.delivered(queue.take())
    words = Vocabulary.standard()
    register.change(
        household.db, grant.id, household.now_ms, words, text="Longer.", expiry_ms=grant.expiry_ms + HOUR_MS
    )
    assert filled(queue) == []
    household.now_ms += 1000
    register.change(
        household.db, grant.id, household.now_ms, words, text="Fewer.", devices=(board.device,),
        since_ms=household.now_ms - 3 * 60_000 - 1000,
    )  # fmt: skip
    assert len(filled(queue)) == 3


def test_what_was_parked_is_sent_once(household: Any, board: Any):
    queue = household.queue()
    household.receive(board.birth(), minute(household, board, 1))
    late = minute(household, board, 2)
    household.receive(minute(household, board, 3))  # waits for the one before it
    fill(queue)
    household.grant(since_ms=household.now_ms - HOUR_MS)
    assert len(filled(queue)) == 1
    household.receive(late)
    fill(queue)
    assert len(events(queue)) == 3
