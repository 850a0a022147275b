"""gateway.flash.configuring: how a board on a cable comes to be one, stays one and ends as one.

Broker and Wi-Fi are in test_contents.py.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gateway.flash.boardfile import BoardFileError, to_board_json
from gateway.flash.configuring import Cable, choose_cable, table
from gateway.flash.remote import FlashError
from gateway.flash.sources import find_board
from tools import onboard

KEY = bytes(range(32))
USB = {"link": "serial", "serial": {"usb": True}}
UART = {"link": "serial", "serial": {"uart": 1, "tx": 27, "rx": 14, "baud": 9600}}
RADIO = {"mqtt": {"host": "pi.lan"}, "wifi": {"ssid": "House"}}


def chosen(
    given: str | None, stored: dict[str, Any] | None = None, *, board: str = "kettle-esp32", network: bool = False
) -> Cable | None:
    return choose_cable(find_board(board), given, stored or {}, network=network)


def test_a_cable_is_the_line_of_the_prompt_or_a_uart_with_its_pins() -> None:
    assert chosen("usb") == Cable()
    assert chosen("1:27:14") == Cable(1, 27, 14)
    assert chosen("1:17:18:921600", board="fridge-esp32s3") == Cable(1, 17, 18, 921_600)
    assert chosen("none") is None
    assert chosen(None) is None


@pytest.mark.parametrize("stored", [USB, UART])
def test_a_board_stays_on_its_cable_until_something_else_is_said(stored: dict[str, Any]) -> None:
    before = chosen(None, stored)
    assert before is not None
    assert before.table == stored["serial"]
    assert chosen("none", stored) is None
    assert chosen(None, stored, network=True) is None
    assert chosen("usb", UART) == Cable()


@pytest.mark.parametrize(
    "stored",
    [
        RADIO,
        {"link": "serial"},
        {"link": "serial", "serial": 1},
        {"link": "serial", "serial": {"uart": 1, "tx": True, "rx": "2"}},
        {"link": "serial", "serial": {"path": "/dev/ttyS0"}},
        {"serial": {"usb": True}},
    ],
)
def test_what_was_no_cable_is_none(stored: dict[str, Any]) -> None:
    assert chosen(None, stored) is None


@pytest.mark.parametrize(
    "given", ["", "USB", "1", "1:27", "1:27:14:", "1:27:14:300", "1:27:14:9999999", "x:1:2", "1:-1:2"]
)
def test_what_is_no_cable_says_what_one_is(given: str) -> None:
    with pytest.raises(FlashError, match="give usb, or UART:TX:RX"):
        chosen(given)


@pytest.mark.parametrize("given", ["usb", "1:27:14"])
def test_a_cable_and_a_network_are_one_too_many(given: str) -> None:
    with pytest.raises(FlashError, match="leave out"):
        chosen(given, network=True)


@pytest.mark.parametrize(
    ("board", "given", "says"),
    [
        ("kettle-esp32", "1:26:27", r"tx: GPIO26 is used by heater already \(control\); use one of 4, 13, 14"),
        ("kettle-esp32", "1:27:16", "rx: GPIO16 is wired to the memory of WROVER modules; use one of"),
        ("kettle-esp32", "1:34:27", "tx: GPIO34 is an input only"),
        ("kettle-esp32", "1:27:27", "rx: GPIO27 is used by cable already"),
        ("kettle-esp32", "0:27:14", "UART0 is the prompt's own; use 1 or 2"),
        ("kettle-esp32", "3:27:14", "UART3 does not exist on the ESP32; use 1 or 2"),
        ("fridge-esp32c3", "2:1:10", "UART2 does not exist on the ESP32-C3; use 1"),
        ("fridge-esp32c3", "1:1:30", "rx: GPIO30 does not exist on the ESP32-C3"),
        ("fridge-sim", "1:17:18", "is emulated and has no UART: use --cable usb"),
    ],
)
def test_a_uart_or_a_pin_that_cannot_be_is_refused_with_another(board: str, given: str, says: str) -> None:
    with pytest.raises(FlashError, match=says):
        chosen(given, board=board)


def test_also_where_the_board_had_it_before() -> None:
    with pytest.raises(FlashError, match="GPIO26"):
        chosen(None, {"link": "serial", "serial": {"uart": 1, "tx": 26, "rx": 27}})


@pytest.mark.parametrize("cable", [Cable(), Cable(1, 27, 14, 9600)])
def test_its_board_json_names_the_cable_and_no_network_and_the_firmware_takes_it(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = table(find_board("kettle-esp32"), device="5e0000000001", key=KEY, name="Kettle", broker=cable, wifi=None)
    assert (made["link"], made["serial"], made["wifi"]) == ("serial", cable.table, None)
    assert "mqtt" not in made
    assert "device" not in made, "the chip's own id"
    assert choose_cable(find_board("kettle-esp32"), None, made, network=False) == cable
    monkeypatch.setitem(sys.modules, "serial_config", onboard.load("serial_config"))
    read = onboard.load("config").check(made, "5e0000000001")
    assert (read.link, read.mqtt.host) == ("serial", cable.table)


def test_a_cable_that_is_none_does_not_reach_a_board() -> None:
    with pytest.raises(BoardFileError, match=r"serial\.baud"):
        to_board_json(
            find_board("kettle-esp32"), device=None, key_hex=KEY.hex(), name=None, mqtt=None, wifi=None, sim=None,
            serial={"uart": 1, "baud": 3},
        )  # fmt: skip
