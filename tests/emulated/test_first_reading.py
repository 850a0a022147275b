"""boards/FIRST_READING.md, as a person follows it: its own commands, from an empty home to a reading in the console.

Real Mosquitto over TLS with the files that `hearthgate broker setup` makes, the gateway as the process that its unit
starts, a virtual board on a serial port that mpremote flashes, and a real Chromium. What cannot be real on a machine
that runs tests is in `substitutes`, ANSWERS and tests/emulated/empty_pi.py, and nowhere else.

Alone: pytest tests/emulated/test_first_reading.py (about a minute).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.browser.conftest import chromium
from tests.browser.looking import card, see, until, visit
from tests.conftest import _free_port
from tests.emulated.empty_pi import EmptyPi
from tools.serial_board import SerialBoard

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "boards" / "FIRST_READING.md").read_text(encoding="utf-8")
WIFI_PASSWORD = "correct horse battery"
LATER = "## 8. When there is a new version"
IMAGE = "ESP32_GENERIC_C3-20251209-v1.27.0.bin"

ANSWERS = {"Password of Home": WIFI_PASSWORD, "Do you agree?": "y"}


def substitutes(board: SerialBoard, broker_port: int, console_port: int) -> dict[str, str]:
    """What is typed otherwise than it is written, and nothing else."""
    return {
        # Services and commands of the whole machine go into the home.
        "/etc/systemd/system/": "$HOME/systemd/",
        "/usr/local/bin/": "$HOME/bin/",
        # Ports that nobody else has.
        "hearthgate broker setup": f"hearthgate broker setup --port {broker_port}",
        "port = 8883": f"port = {broker_port}",
        "8080:localhost:8080": f"{console_port}:localhost:{console_port}",
        # The virtual board: it is on no USB port, has its MicroPython, and is no ESP32.
        "hearthgate boards": f"hearthgate boards --port {board.port}",
        "/dev/ttyUSB0": board.port,
        "fridge-esp32c3": "fridge-sim",
        f" --image {IMAGE}": "",
    }


def blocks(text: str) -> list[tuple[str, str]]:
    """(kind, content) of what is between fences."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@dataclass
class Walk:
    """A person at the Pi, and how far they are."""

    pi: EmptyPi
    board: SerialBoard
    console_port: int
    instead: dict[str, str]
    took_s: float = 0.0

    def typed(self, written: str) -> str:
        """What is typed where this is written."""
        for part, instead in self.instead.items():
            written = written.replace(part, instead)
        return written

    def follow(self, text: str) -> None:
        """Type every block of commands, and see what the document says that one sees."""
        for kind, block in blocks(text):
            assert kind in ("sh", "text"), kind
            if kind == "sh":
                began = time.monotonic()
                self.pi.type(self.typed(block))
                self.took_s += time.monotonic() - began
                continue
            for line in self.typed(block).splitlines():
                wanted = ".*".join(re.escape(part) for part in line.replace("8883", "…").split("…"))
                assert re.search(wanted, self.pi.said), f"{line!r} was not said:\n{self.pi.said}"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """The whole document has been followed, but for its last chapter."""
    folder = tmp_path_factory.mktemp("pi")
    broker_port, console_port = _free_port(), _free_port()
    pi = EmptyPi(folder / "home", ANSWERS, {"HEARTHGATE_CONSOLE__PORT": str(console_port)})
    with pi, SerialBoard(folder / "flash", wifi=("Home", WIFI_PASSWORD)) as board:
        walk = Walk(pi, board, console_port, substitutes(board, broker_port, console_port))
        walk.follow(DOCUMENT.partition(LATER)[0])
        yield walk


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    driver = chromium(tmp_path / "profile")
    yield driver
    driver.quit()


def wait(condition: Callable[[], object], limit_s: float = 50) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_is_put_in_place_of_what_is_not_there(walk: Walk) -> None:
    commands = "".join(block for kind, block in blocks(DOCUMENT) if kind == "sh")
    assert [written for written in walk.instead if written not in commands] == []
    assert LATER in DOCUMENT


def test_the_first_reading_is_in_the_console_and_what_was_granted_leaves(walk: Walk, browser: Any) -> None:
    address = re.search(r"http://localhost:8080/", DOCUMENT)[0].replace("8080", str(walk.console_port))  # type: ignore[index]
    visit(browser, SimpleNamespace(url=address), "", "Kitchen fridge")
    see(browser, "All is well")
    shown = card(browser, "Kitchen fridge")
    assert "Connected" in shown.text
    reading = re.compile(r"Fridge temperature\s+\d+\.\d °C")
    until(browser, lambda: reading.search(card(browser, "Kitchen fridge").text), "no value")
    see(browser, "1 thing is shared")
    # Somebody looks, so the board measures every second.
    sent = walk.pi.home / "house" / "sent.jsonl"
    wait(lambda: sent.exists() and sent.stat().st_size)
    event = json.loads(sent.read_text().splitlines()[0])
    assert "temperature" in json.dumps(event)
    assert "Nothing is wrong" in walk.pi.type("hearthgate doctor")
    walk.pi.type("hearthgate audit verify")
    print(f"\nthe walk took {walk.took_s:.1f} s")


def test_no_secret_is_shown_or_readable_by_others(walk: Walk) -> None:
    house = walk.pi.home / "house"
    secrets = [file.read_text().strip() for file in (house / "broker").glob("*.password")]
    said = walk.pi.said + walk.pi.log("hearthgate") + walk.pi.log("hearthgate-broker") + "".join(walk.board.console)
    assert [secret for secret in (*secrets, WIFI_PASSWORD) if secret in said] == []
    assert house.stat().st_mode & 0o077 == 0


def test_an_update_goes_over_the_air_through_that_broker(walk: Walk) -> None:
    def firmware() -> str:
        return str(json.loads(walk.pi.type("hearthgate devices list --json"))[0]["firmware"])

    before = firmware()
    resets = walk.board.resets
    walk.follow(DOCUMENT.partition(LATER)[2])
    wait(lambda: firmware() == "9.9.9")
    assert before != "9.9.9"
    assert walk.board.resets == resets + 1


def test_a_board_is_not_given_an_address_that_the_brokers_certificate_is_not_for(walk: Walk) -> None:
    command = "hearthgate flash --port /dev/ttyUSB0 --board fridge-esp32c3 --broker 192.0.2.77"
    said = walk.pi.type(f"! {walk.typed(command)}")
    assert "would not believe the broker at 192.0.2.77" in said
    assert "hearthgate broker setup" in said
