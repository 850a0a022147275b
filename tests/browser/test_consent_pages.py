"""Consent as a household lives with it: given with hours and a second yes, changed, paused, shown for what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from gateway.consent import household_people, local_use, register
from gateway.consent.hours import Hours
from gateway.consent.local_use import Mode
from gateway.consent.people import Person, Role
from gateway.consent.vocabulary import Granularity
from tests.browser.looking import (
    FRIDGE,
    KETTLE,
    agreed,
    ask,
    choose,
    fill_in,
    grants,
    press,
    see,
    tick,
    until,
    visit,
    wanted,
)

DAY_MS = 86_400_000


def people(household: Any) -> list[Person]:
    return household.stored(household_people.people, household.gateway.db)


def modes(household: Any) -> dict[tuple[str, str], Mode]:
    return household.stored(local_use.modes, household.gateway.db)


def agree(browser: Chrome, household: Any, shown: str = "Shared from") -> Any:
    """Press the button once the words have stopped changing, and give the grant that came of it."""
    press(browser, "I agree, share this")
    see(browser, shown)
    return max(grants(household), key=lambda grant: grant.created_ms)


def set_time(browser: Chrome, name: str, value: str) -> None:
    field = browser.find_element(By.NAME, name)
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))"
    browser.execute_script(script, field, value)


def says(browser: Chrome, words: str) -> None:
    until(browser, lambda: words in agreed(browser), f"{words!r} is not in the words")


def given(household: Any, **other: Any) -> str:
    status, made = ask(household, "POST", "/api/grants", wanted(**other))
    assert status == 201, made
    return str(made["id"])


def card(browser: Chrome, grant_id: str) -> Any:
    return until(browser, lambda: (browser.find_elements(By.ID, grant_id) or [None])[0], "the grant is not there")


def second_yes(browser: Chrome) -> Any:
    return browser.find_element(By.NAME, "explicit")


def test_hours_days_appliances_and_time_are_in_the_words_and_in_the_grant(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    fill_in(browser, "Anna", recipient="university", category="door", device="several", begin="back", days="30")
    tick(browser, "time", "some")
    for device in (FRIDGE, KETTLE):
        label = "Kitchen fridge" if device == FRIDGE else "Kitchen kettle"
        browser.find_element(By.XPATH, f"//label[.//span[text()='{label}']]/input").click()
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        browser.find_element(By.XPATH, f"//label[.//span[text()='{day}']]/input").click()
    set_time(browser, "from", "18:30")
    set_time(browser, "to", "23:00")
    set_time(browser, "since", "2026-01-02T03:04")
    says(browser, "only between 18:30 and 23:00 (Europe/Berlin) on Saturday and Sunday")
    says(browser, "of Kitchen fridge, Kitchen kettle")
    says(browser, "What was measured since 2 January 2026, 03:04 is sent too, and nothing older.")
    says(browser, "I, Anna")
    grant = agree(browser, household)
    assert grant.hours == Hours(18 * 60 + 30, 23 * 60, "Europe/Berlin", (5, 6))
    assert grant.devices == (FRIDGE, KETTLE)
    assert grant.since_ms == 1_767_319_440_000
    assert "Anna" in {person.name for person in people(household)}


def test_a_grant_that_starts_later_says_when(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    fill_in(browser, "Anna", begin="later")
    set_time(browser, "start", "2020-01-01T00:00")
    see(browser, "That start has passed")
    set_time(browser, "start", "")
    see(browser, "Say from when on it may be sent, as a day and a time.")
    press(browser, "I agree, share this")
    assert not any(grant.start_ms > household.gateway.now_ms() for grant in grants(household))
    set_time(browser, "start", "2030-05-06T07:08")
    says(browser, "from 6 May 2030, 07:08 until")
    grant = agree(browser, household, "Shared from 6 May 2030, 07:08")
    assert grant.start_ms == 1_904_274_480_000  # 05:08 in UTC
    assert grant.expiry_ms % 3_600_000 == 0
    see(browser, "From 6 May 2030, 07:08, until")


def test_what_is_sensitive_takes_a_second_yes(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    assert not second_yes(browser).is_displayed()
    fill_in(browser, "Anna", category="presence", recipient="university")
    until(browser, lambda: second_yes(browser).is_displayed(), "there is no second question")
    says(browser, "whether somebody is at home")
    before = len(grants(household))
    press(browser, "I agree, share this")
    see(browser, "please say yes to it a second time")
    assert len(grants(household)) == before
    second_yes(browser).click()
    says(browser, "I say yes to it a second time, explicitly.")
    grant = agree(browser, household)
    assert grant.explicit
    assert grant.category == "presence"


def test_the_second_yes_is_to_one_thing_alone(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    fill_in(browser, "Anna", category="presence")
    until(browser, lambda: second_yes(browser).is_displayed(), "there is no second question")
    second_yes(browser).click()
    says(browser, "explicitly")
    choose(browser, category="temperature")
    until(browser, lambda: "explicitly" not in agreed(browser), "the second yes stays for another thing")
    until(browser, lambda: not second_yes(browser).is_displayed(), "the second question stays")
    choose(browser, category="presence")
    until(browser, lambda: second_yes(browser).is_displayed(), "there is no second question")
    assert not second_yes(browser).is_selected()
    assert "explicitly" not in agreed(browser)


def test_a_child_cannot_agree_to_marketing(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Who lives here")
    browser.find_element(By.XPATH, "//summary[text()='Add somebody']").click()
    browser.find_element(By.NAME, "name").send_keys("Ben")
    choose(browser, **{"new-role": "child"})
    press(browser, "Add")
    see(browser, "Ben is a child of this household.")
    assert Person("Ben", Role.CHILD) in people(household)
    fill_in(browser, "Ben", recipient="manufacturer")
    until(browser, lambda: "marketing" in browser.find_element(By.NAME, "purpose").get_attribute("innerHTML"), "no")
    choose(browser, purpose="marketing")
    see(browser, "Ben is a child of this household, and only an adult can agree to marketing.")
    before = len(grants(household))
    press(browser, "I agree, share this")
    see(browser, "Nothing was shared")
    assert len(grants(household)) == before


def test_a_new_person_can_say_that_they_are_a_child(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    fill_in(browser, "Cleo", category="door", recipient="university")
    choose(browser, role="child")
    says(browser, "I, Cleo")
    agree(browser, household)
    assert Person("Cleo", Role.CHILD) in people(household)


def test_a_change_is_agreed_to_anew(browser: Chrome, household: Any) -> None:
    grant_id = given(household, category="stock", granularity="hour", text="At first.")
    visit(browser, household, "sharing", "Share something")
    press(browser, "Change", f"#{grant_id}")
    see(browser, "Change what you share")
    assert not browser.find_elements(By.NAME, "category")
    assert Select(browser.find_element(By.NAME, "who")).first_selected_option.text == "Anna"
    tick(browser, "granularity", "day")
    choose(browser, device=FRIDGE)
    says(browser, "of each day) of Kitchen fridge")
    says(browser, "This takes the place of what I agreed to before.")
    shown = agreed(browser)
    press(browser, "I agree, change it")
    see(browser, "Changed, from now on")
    see(browser, "Share something")
    first, second = household.stored(register.versions, household.gateway.db, grant_id)
    assert (first.text, first.granularity, first.devices) == ("At first.", Granularity.HOUR, ("*",))
    assert (second.text, second.granularity, second.devices) == (shown, Granularity.DAY, (FRIDGE,))
    assert second.expiry_ms == first.expiry_ms
    assert second.start_ms > first.start_ms


def test_a_change_can_be_left(browser: Chrome, household: Any) -> None:
    grant_id = given(household)
    visit(browser, household, "sharing", "Share something")
    press(browser, "Change", f"#{grant_id}")
    see(browser, "Change what you share")
    tick(browser, "granularity", "day")
    press(browser, "Leave it as it is")
    see(browser, "You choose one thing at a time")
    assert len(household.stored(register.versions, household.gateway.db, grant_id)) == 1


def test_pause_and_go_on(browser: Chrome, household: Any) -> None:
    grant_id = given(household)
    visit(browser, household, "sharing", "Share something")
    press(browser, "Pause", f"#{grant_id}")
    press(browser, "Yes, pause it")
    until(browser, lambda: "Paused since" in card(browser, grant_id).text, "the pause is not shown")
    see(browser, "is paused")
    assert household.stored(register.find, household.gateway.db, grant_id).paused_ms is not None
    press(browser, "Go on sharing", f"#{grant_id}")
    press(browser, "Yes, go on sharing")
    until(browser, lambda: "Paused since" not in card(browser, grant_id).text, "the pause stays")
    assert household.stored(register.find, household.gateway.db, grant_id).paused_ms is None


def test_a_grants_history_and_receipts_are_in_its_card(browser: Chrome, household: Any) -> None:
    grant_id = given(household, text="The first words.")
    path = f"/api/grants/{grant_id}"
    assert ask(household, "PATCH", path, {"text": "The second words."})[0] == 200
    assert ask(household, "POST", f"{path}/pause", {"by": "Dora"})[0] == 200
    visit(browser, household, "sharing", "Share something")
    there = card(browser, grant_id)
    there.find_element(By.XPATH, ".//summary[contains(., 'what became of them')]").click()
    for words in ("“The second words.”", "Anna agreed to it (version 1)", "“The first words.”", "Dora paused it"):
        until(browser, lambda words=words: words in there.text, f"{words!r} is not in the card")
    links = [link.get_attribute("href") for link in there.find_elements(By.CSS_SELECTOR, "a[download]")]
    assert [link.removeprefix(household.url) for link in links] == [f"{path[1:]}/receipt", f"{path[1:]}/receipt.cose"]


def test_what_would_be_sent_is_shown_before_agreeing(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    choose(browser, recipient="university", category="stock")
    tick(browser, "granularity", "hour")
    says(browser, "of each hour")
    form = browser.find_element(By.CSS_SELECTOR, "section[aria-label='Share something']")
    press(browser, "Show what this would send", "section[aria-label='Share something']")
    until(browser, lambda: "this would have sent" in form.text, "nothing is shown")
    assert "kB" in form.text
    form.find_element(By.XPATH, ".//summary[contains(., 'See everything in it')]").click()
    payload = form.find_element(By.CSS_SELECTOR, ".payload").text
    first = json.loads(payload[: payload.index("\n}") + 2])
    assert first["type"] == "io.hearthgate.aggregate.v1"
    assert first["consentrecipient"] == "university"
    assert FRIDGE not in payload
    tick(browser, "granularity", "day")
    until(browser, lambda: "this would have sent" not in form.text, "it no longer fits the choices, and stays")


def test_a_grants_card_shows_what_it_would_send(browser: Chrome, household: Any) -> None:
    grant_id = given(household, category="door", granularity="event")
    visit(browser, household, "sharing", "Share something")
    there = card(browser, grant_id)
    press(browser, "Show what this would send", f"#{grant_id}")
    until(browser, lambda: "this would have sent 2 messages" in there.text, "nothing is shown")
    assert "you allowed only things that happen" in there.text


def test_what_appliances_may_tell_at_all(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "What your appliances may tell at all")
    choose(browser, **{"use-*-energy": "granted"})
    until(browser, lambda: modes(household).get(("*", "energy")) is Mode.GRANTED, "it is not kept")
    browser.find_element(By.XPATH, "//summary[text()='For single appliances']").click()
    field = f"use-{KETTLE}-energy"
    single = browser.find_element(By.NAME, field)
    until(browser, lambda: Select(single).first_selected_option.get_attribute("value") == "granted", "not as for all")
    choose(browser, **{field: "keep"})
    until(browser, lambda: modes(household).get((KETTLE, "energy")) is Mode.KEEP, "a single one is no exception")


@pytest.mark.parametrize("name", ["recipient", "who", "begin", "days", "device", "granularity", "time", "from", "name"])
def test_every_field_has_a_label(browser: Chrome, household: Any, name: str) -> None:
    if "sharing" not in browser.current_url:
        visit(browser, household, "sharing", "Share something")
    script = "return [...document.getElementsByName(arguments[0])].map(e => [...e.labels].map(l => l.textContent))"
    labels = browser.execute_script(script, name)
    assert labels
    assert all(any(text.strip() for text in texts) for texts in labels)
