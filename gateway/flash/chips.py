"""What chips can do on which pin, and what their development kits bring out: data, not code (chips.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Chip", "DevKit", "devkits", "find_devkit"]


@dataclass(frozen=True)
class Chip:
    """`taken` says of each pin that is not for parts what it is for instead: "is wired to the flash chip". `uarts`: the
    numbers of those that a cable may use."""

    name: str
    title: str
    pins: frozenset[int]
    input_only: frozenset[int]
    adc: frozenset[int]
    taken: dict[int, str]
    uarts: tuple[int, ...]


@dataclass(frozen=True)
class DevKit:
    """`left` and `right` are its headers from top to bottom: a GPIO's number, or what else the pin is called. `fitted`
    maps the pins that carry a part of the kit's own to the driver that it takes."""

    name: str
    chip: Chip
    left: tuple[int | str, ...]
    right: tuple[int | str, ...]
    fitted: dict[int, str]

    @property
    def header(self) -> frozenset[int]:
        """The GPIOs that something can be wired to."""
        return frozenset(pin for pin in (*self.left, *self.right) if isinstance(pin, int))

    @property
    def free(self) -> tuple[int, ...]:
        """The GPIOs for parts, in order: brought out, and neither taken nor fitted with something."""
        return tuple(sorted(self.header - self.chip.taken.keys() - self.fitted.keys()))


def _numbers(ranges: list[list[int]]) -> frozenset[int]:
    return frozenset(pin for first, last in ranges for pin in range(first, last + 1))


def _chip(name: str, table: dict[str, Any]) -> Chip:
    taken = {pin: group["why"] for group in table["taken"] for pin in _numbers(group["pins"])}
    pins, input_only, adc = (_numbers(table[key]) for key in ("pins", "input_only", "adc"))
    return Chip(name, table["title"], pins, input_only, adc, taken, tuple(table["uarts"]))


def _devkit(name: str, table: dict[str, Any], chip: Chip) -> DevKit:
    fitted = {pin: driver for driver, pins in table["fitted"].items() for pin in pins}
    return DevKit(name, chip, tuple(table["left"]), tuple(table["right"]), fitted)


@cache
def devkits() -> dict[str, DevKit]:
    """Every development kit by its name, as its maker writes it."""
    data = tomllib.loads((files("gateway.flash") / "chips.toml").read_text(encoding="utf-8"))
    chips = {name: _chip(name, table) for name, table in data["chips"].items()}
    return {name: _devkit(name, table, chips[table["chip"]]) for name, table in data["devkits"].items()}


def find_devkit(name: str) -> DevKit | None:
    """The development kit of that name, or None."""
    return devkits().get(name)
