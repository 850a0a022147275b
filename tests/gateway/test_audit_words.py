"""The ledger's rows in plain words."""

from __future__ import annotations

import json
from typing import Any

from gateway.cli.audit_words import Teller
from gateway.consent import audit, household_people, pseudonym, register
from gateway.consent.people import Person, Role
from gateway.forward import erasure, notices


def told(household: Any, zone: str = "UTC") -> list[Any]:
    teller = Teller(dict(household.db.connection.execute("SELECT id, name FROM person")), zone)
    return [teller.tell(row.kind, json.loads(row.entry)) for row in audit.rows(household.db)]


def test_every_kind_of_row_has_words_and_is_found_by_recipient_and_grant(household: Any, board: Any):
    db, now_ms = household.db, household.now_ms
    grant = household.grant()
    queue = household.queue()
    household.now_ms += 60_000
    household.receive(board.birth(), board.rows(1, [[320, 0, 1500]] * 3, time_s=now_ms // 1000 + 10))
    queue.fill()
    queue.delivered(queue.take())
    register.pause(db, grant.id, now_ms, "Robin")
    register.resume(db, grant.id, now_ms)
    pseudonym.rotate(db, "manufacturer", now_ms)
    household_people.put(db, Person("Tim", Role.CHILD), now_ms)
    household.revoke(grant)
    notices.owe(db, [("cloud", "manufacturer")], now_ms)
    queue.notice_acked(queue.notices()[0])
    erasure.erase_device(db, board.device, now_ms)
    said = told(household)
    text = "\n".join(one.text for one in said)
    for words in (
        f"Robin gave {grant.id}: manufacturer may get temperature (raw) of all devices for product-improvement",
        "1 event to manufacturer (sink cloud)",
        "1 of temperature under",
        "manufacturer has the 1 event of row",
        f"Robin paused {grant.id}",
        f"somebody resumed {grant.id}",
        "manufacturer knows the devices by new names",
        "Tim is a child",
        f"somebody revoked {grant.id}",
        f"manufacturer is to erase what came under {grant.id}: revoked",
        "manufacturer confirmed that it got notice",
        "1 frame of a device were erased",
    ):
        assert words in text
    of_grant = [one for one in said if grant.id in one.grants]
    assert len(of_grant) == 9  # given, sending, delivered, pause, resume, revoke, two notices, one confirmed
    assert all(one.recipients == {"manufacturer"} for one in of_grant)
    assert "Kitchen" not in text


def test_a_name_that_was_erased_is_not_told(household: Any):
    household.grant(subject="Robin")
    erasure.erase_person(household.db, "Robin", household.now_ms)
    text = "\n".join(one.text for one in told(household))
    assert "Robin" not in text
    assert "somebody whose name was erased gave" in text


def test_a_row_that_was_edited_is_told_as_it_stands():
    teller = Teller({}, "UTC")
    assert teller.tell("sending", {"n": 3, "grants": 7, "more": "x"}).text == "sending: grants 7, more x"
    assert teller.tell("grant", {"grant": "g-1"}).text == "grant: grant g-1"
    assert teller.tell("news", {"at_ms": 1, "what": "ever"}).text == "news: what ever"
