"""The console in a real browser: what a household sees, gives, takes back; and what a stranger does not get."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from nicegui.client import Client
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from gateway.app.now import real_now_ms
from gateway.consent import register
from gateway.consent.vocabulary import Granularity
from gateway.web import words
from gateway.web.console import Console, ConsoleError
from tests.browser.looking import (
    FRIDGE,
    HALL,
    HOSTILE,
    KETTLE,
    agreed,
    ask,
    card,
    fill_in,
    grants,
    press,
    see,
    text,
    until,
    visit,
    wanted,
)

FRIDGE_ROW = [73, -350, 1, 2700, 480, 60]


def test_home_shows_devices_with_values_and_units(browser: Chrome, household: Any) -> None:
    visit(browser, household, "", "Kitchen fridge")
    fridge = card(browser, "Kitchen fridge").text
    assert "Connected" in fridge
    assert "Fridge temperature" in fridge
    assert "°C" in fridge
    assert "Door" in fridge
    assert "312 g taken out" in fridge
    kettle = card(browser, "Kitchen kettle").text
    assert "820 g" in kettle
    assert "0 W" in kettle
    assert "Water boiled" in kettle
    assert "messages from your appliances stored" in text(browser)
    see(browser, "Fridge temperature: lowest")
    assert browser.find_elements(By.CSS_SELECTOR, ".chart svg path"), "the chart is not drawn"


def test_new_readings_appear_without_a_reload(browser: Chrome, household: Any) -> None:
    visit(browser, household, "", "Kitchen fridge")
    fridge = household.boards[FRIDGE]
    household.stored(fridge.measured, real_now_ms(), [FRIDGE_ROW, FRIDGE_ROW])
    until(browser, lambda: "4.6 °C" in card(browser, "Kitchen fridge").text, "the new temperature is not shown")
    shown = card(browser, "Kitchen fridge").text
    assert "open" in shown
    assert "480 g" in shown
    assert "60 W" in shown
    assert "−21.9 °C" in shown
    household.stored(fridge.measured, real_now_ms(), [[None, *FRIDGE_ROW[1:]]] * 2)
    until(browser, lambda: "no reading" in card(browser, "Kitchen fridge").text, "a failed sensor is not shown")
    assert "As measured at" not in card(browser, "Kitchen fridge").text
    household.stored(fridge.happened, real_now_ms() + 60_000, 6, 1)
    until(
        browser, lambda: "As measured at" in card(browser, "Kitchen fridge").text, "old values look like those of now"
    )
    household.stored(lambda: fridge.online(online=False))
    see(browser, "Kitchen fridge is not connected")
    household.stored(fridge.online)
    see(browser, "All is well")


def test_a_reading_is_drawn_when_it_is_chosen_by_keyboard(browser: Chrome, household: Any) -> None:
    visit(browser, household, "", "Fridge temperature: lowest")
    row = card(browser, "Kitchen kettle").find_element(By.XPATH, ".//button[contains(., 'Heating')]")
    row.send_keys(Keys.ENTER)
    see(browser, "Heating: off all the time.")
    Select(browser.find_element(By.NAME, "channel")).select_by_value(f"{KETTLE} water_temp")
    see(browser, "Water temperature: lowest 21.0 °C, highest 21.4 °C.")
    chart = browser.find_element(By.CSS_SELECTOR, ".chart")
    until(browser, lambda: "Water temperature" in str(chart.get_attribute("aria-label")), "no words for the chart")


def test_hostile_names_are_inert(browser: Chrome, household: Any) -> None:
    for path, words_ in (("", "<script>"), ("sharing", "Share something"), ("problems", "no appliance of this home")):
        visit(browser, household, path, words_)
        assert "owned" not in browser.title
        assert not browser.find_elements(By.CSS_SELECTOR, "main img, main script, main b")
    visit(browser, household, "", "<script>")
    Select(browser.find_element(By.NAME, "channel")).select_by_value(f"{HOSTILE} speed")
    see(browser, "Speed: lowest 7")
    assert not browser.find_elements(By.CSS_SELECTOR, "main img, main b")
    assert "owned" not in browser.title


def test_a_grant_is_given_with_the_words_that_were_shown(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Nothing leaves your home")
    fill_in(browser, "Anna", recipient="university", category="stock", device=FRIDGE, days="30")
    browser.find_element(By.CSS_SELECTOR, "input[value='hour']").click()
    until(browser, lambda: "I, Anna, agree that university" in agreed(browser), "the name is not in the words")
    until(browser, lambda: "Kitchen fridge, for research" in agreed(browser), "the choices are not in the words")
    until(browser, lambda: "of each hour" in agreed(browser), "the granularity is not in the words")
    shown = agreed(browser)
    before = real_now_ms()
    press(browser, "I agree, share this")
    see(browser, "1 thing is shared")
    see(browser, "Shared from now on")
    grant = grants(household)[-1]
    assert (grant.subject, grant.recipient, grant.category) == ("Anna", "university", "stock")
    assert (grant.purpose, grant.granularity, grant.devices) == ("research", Granularity.HOUR, (FRIDGE,))
    assert grant.text == shown
    assert before - 1000 <= grant.start_ms <= real_now_ms()
    assert words.date(grant.expiry_ms - 1, ZoneInfo(household.gateway.settings.timezone)) in shown
    assert "how much is on a shelf" in browser.find_element(By.ID, grant.id).text
    visit(browser, household, "", "1 thing is shared")


def test_no_grant_with_words_that_were_not_seen(browser: Chrome, household: Any) -> None:
    """A choice made just before the button is pressed: the words on the page were still the old ones."""
    visit(browser, household, "sharing", "Share something")
    fill_in(browser, "Anna")
    until(browser, lambda: "I, Anna, agree" in agreed(browser), "the name is not in the words")
    before = len(grants(household))
    browser.execute_script("document.querySelector('.agreement').textContent += ' Or so.'")
    press(browser, "I agree, share this")
    see(browser, "Please read the words again")
    assert len(grants(household)) == before


def test_no_grant_without_a_name(browser: Chrome, household: Any) -> None:
    visit(browser, household, "sharing", "Share something")
    before = len(grants(household))
    Select(browser.find_element(By.NAME, "who")).select_by_value("new")
    press(browser, "I agree, share this")
    see(browser, "Please write your name first")
    assert len(grants(household)) == before


def test_stop_sharing_asks_and_then_revokes_at_once(browser: Chrome, household: Any) -> None:
    if not any(g.revoked_ms is None for g in grants(household)):
        assert ask(household, "POST", "/api/grants", wanted())[0] == 201
    visit(browser, household, "sharing", "Stop sharing")
    grant = next(g for g in grants(household) if g.revoked_ms is None)
    stop = browser.find_element(By.ID, grant.id).find_element(By.XPATH, ".//button[text()='Stop sharing']")
    stop.click()
    until(
        browser, lambda: browser.find_element(By.XPATH, "//button[text()='Keep sharing']").is_displayed(), "not asked"
    )
    assert grants(household)[-1].revoked_ms is None
    press(browser, "Keep sharing")
    until(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".q-dialog__backdrop"), "the question stays")
    assert grants(household)[-1].revoked_ms is None
    stop.click()
    press(browser, "Yes, stop sharing")
    see(browser, "Nothing leaves your home")
    see(browser, "No longer shared")
    assert all(g.revoked_ms is not None for g in grants(household))


def test_a_command_beside_the_console_is_seen(browser: Chrome, household: Any) -> None:
    """`hearthgate consent` writes the same database; nothing tells the console but the database."""
    visit(browser, household, "sharing", "Share something")
    status, given = ask(household, "POST", "/api/grants", wanted())
    assert status == 201
    db = household.gateway.db
    until(browser, lambda: browser.find_elements(By.ID, given["id"]), "the grant does not appear")
    household.call(household.gateway.store(register.take_back, db, given["id"], real_now_ms()))
    see(browser, "Nothing leaves your home")


def test_problems_say_what_could_not_be_used(browser: Chrome, household: Any) -> None:
    visit(browser, household, "problems", "Messages that no appliance of this home would send")
    browser.find_element(By.TAG_NAME, "summary").click()
    see(browser, "on hg/1/<img src=x onerror=alert(1)>/up: <b>no</b>")
    household.gateway.source.trouble = "broker 127.0.0.1:1883: refused"
    see(browser, "Your appliances cannot be heard")
    household.gateway.source.trouble = None
    until(browser, lambda: "cannot be heard" not in text(browser), "the trouble stays")


def test_an_address_without_a_page_shows_the_way_to_those_there_are(browser: Chrome, household: Any) -> None:
    browser.get(f"{household.url}nosuch")
    see(browser, "There is no such page")
    browser.find_element(By.LINK_TEXT, "Home").click()
    see(browser, "Kitchen fridge")
    status, said = ask(household, "GET", "/nosuch")
    assert (status, said["detail"]) == (404, "Not Found")


def test_nothing_is_loaded_from_elsewhere_and_nothing_fails(browser: Chrome, household: Any) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    pages = (
        ("", "Fridge temperature: lowest"),
        ("sharing", "Share something"),
        ("left", "The record"),
        ("problems", ""),
    )
    for path, words_ in pages:
        visit(browser, household, path, words_)
    asked = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    assert asked
    assert not [url for url in asked if not url.startswith((household.url, "data:", "blob:", "chrome"))]
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]


@pytest.mark.parametrize("path", ["", "sharing", "left", "problems"])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Chrome, household: Any, path: str) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        visit(browser, household, path, "")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_closed_pages_leave_nothing_behind(browser: Chrome, household: Any) -> None:
    listeners = len(household.gateway._listeners)
    for _ in range(3):
        visit(browser, household, "", "Kitchen fridge")
    assert len(household.gateway._listeners) == listeners
    browser.get("about:blank")
    until(browser, lambda: not Client.instances, "pages of closed tabs are kept")


def test_api_is_described_and_answers(household: Any) -> None:
    status, described = ask(household, "GET", "/api/openapi.json")
    assert status == 200
    paths = {"devices", "readings", "status", "people", "notices", "ledger", "ledger/head", "ledger/verify", "grants"}
    paths |= {f"update{what}" for what in ("", "/yes", "/no", "/stop")}
    paths |= {
        f"grants/{{grant_id}}{what}" for what in ("", "/pause", "/resume", "/preview", "/receipt", "/receipt.cose")
    }
    assert set(described["paths"]) == {f"/api/{path}" for path in paths}
    status, devices = ask(household, "GET", "/api/devices")
    assert status == 200
    assert {d["device"] for d in devices} == {FRIDGE, KETTLE, HOSTILE, HALL}
    status, found = ask(household, "GET", f"/api/readings?device={KETTLE}&channel=water_temp&limit=3")
    assert status == 200
    assert [r["value"] for r in found["readings"]] == [21.375, 21.375, 21.375]
    assert found["unit"] == "Cel"
    status, found = ask(household, "GET", f"/api/readings?device={KETTLE}&channel=boil")
    assert [r["value"] for r in found["readings"]] == [1.0]
    assert ask(household, "GET", f"/api/readings?device={KETTLE}&channel=none")[0] == 404
    assert ask(household, "GET", f"/api/readings?device={KETTLE}&channel=boil&limit=100000")[0] == 422
    status, now = ask(household, "GET", "/api/status")
    assert now["broker_connected"]
    assert now["counters"]["frames_stored"] > 40
    assert {s["recipient"] for s in now["sinks"]} == {"manufacturer", "university"}


def test_api_gives_and_takes_back_grants(household: Any) -> None:
    status, given = ask(household, "POST", "/api/grants", wanted())
    assert status == 201
    assert given["holds"]
    assert given["devices"] == ["*"]
    assert given["id"] in {g["id"] for g in ask(household, "GET", "/api/grants")[1] if g["holds"]}
    status, taken = ask(household, "DELETE", f"/api/grants/{given['id']}")
    assert status == 200
    assert not taken["holds"]
    assert ask(household, "DELETE", "/api/grants/g-0000000000000000")[0] == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recipient": "stranger"}, "manufacturer, university"),
        ({"category": "thoughts"}, "category"),
        ({"devices": ["000000000000"]}, "No such device"),
        ({"devices": ["*", FRIDGE]}, "devices"),
        ({"days": 0}, "days"),
        ({"text": ""}, "text"),
        ({"more": 1}, "more"),
    ],
)
def test_api_says_what_is_wrong_with_a_grant(household: Any, change: dict[str, Any], told: str) -> None:
    before = len(grants(household))
    status, answer = ask(household, "POST", "/api/grants", wanted(**change))
    assert status == 422
    assert told in json.dumps(answer)
    assert len(grants(household)) == before


@pytest.mark.parametrize(
    "path", ["/", "/api/status", "/api/openapi.json", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.com"},
        {"Host": "rebound.example.com:80", "Origin": "http://rebound.example.com:80"},
        {"Host": "[broken"},
        {"Host": ""},
        {"Origin": "http://elsewhere.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_strangers_are_refused(household: Any, path: str, headers: dict[str, str]) -> None:
    assert ask(household, "GET", path, **headers)[0] == 403


def test_own_names_are_answered(household: Any) -> None:
    port = household.console.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"{socket.gethostname()}:{port}"):
        assert ask(household, "GET", "/api/status", Host=host)[0] == 200
        assert ask(household, "GET", "/api/status", Host=host, Origin=f"http://{host}")[0] == 200


def test_changes_need_json_from_the_console_itself(household: Any) -> None:
    before = len(grants(household))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert ask(household, "POST", "/api/grants", wanted(), Content_Type=kind)[0] == 415
    assert ask(household, "POST", "/api/grants", wanted(), Origin="http://elsewhere.example.com")[0] == 403
    assert ask(household, "DELETE", "/api/grants/g-1", Origin="http://elsewhere.example.com")[0] == 403
    assert ask(household, "POST", "/api/grants", wanted(text="x" * 70_000))[0] == 413
    assert ask(household, "POST", "/api/grants", Transfer_Encoding="chunked")[0] == 411
    assert len(grants(household)) == before


def test_a_foreign_page_gets_no_websocket(household: Any) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    assert ask(household, "GET", path, **upgrade, Origin="http://elsewhere.example.com")[0] == 403


def test_answers_forbid_foreign_content(household: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", household.console.port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    connection.close()


def test_a_taken_port_is_a_sentence(household: Any) -> None:
    running, Console._running = Console._running, None
    try:
        second = Console(household.gateway, "127.0.0.1", household.console.port)
        with pytest.raises(ConsoleError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use\. Stop"):
            household.call(second.start())
    finally:
        Console._running = running
    with pytest.raises(ConsoleError, match="a console runs in this process already"):
        household.call(Console(household.gateway, "127.0.0.1", 0).start())
    assert ask(household, "GET", "/api/status")[0] == 200


def test_the_console_can_be_closed_and_started_again(browser: Chrome, household: Any) -> None:
    visit(browser, household, "", "Kitchen fridge")
    household.call(household.console.close())
    household.console = Console(household.gateway, "127.0.0.1", household.console.port)
    household.call(household.console.start())
    visit(browser, household, "", "Kitchen fridge")
    household.stored(household.boards[KETTLE].measured, real_now_ms(), [[1600, 500, 2000, 1]] * 2)
    until(browser, lambda: "100.0 °C" in card(browser, "Kitchen kettle").text, "the page is not live")
