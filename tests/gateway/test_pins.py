"""gateway.flash.pins and chips: what cannot be wired is said before anybody solders it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.flash.chips import DevKit, devkits, find_devkit
from gateway.flash.parts import Part, Parts
from gateway.flash.pins import check

ESP32, C3, S3 = "ESP32-DevKitC-V4", "ESP32-C3-DevKitM-1", "ESP32-S3-DevKitC-1"


class _Holder(BaseModel):
    parts: Parts


def parts(*tables: dict[str, Any]) -> tuple[Part, ...]:
    return _Holder.model_validate({"parts": [{"title": "x"} | table for table in tables]}).parts


def relay(pin: int, name: str = "heater") -> dict[str, Any]:
    return {"driver": "relay", "name": name, "pins": {"control": pin}, "on": 1}


def thermometer(pin: int, name: str = "water_temp") -> dict[str, Any]:
    return {"driver": "ds18b20", "name": name, "pins": {"data": pin}}


def reed(pin: int, name: str = "door") -> dict[str, Any]:
    return {"driver": "reed", "name": name, "pins": {"contact": pin}, "closed": 1}


def thermistor(pin: int) -> dict[str, Any]:
    return {
        "driver": "thermistor", "name": "t", "pins": {"adc": pin}, "series_ohm": 10000, "ohm_25": 10000, "beta": 3977,
    }  # fmt: skip


def sht3x(scl: int, sda: int, name: str, address: int = 0x44) -> dict[str, Any]:
    return {"driver": "sht3x", "name": name, "pins": {"scl": scl, "sda": sda}, "address": address}


def kit(name: str) -> DevKit:
    found = find_devkit(name)
    assert found is not None
    return found


def wrong(name: str, *tables: dict[str, Any]) -> list[str]:
    return check("b", kit(name), parts(*tables))


# From the data sheets: pin -> a word of why it is not for parts.
TAKEN = {
    ESP32: {
        "strapping": [0, 2, 5, 12, 15], "flash": [6, 7, 8, 9, 10, 11], "serial": [1, 3], "WROVER": [16, 17],
        "exist": [20, 24, 28, 31, 40], "brought out": [37, 38],
    },
    C3: {
        "strapping": [2], "flash": [11, 12, 13, 14, 15, 16, 17], "USB": [18, 19], "serial": [20, 21], "exist": [22, 48],
        "own neopixel": [8], "own button": [9],
    },
    S3: {
        "strapping": [3, 45, 46], "flash": [26, 32, 33, 37], "USB": [19, 20], "serial": [43, 44],
        "exist": [22, 25, 49], "own neopixel": [38, 48], "own button": [0],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "word", "pin"),
    [(name, word, pin) for name, groups in TAKEN.items() for word, pins in groups.items() for pin in pins],
)
def test_a_pin_that_is_not_for_parts_is_refused_with_its_reason_and_others(name: str, word: str, pin: int) -> None:
    if (name, pin) == (ESP32, 0):
        word = "own button"
    (sentence,) = wrong(name, thermometer(pin))
    assert sentence.startswith(f"b: parts.water_temp.pins.data: GPIO{pin} ")
    assert word in sentence
    instead = re.search(r"; use one of ([\d, ]+)$", sentence)
    assert instead, sentence
    for free in instead[1].split(", "):
        assert wrong(name, thermometer(int(free))) == []


@pytest.mark.parametrize("pin", [34, 35, 36, 39])
def test_an_input_only_pin_is_no_output_and_has_no_pull_up(pin: int) -> None:
    assert "is an input only" in wrong(ESP32, relay(pin))[0]
    assert "is an input only" in wrong(ESP32, thermometer(pin))[0]
    assert "has no pull-up in the chip" in wrong(ESP32, reed(pin))[0]
    assert wrong(ESP32, thermistor(pin)) == []
    scale = {"driver": "hx711", "name": "s", "pins": {"data": pin, "clock": 33}, "zero": 0, "per_kg": 1}
    assert wrong(ESP32, scale) == []


@pytest.mark.parametrize(("name", "good", "bad"), [(ESP32, 32, 25), (C3, 4, 5), (S3, 10, 11)])
def test_an_analog_input_is_one_that_works_beside_wifi(name: str, good: int, bad: int) -> None:
    assert wrong(name, thermistor(good)) == []
    (sentence,) = wrong(name, thermistor(bad))
    assert f"GPIO{bad} is no input of the ADC" in sentence
    assert str(good) in sentence.partition("; use one of ")[2].split(", ")


def test_a_pin_used_twice_names_both() -> None:
    (sentence,) = wrong(ESP32, relay(26), thermometer(26))
    assert sentence.startswith("b: parts.water_temp.pins.data: GPIO26 is used by heater already (control); use one of ")
    assert "26" not in sentence.partition("use one of ")[2].split(", ")
    led = {"driver": "rgb_led", "name": "led", "pins": {"red": 21, "green": 21, "blue": 18}, "on": 1}
    assert "parts.led.pins.green: GPIO21 is used by led already (red)" in wrong(ESP32, led)[0]


def test_a_bus_is_shared_by_parts_with_addresses_of_their_own() -> None:
    first, second = sht3x(4, 5, "a"), sht3x(4, 5, "b", 0x45)
    assert wrong(S3, first, second) == []
    assert len(wrong(S3, first, sht3x(4, 5, "b"))) == 2
    assert "same address" in wrong(S3, first, sht3x(4, 5, "b"))[0]
    assert "used by a already (sda)" in wrong(S3, first, sht3x(5, 4, "b", 0x45))[0]
    assert "used by a already" in wrong(S3, first, reed(4))[0]


def test_the_kits_own_button_and_led_are_where_they_are() -> None:
    button = {"driver": "button", "name": "button", "pins": {"contact": 9}}
    led = {"driver": "neopixel", "name": "led", "pins": {"data": 8}}
    assert wrong(C3, button, led) == []
    assert "carries the ESP32-C3-DevKitM-1's own neopixel" in wrong(C3, reed(8))[0]
    assert len(wrong(C3, button | {"pins": {"contact": 8}})) == 1


def test_every_mistake_is_told_at_once() -> None:
    assert len(wrong(ESP32, relay(34), thermometer(6), reed(6))) == 3


def test_where_nothing_is_left_it_says_so() -> None:
    free = kit(C3).free
    tables = [reed(pin, f"r{pin}") for pin in free]
    (sentence,) = wrong(C3, *tables, relay(free[0]))
    assert sentence.endswith("; no other pin of the ESP32-C3-DevKitM-1 is left for it")


def test_the_data_of_the_kits_is_sound() -> None:
    assert set(devkits()) == {ESP32, C3, S3}
    for found in devkits().values():
        pins = [pin for pin in (*found.left, *found.right) if isinstance(pin, int)]
        assert len(pins) == len(set(pins))
        assert found.header <= found.chip.pins
        assert found.chip.taken.keys() <= found.chip.pins
        assert found.chip.input_only <= found.chip.pins
        assert found.fitted.keys() <= found.header
        assert len(found.free) >= 8
    assert find_devkit("ESP8266") is None
