"""An update in a real browser: the household is asked, says later, yes or no, and sees how far each appliance is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import cbor2
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from gateway.app.inbox import Message
from gateway.app.now import real_now_ms
from gateway.consent import household_people, update_decisions
from gateway.consent.people import Person
from gateway.consent.update_decisions import Voice, Way
from gateway.store import updates
from gateway.update.manifest import LAST
from gateway.update.rollout import State
from gateway.wire.cose import seal
from gateway.wire.topics import topic
from tests.browser.looking import FRIDGE, KETTLE, ask, choose, press, see, text, until, visit

CLASS = b"fridge-sim 2566"
FILES = {"link.mpy": b"l" * 3000, "main.py": b"m" * 1000, LAST: b"{}"}
SIZE = sum(map(len, FILES.values()))
CARD = "section.update"


@pytest.fixture
def ordered(household: Any) -> Iterator[Any]:
    """Version 9.9.9 waits for a yes; the fridge is to go first."""
    household.gateway.updating.order.build = lambda _: ("9.9.9", dict(FILES))
    household.gateway.updating.order.version = lambda: "9.9.9"
    order(household, {FRIDGE: 0, KETTLE: 1})
    yield household
    order(household, {})


def order(household: Any, stages: dict[str, int]) -> None:
    voice = Voice(Way.COMMAND_LINE)
    db = household.gateway.db
    household.stored(lambda: update_decisions.order(db, stages, real_now_ms(), voice, firmware="9.9.9", ask=True))

    async def changed() -> None:
        household.gateway.updating.changed()

    household.call(changed())


def says(household: Any, device: str, *items: Any) -> None:
    """A board says something of its update."""
    key = household.boards[device].known.key
    message = Message(topic(device, "want"), seal(key, "want", cbor2.dumps([1, *items])))

    async def said() -> None:
        assert household.gateway.updating.takes(message)

    household.call(said())


def state(household: Any, device: str) -> updates.Row:
    return household.stored(updates.rows, household.gateway.db)[device]


def has(browser: Chrome, household: Any, device: str) -> int:
    """A board that is asked says what it has, and is offered the update under this number."""
    says(household, device, 0, 0, CLASS, "a", bytes(32))
    until(browser, lambda: state(household, device).state is State.LOADING, "it was not offered")
    return int(state(household, device).sequence or 0)


def row(browser: Chrome, name: str) -> str:
    return browser.find_element(By.XPATH, f"//section[@aria-label='Update']//li[span[text()='{name}']]").text


def shows(browser: Chrome, name: str, words_: str) -> None:
    until(browser, lambda: words_ in row(browser, name), f"{words_!r} is not said of {name}")


def test_a_home_without_an_update_shows_no_card(browser: Chrome, household: Any) -> None:
    visit(browser, household, "", "Kitchen fridge")
    assert not browser.find_element(By.CSS_SELECTOR, CARD).is_displayed()
    assert ask(household, "GET", "/api/update") == (200, {"phase": "none", "firmware": None, "boards": []})


def test_a_yes_is_asked_for_and_what_follows_is_shown(browser: Chrome, ordered: Any) -> None:
    visit(browser, ordered, "", "New software for your appliances")
    see(browser, "Version 9.9.9 is ready for 2 appliances. Nothing happens until you say yes.")
    see(browser, "Kitchen fridge first, then Kitchen kettle.")
    shows(browser, "Kitchen kettle", "from 0.1.0 to 9.9.9")
    assert state(ordered, FRIDGE).state is State.ASK
    press(browser, "Update", CARD)
    see(browser, "New software goes to your appliances")
    assert state(ordered, FRIDGE).state is State.WAIT
    shows(browser, "Kitchen fridge", "is asked what it has")
    shows(browser, "Kitchen kettle", "waits for its turn")
    sequence = has(browser, ordered, FRIDGE)
    says(ordered, FRIDGE, 1, sequence, 0, 2048)
    shows(browser, "Kitchen fridge", f"fetches it: {100 * 2048 // SIZE} %")
    says(ordered, FRIDGE, 3, sequence, "")
    shows(browser, "Kitchen fridge", "tries it out")
    says(ordered, FRIDGE, 5, sequence, "")
    shows(browser, "Kitchen fridge", "is updated")
    sequence = has(browser, ordered, KETTLE)
    says(ordered, KETTLE, 2, sequence, "running")
    shows(browser, "Kitchen kettle", "waits: it heats, or is armed to")
    says(ordered, KETTLE, 3, sequence, "")
    says(ordered, KETTLE, 6, sequence, "starts")
    see(browser, "The update was halted at Kitchen kettle")
    see(browser, "Kitchen kettle works again with what it had. No other appliance is begun.")
    shows(browser, "Kitchen kettle", "went back to what it had: its starts did not last")


def test_who_said_yes_is_in_the_record(browser: Chrome, ordered: Any) -> None:
    db = ordered.gateway.db
    ordered.stored(household_people.put, db, Person("Ada"), real_now_ms())
    assert ask(ordered, "POST", "/api/update/no", {"by": "Ada"})[0] == 200
    order(ordered, {FRIDGE: 0, KETTLE: 1})
    visit(browser, ordered, "", "New software for your appliances")
    until(browser, lambda: browser.find_element(By.NAME, "update-by").is_displayed(), "nobody can be chosen")
    choose(browser, **{"update-by": "=Ada"})
    press(browser, "Update", CARD)
    see(browser, "New software goes to your appliances")
    visit(browser, ordered, "left", "The record")
    choose(browser, which="acts")
    see(browser, "Ada said yes to software version 9.9.9 in the console, for Kitchen fridge and Kitchen kettle.")
    see(browser, "Ada said no to software version 9.9.9 through the API, for Kitchen fridge and Kitchen kettle.")
    see(browser, "Somebody ordered software version 9.9.9 on the command line, for Kitchen fridge and")
    press(browser, "Check the whole record")
    see(browser, "All is as it was written")


def test_not_now_leaves_it_waiting_and_says_how_to_come_back(browser: Chrome, ordered: Any) -> None:
    visit(browser, ordered, "", "New software for your appliances")
    press(browser, "Not now", CARD)
    see(browser, "An update waits")
    see(browser, "It is here again whenever this page is opened.")
    assert "Version 9.9.9" not in text(browser)
    assert state(ordered, FRIDGE).state is State.ASK
    press(browser, "Show it", CARD)
    see(browser, "Version 9.9.9 is ready")
    press(browser, "Not now", CARD)
    visit(browser, ordered, "", "Version 9.9.9 is ready")


def test_a_household_may_say_no(browser: Chrome, ordered: Any) -> None:
    visit(browser, ordered, "", "New software for your appliances")
    press(browser, "Not now", CARD)
    press(browser, "Do not update", CARD)
    see(browser, "The update was called off")
    see(browser, "Your appliances keep the software that they have.")
    assert {row.state for row in ordered.stored(updates.rows, ordered.gateway.db).values()} == {State.STOPPED}


def test_what_goes_on_can_be_stopped(browser: Chrome, ordered: Any) -> None:
    assert ask(ordered, "POST", "/api/update/yes", {})[0] == 200
    visit(browser, ordered, "", "New software goes to your appliances")
    browser.find_element(By.XPATH, "//section[@aria-label='Update']//summary").click()
    press(browser, "Begin no other", CARD)
    see(browser, "The update was called off")
    assert state(ordered, KETTLE).state is State.STOPPED


def test_the_api_says_and_takes_the_same(ordered: Any) -> None:
    time.sleep(1)  # so old may an answer be
    status, waits = ask(ordered, "GET", "/api/update")
    assert (status, waits["phase"], waits["firmware"]) == (200, "asks", "9.9.9")
    first = waits["boards"][0]
    assert (first["device"], first["stage"], first["state"], first["runs"]) == (FRIDGE, "one", "ask", "0.1.0")
    assert ask(ordered, "POST", "/api/update/yes", Content_Type="text/plain")[0] in (411, 415)
    assert ask(ordered, "POST", "/api/update/yes", {}, Origin="http://elsewhere.example.com")[0] == 403
    assert state(ordered, FRIDGE).state is State.ASK
    status, going = ask(ordered, "POST", "/api/update/yes", {})
    assert (status, going["phase"]) == (200, "going")
    assert ask(ordered, "POST", "/api/update/no", {})[0] == 409
    status, over = ask(ordered, "POST", "/api/update/stop", {})
    assert (status, over["phase"]) == (200, "stopped")
    status, why = ask(ordered, "POST", "/api/update/yes", {})
    assert (status, why["detail"]) == (409, "Nothing waits for a yes. /api/update says how it stands.")


def test_a_phone_shows_the_card_without_scrolling_sideways(browser: Chrome, ordered: Any) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        visit(browser, ordered, "", "New software for your appliances")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
