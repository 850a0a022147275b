"""What the browser's tests share: looking at a page, pressing what is on it, and asking the API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from gateway.consent import register
from gateway.consent.grants import Grant

FRIDGE, KETTLE, HOSTILE, HALL = "a0b1c2d3e4f5", "a0b1c2d3e4f6", "a0b1c2d3e4f7", "a0b1c2d3e4f8"


def text(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def until(browser: Chrome, condition: Callable[[], Any], why: str) -> Any:
    # What is drawn anew at this moment is looked for again, and what a dialog that is opening covers.
    again = [StaleElementReferenceException, ElementClickInterceptedException]
    wait = WebDriverWait(browser, 15, 0.1, ignored_exceptions=again)
    return wait.until(lambda _: condition(), why)


def see(browser: Chrome, words_: str) -> None:
    until(browser, lambda: words_ in text(browser), f"{words_!r} is not on the page")


def visit(browser: Chrome, household: Any, path: str, words_: str) -> None:
    browser.get(household.url + path)
    until(browser, lambda: browser.find_elements(By.TAG_NAME, "main"), "no page came")
    see(browser, words_)
    # What is shown first is in the page itself; what is pressed needs the connection behind it.
    until(browser, lambda: browser.execute_script("return window.did_handshake === true"), "no connection")


def card(browser: Chrome, name: str) -> Any:
    return browser.find_element(By.XPATH, f"//article[.//h2[text()='{name}']]")


def grants(household: Any) -> list[Grant]:
    return household.stored(register.grants, household.gateway.db)


def press(browser: Chrome, name: str, inside: str = "body") -> None:
    """Press the button of this name as soon as it is there; `inside`: a CSS selector of what holds it."""

    def pressed() -> bool:
        holder = browser.find_element(By.CSS_SELECTOR, inside)
        found = holder.find_elements(By.XPATH, f".//button[text()='{name}']")
        button = next((button for button in found if button.is_displayed()), None)
        if button is not None:
            button.click()
        return button is not None

    until(browser, pressed, f"no button {name!r}")


def choose(browser: Chrome, **choices: str) -> None:
    """Choose in drop-down lists, by their names."""
    for field, value in choices.items():
        Select(browser.find_element(By.NAME, field)).select_by_value(value)


def tick(browser: Chrome, name: str, value: str = "") -> None:
    """Choose one of a group, or tick a box."""
    browser.find_element(By.CSS_SELECTOR, f"input[name='{name}']" + (f"[value='{value}']" if value else "")).click()


def fill_in(browser: Chrome, name: str, **choices: str) -> None:
    """Choose, and say who agrees."""
    choose(browser, **choices)
    who = Select(browser.find_element(By.NAME, "who"))
    try:
        who.select_by_value(f"={name}")
    except NoSuchElementException:
        who.select_by_value("new")
        entry = browser.find_element(By.NAME, "subject")
        until(browser, entry.is_displayed, "no place for a name")
        entry.send_keys(name)


def agreed(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, ".agreement").text


def ask(household: Any, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", household.console.port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    kind = answer.headers.get("content-type", "")
    return answer.status, json.loads(content) if kind.startswith("application/json") else content.decode()


def wanted(**other: Any) -> dict[str, Any]:
    return {
        "subject": "Anna",
        "recipient": "university",
        "category": "door",
        "purpose": "research",
        "granularity": "event",
        "days": 30,
        "text": "I agree to this.",
    } | other
