"""The page of what left: disclosures in plain words, the state of the record, requests to erase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from gateway.app.now import real_now_ms
from gateway.forward.sink import Retry
from gateway.web import left_view
from tests.browser.looking import FRIDGE, ask, choose, grants, press, see, text, until, visit, wanted


def rows(household: Any) -> int:
    return int(ask(household, "GET", "/api/ledger/head")[1]["n"])


def share(household: Any, **other: Any) -> str:
    status, made = ask(household, "POST", "/api/grants", wanted(category="stock", granularity="event", **other))
    assert status == 201, made
    return str(made["id"])


def send(browser: Chrome, household: Any) -> None:
    """Something happens, and leaves."""
    before = sent(household)
    household.stored(household.boards[FRIDGE].happened, real_now_ms(), 7, -312)
    until(browser, lambda: sent(household) > before, "nothing was sent")


def sent(household: Any) -> int:
    return int(ask(household, "GET", "/api/status")[1]["counters"].get("cloud_events_sent", 0))


@pytest.fixture
def deaf(household: Any) -> Iterator[Any]:
    """The university's sink confirms no request to erase."""
    sink = next(f for f in household.gateway.forwarders if f.name == "university")._sink

    async def notify(notice: str) -> None:
        raise Retry("nobody answers at the university", 0.2)

    hears, sink.notify = sink.notify, notify
    yield
    sink.notify = hears


def test_what_left_is_told_in_plain_words(browser: Chrome, household: Any) -> None:
    visit(browser, household, "left", "Nothing has left your home")
    grant_id = share(household)
    send(browser, household)
    see(browser, "1 message has left")
    see(browser, "to University")
    see(browser, "1 message of stock: how much is on a shelf, and when that changes (measured")
    see(browser, "It arrived.")
    browser.find_element(By.XPATH, "//summary[text()='It arrived.']").click()
    see(browser, grant_id)
    see(browser, "Fingerprint of the exact content")


def test_what_people_decided_is_told_too(browser: Chrome, household: Any) -> None:
    grant_id = share(household)
    assert ask(household, "POST", f"/api/grants/{grant_id}/pause", {"by": "Dora"})[0] == 200
    visit(browser, household, "left", "The record")
    choose(browser, which="acts")
    see(browser, "Dora paused that University may get stock, for research.")
    see(browser, "Anna agreed that University may get stock, for research.")
    assert "messages (" not in text(browser)


def test_it_is_shown_page_by_page(browser: Chrome, household: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_view, "ROWS_SHOWN", 2)
    for name in ("Emil", "Fee", "Gus"):
        assert ask(household, "POST", "/api/people", {"name": name})[0] == 201
    visit(browser, household, "left", "The record")
    choose(browser, which="acts")
    see(browser, "Gus is in the household")
    assert "Emil" not in text(browser)
    press(browser, "Older")
    see(browser, "Emil is in the household")
    assert "Gus" not in text(browser)
    press(browser, "Newer")
    see(browser, "Gus is in the household")


def test_a_request_to_erase_is_shown_until_it_is_confirmed(browser: Chrome, household: Any, deaf: Any) -> None:
    for grant in grants(household):
        assert ask(household, "DELETE", f"/api/grants/{grant.id}")[0] == 200
    grant_id = share(household)
    send(browser, household)
    assert ask(household, "DELETE", f"/api/grants/{grant_id}")[0] == 200
    visit(browser, household, "left", "Requests to erase")
    see(browser, "University: what you stopped sharing, asked")
    see(browser, "Not confirmed yet")
    see(browser, "The last time: nobody answers at the university.")
    waiting = [notice for notice in ask(household, "GET", "/api/notices")[1] if notice["confirmed"] is None]
    assert (grant_id, "university") in [(notice["grant"], notice["recipient"]) for notice in waiting]
    assert sum(notice["sinks"][0]["tries"] for notice in waiting) > 0
    sinks = {sink["name"]: sink for sink in ask(household, "GET", "/api/status")[1]["sinks"]}
    assert sinks["university"]["notice_trouble"] == "nobody answers at the university"
    visit(browser, household, "problems", "was asked to erase something")


def test_a_request_that_was_confirmed_says_when(browser: Chrome, household: Any) -> None:
    visit(browser, household, "left", "Requests to erase")
    see(browser, "Confirmed ")
    until(browser, lambda: "Not confirmed yet" not in text(browser), "it is never confirmed")
    assert all(notice["confirmed"] for notice in ask(household, "GET", "/api/notices")[1])


def test_the_record_is_checked_on_demand(browser: Chrome, household: Any) -> None:
    visit(browser, household, "left", "Can this record be trusted?")
    see(browser, f"It has {rows(household)} lines. Its end: ")
    press(browser, "Check the whole record")
    see(browser, f"All is as it was written: {rows(household)} lines, none changed, none missing.")
    see(browser, ask(household, "GET", "/api/ledger/head")[1]["hash"])


def test_a_record_that_was_tampered_with_says_where(browser: Chrome, household: Any) -> None:
    visit(browser, household, "left", "Can this record be trusted?")
    sql = household.gateway.db.connection
    (whole,) = household.stored(lambda: sql.execute("SELECT entry FROM ledger WHERE n = 2").fetchone())
    household.stored(lambda: sql.execute("UPDATE ledger SET entry = ? WHERE n = 2", (whole[:-1] + b"]",)))
    press(browser, "Check the whole record")
    see(browser, "The record was tampered with")
    see(browser, "Row 2")
    choose(browser, which="acts")
    see(browser, "The record")
    household.stored(lambda: sql.execute("UPDATE ledger SET entry = ? WHERE n = 2", (whole,)))
    assert ask(household, "GET", "/api/ledger/verify")[1]["ok"]
