"""Consent over the JSON API: everything that the pages can do, for programs, with the same errors in words."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.consent import audit, register
from gateway.consent.evidence import HEAD_TYPE
from gateway.consent.hours import Hours
from gateway.consent.receipt import open_receipt
from gateway.consent.signing import open_signed
from tests.browser.looking import FRIDGE, KETTLE, ask, grants, wanted

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def given(household: Any, **other: Any) -> dict[str, Any]:
    status, made = ask(household, "POST", "/api/grants", wanted(**other))
    assert status == 201, made
    return made


def of(household: Any, made: dict[str, Any]) -> Any:
    return household.stored(register.find, household.gateway.db, made["id"])


def fetched(household: Any, path: str) -> tuple[bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", household.console.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200
    return content, dict(answer.headers)


def at(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_a_grant_has_hours_days_and_a_time_before_it(household: Any) -> None:
    hours = {"start": "22:00", "end": "06:00", "weekdays": ["sunday", "saturday"]}
    made = given(household, hours=hours, since=at(-3))
    grant = of(household, made)
    assert grant.hours == Hours(22 * 60, 6 * 60, "Europe/Berlin", (5, 6))
    assert grant.since_ms == pytest.approx(household.gateway.now_ms() - 3 * DAY_MS, abs=60_000)
    assert made["hours"] == {
        "start": "22:00",
        "end": "06:00",
        "weekdays": ["saturday", "sunday"],
        "timezone": "Europe/Berlin",
    }
    assert "22:00" in made["sentence"]
    assert made["since"] < made["start"]


def test_every_grant_ends_at_a_full_hour_and_not_later_than_said(household: Any) -> None:
    grant = of(household, given(household, days=30))
    assert grant.expiry_ms % HOUR_MS == 0
    assert 30 * DAY_MS - HOUR_MS < grant.expiry_ms - grant.start_ms <= 30 * DAY_MS


def test_a_grant_may_start_later(household: Any) -> None:
    grant = of(household, given(household, start=at(2), days=1))
    assert grant.start_ms == pytest.approx(household.gateway.now_ms() + 2 * DAY_MS, abs=60_000)
    assert grant.expiry_ms - grant.start_ms <= DAY_MS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"start": at(-1)}, "since"),
        ({"since": at(1)}, "since"),
        ({"since": "2026-01-01T00:00:00"}, "timezone"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "since"),
        ({"start": "9999-12-31T23:59:59-14:00"}, "before 4147"),
        ({"hours": {"start": "25:00"}}, "start"),
        ({"hours": {"start": "08:00", "end": "08:00"}}, "two different times"),
        ({"hours": {"weekdays": []}}, "weekdays"),
        ({"hours": {"weekdays": ["someday"]}}, "weekdays"),
        ({"hours": {"timezone": "Moon/Base"}}, "Moon/Base"),
        ({"category": "presence"}, "explicit yes"),
    ],
)
def test_what_is_wrong_is_said_in_words(household: Any, change: dict[str, Any], told: str) -> None:
    before = len(grants(household))
    status, answer = ask(household, "POST", "/api/grants", wanted(**change))
    assert status == 422
    assert told in json.dumps(answer)
    assert len(grants(household)) == before


def test_several_are_given_in_one_act_or_none(household: Any) -> None:
    two = [wanted(), wanted(category="stock", granularity="hour")]
    status, made = ask(household, "POST", "/api/grants", two)
    assert status == 201
    assert [grant["category"] for grant in made] == ["door", "stock"]
    before = len(grants(household))
    status, answer = ask(household, "POST", "/api/grants", [*two, wanted(category="presence", explicit=True)])
    assert status == 422
    assert "presence is sensitive and cannot be one of a bundle" in answer["detail"]
    status, answer = ask(household, "POST", "/api/grants", [wanted(), wanted(days=0)])
    assert status == 422
    assert answer["detail"][0]["loc"][-2:] == ["1", "days"]
    assert ask(household, "POST", "/api/grants", [])[0] == 422
    assert len(grants(household)) == before
    assert of(household, given(household, category="presence", explicit=True)).explicit


def test_a_child_cannot_grant_marketing(household: Any) -> None:
    assert ask(household, "POST", "/api/people", {"name": "Ben", "role": "child"})[0] == 201
    assert {"name": "Ben", "role": "child"} in ask(household, "GET", "/api/people")[1]
    offer = wanted(subject="Ben", recipient="manufacturer", purpose="marketing")
    status, answer = ask(household, "POST", "/api/grants", offer)
    assert status == 422
    assert answer["detail"] == "Ben is a child of this household, and only an adult can agree to marketing."
    assert ask(household, "POST", "/api/grants", offer | {"purpose": "service"})[0] == 201
    assert ask(household, "POST", "/api/people", {"name": " "})[0] == 422
    assert ask(household, "POST", "/api/people", {"name": "Cleo", "role": "cat"})[0] == 422


def test_a_change_is_a_version_with_words_of_its_own(household: Any) -> None:
    made = given(household, devices=[FRIDGE, KETTLE], hours={"start": "08:00", "end": "20:00"})
    asked = {"text": "Only the fridge.", "devices": [FRIDGE], "hours": None, "granularity": "hour", "days": 10}
    status, changed = ask(household, "PATCH", f"/api/grants/{made['id']}", asked)
    assert status == 200, changed
    assert changed["version"] == 2
    assert (changed["devices"], changed["granularity"], changed["hours"]) == ([FRIDGE], "hour", None)
    assert changed["text"] == "Only the fridge."
    assert changed["start"] > made["start"]
    story = ask(household, "GET", f"/api/grants/{made['id']}")[1]
    assert [version["text"] for version in story["versions"]] == [made["text"], "Only the fridge."]
    assert [act["act"] for act in story["history"]] == ["given", "changed"]
    assert story["versions"][0]["text_sha256"] == hashlib.sha256(made["text"].encode()).hexdigest()


def test_what_a_change_does_not_say_stays(household: Any) -> None:
    hours = {"start": "08:00", "end": "20:00"}
    made = given(household, devices=[FRIDGE], hours=hours, since=at(-1))
    changed = ask(household, "PATCH", f"/api/grants/{made['id']}", {"text": "Once more."})[1]
    same = ("devices", "hours", "granularity", "start", "since", "expiry", "subject", "language")
    assert {name: changed[name] for name in same} == {name: made[name] for name in same}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "text"),
        ({"text": "x", "recipient": "manufacturer"}, "recipient"),
        ({"text": "x", "devices": ["000000000000"]}, "No such device"),
        ({"text": "x", "granularity": "second"}, "granularity"),
        ({"text": "x", "start": at(-1)}, "since"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words(household: Any, asked: dict[str, Any], told: str) -> None:
    made = given(household)
    status, answer = ask(household, "PATCH", f"/api/grants/{made['id']}", asked)
    assert status == 422
    assert told in json.dumps(answer)
    assert of(household, made).version == 1


def test_pause_resume_and_stop_say_who(household: Any) -> None:
    made = given(household)
    path = f"/api/grants/{made['id']}"
    assert ask(household, "POST", f"{path}/pause", {"by": "Anna"})[1]["paused"] is not None
    resumed = ask(household, "POST", f"{path}/resume", {})[1]
    assert resumed["paused"] is None
    assert resumed["resumed"] is not None
    assert ask(household, "DELETE", f"{path}?by=Dora")[1]["revoked"] is not None
    story = ask(household, "GET", path)[1]
    assert [(act["act"], act["by"]) for act in story["history"]] == [
        ("given", "Anna"),
        ("paused", "Anna"),
        ("resumed", "Anna"),
        ("withdrawn", "Dora"),
    ]
    status, answer = ask(household, "POST", f"{path}/pause", {})
    assert status == 422
    assert "is revoked" in answer["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"text": "x"}),
        ("DELETE", "", None),
        ("POST", "/pause", {}),
        ("POST", "/resume", {}),
        ("GET", "/preview", None),
        ("GET", "/receipt", None),
        ("GET", "/receipt.cose", None),
    ],
)
def test_a_grant_that_is_not_there_is_a_404_in_words(household: Any, method: str, path: str, body: Any) -> None:
    status, answer = ask(household, method, f"/api/grants/g-0000000000000000{path}", body)
    assert status == 404
    assert answer["detail"] == "There is no such grant; /api/grants lists them."


def test_a_receipt_can_be_taken_away_and_checked(household: Any) -> None:
    made = given(household, category="stock", granularity="hour")
    content, headers = fetched(household, f"/api/grants/{made['id']}/receipt")
    assert headers["content-type"] == "application/ld+json"
    assert headers["content-disposition"] == f'attachment; filename="receipt-{made["id"]}.jsonld"'
    document = json.loads(content)
    assert document["dpv:hasRecordOfActivity"]["dct:identifier"] == made["id"]
    sealed, headers = fetched(household, f"/api/grants/{made['id']}/receipt.cose")
    assert headers["content-type"] == 'application/cose; cose-type="cose-sign1"'
    key = household.stored(audit.signing_key, household.gateway.db)
    checked = open_receipt(key.public, sealed)
    assert checked.grant_id == made["id"]
    assert checked.head is not None
    path = f"/api/ledger/verify?n={checked.head.n}&hash={checked.head.hash.hex()}"
    assert ask(household, "GET", path)[1]["ok"]


def test_a_preview_shows_what_would_leave_and_sends_nothing(household: Any) -> None:
    made = given(household, category="stock", granularity="hour")
    before = household.stored(lambda: household.gateway.db.connection.execute("SELECT count(*) FROM outbox").fetchone())
    status, seen = ask(household, "GET", f"/api/grants/{made['id']}/preview")
    assert status == 200
    assert seen["total"] == len(seen["events"]) > 4
    assert seen["whole"]
    assert {event["consentgrant"] for event in seen["events"]} == {made["id"]}
    assert {event["data"]["unit"] for event in seen["events"]} == {"kg"}
    exact = json.dumps(seen["events"], separators=(",", ":"), ensure_ascii=False)
    assert seen["bytes"] == len(exact.encode())
    assert FRIDGE not in exact
    after = household.stored(lambda: household.gateway.db.connection.execute("SELECT count(*) FROM outbox").fetchone())
    assert after == before


def test_the_ledger_can_be_read_in_pages_and_checked_by_anybody(household: Any) -> None:
    given(household)
    rows: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        status, page = ask(household, "GET", f"/api/ledger?after={after}&limit=3")
        assert status == 200
        assert len(page["rows"]) <= 3
        rows += page["rows"]
        after = page["next"]
    assert [row["n"] for row in rows] == list(range(1, len(rows) + 1))
    prev = "00" * 32
    for row in rows:
        assert row["prev"] == prev
        prev = hashlib.sha256(bytes.fromhex(row["prev"]) + row["entry"].encode()).hexdigest()
        assert row["hash"] == prev
    head = ask(household, "GET", "/api/ledger/head")[1]
    assert (head["n"], head["hash"]) == (len(rows), prev)
    signed = json.loads(open_signed(bytes.fromhex(head["key"]), HEAD_TYPE, base64.b64decode(head["signed"])))
    assert (signed["n"], signed["hash"]) == (head["n"], head["hash"])
    assert ask(household, "GET", "/api/ledger?limit=100000")[0] == 422
    assert ask(household, "GET", "/api/ledger/verify?n=1")[0] == 422
    assert not ask(household, "GET", f"/api/ledger/verify?n=1&hash={'00' * 32}")[1]["ok"]
    assert not ask(household, "GET", f"/api/ledger/verify?n=1000000&hash={'00' * 32}")[1]["ok"]
    assert ask(household, "GET", "/api/ledger/verify")[1] == {
        "ok": True,
        "rows": len(rows),
        "n": len(rows),
        "hash": prev,
        "faults": [],
    }
