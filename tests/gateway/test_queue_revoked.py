"""Taking back: what is queued under a grant that no longer holds never leaves."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent.vocabulary import Granularity
from gateway.store.database import Database
from tests.gateway.sinks import HOUR_MS, events, fill, filled, minute


def test_what_is_queued_is_dropped_when_its_grant_is_revoked(household: Any, board: Any):
    queue, grant = household.queue(), household.grant()
    kept = household.grant(category="door")
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    assert queue.depth() == 2
    household.revoke(grant)
    assert [e["consentgrant"] for e in events(queue)] == [kept.id]
    assert queue.depth() == 1


def test_a_revocation_by_another_process_is_seen_at_once(household: Any, board: Any):
    queue, grant = household.queue(), household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    other = Database(household.path)
    other.connection.execute("UPDATE consent_grant SET revoked_ms = 1 WHERE id = ?", (grant.id,))
    other.revise("grants")
    other.close()
    assert events(queue) == []  # by the decision alone: nobody has emptied the outbox
    assert queue.depth() == 0
    assert household.db.counters()["withheld.revoked"] == 1


@pytest.mark.parametrize("granularity", [Granularity.RAW, Granularity.QUARTER_HOUR])
def test_what_is_queued_is_dropped_when_its_grant_has_expired(household: Any, board: Any, granularity: Granularity):
    queue = household.queue()
    household.grant(granularity=granularity, expiry_ms=household.now_ms + 3 * HOUR_MS)
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 31)])
    fill(queue)
    assert queue.depth() > 0
    household.now_ms += 3 * HOUR_MS
    assert events(queue) == []
    assert queue.depth() == 0


def test_a_half_filled_aggregate_is_dropped_when_its_grant_is_revoked(household: Any, board: Any):
    queue, grant = household.queue(), household.grant(granularity=Granularity.HOUR, since_ms=0)
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 5)])
    fill(queue)
    assert household.count("bucket") == 1
    household.revoke(grant)
    assert household.count("bucket") == 0
    household.now_ms += 3 * HOUR_MS
    assert filled(queue) == []


def test_a_grant_that_vanished_lets_nothing_out(household: Any, board: Any):
    queue = household.queue()
    household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    with household.db.transaction() as sql:
        sql.execute("DELETE FROM consent_grant")
        household.db.revise("grants")
    assert events(queue) == []


def test_a_grant_that_cannot_be_read_is_a_no_and_stops_nothing(household: Any, board: Any):
    queue, broken = household.queue(), household.grant()
    whole = household.grant(category="stock")
    with household.db.transaction() as sql:
        record = broken.to_json().replace('"hours": null', '"hours": {"start_min": 0, "end_min": 9, "timezone": "X/Y"}')
        sql.execute("UPDATE consent_grant SET record = ? WHERE id = ?", (record, broken.id))
        household.db.revise("grants")
    household.receive(board.birth(), minute(household, board, 1))
    assert [e["consentgrant"] for e in filled(queue)] == [whole.id]


def test_revoking_twice_is_the_same_as_once(household: Any):
    grant = household.grant()
    household.revoke(grant)
    household.now_ms += 1000
    household.revoke(grant)
    (revoked_ms,) = household.db.connection.execute("SELECT revoked_ms FROM consent_grant").fetchone()
    assert revoked_ms == household.now_ms - 1000
