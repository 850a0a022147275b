"""Whether a board's parts fit together: its kit, its channels and its modules. (Pins are pins.py.)"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gateway.flash import chips, pins
from gateway.flash.parts import Part, Reed, Relay, Sht3x

__all__ = ["check"]

_KETTLE: Final = {
    "heater": ("relay",),
    "base": ("reed",),
    "water_mass": ("hx711",),
    "water_temp": ("ds18b20", "thermistor"),
}
"""The parts without which a kettle does not heat (firmware/kettle.py), and the drivers that each may have."""

_READ_FROM: Final = {"heating": "heater", "water_mass": "water_mass", "water_temp": "water_temp"}
"""What a kettle's channels are read from, where it has them."""


def check(
    board: str,
    *,
    kind: str,
    chip: str,
    devkit: str | None,
    parts: Sequence[Part],
    channels: Mapping[str, str | None],
    modules: Collection[str],
) -> list[str]:
    """What is wrong with a board, a sentence each: "BOARD: KEY: …, and what to use instead"; none for a sound one.

    channels: each one's driver, or None for an event. modules: names of the modules that go on the board beside the
    firmware's own. A board without parts has a driver module of its own, which knows its pins itself.
    """
    if (devkit is not None) != bool(parts):
        return [f"{board}: board.devkit: goes with parts; it is the development kit that they are wired to"]
    if devkit is None:
        return []
    kit = chips.find_devkit(devkit)
    if kit is None:
        return [f"{board}: board.devkit: {devkit} is not known; use one of {', '.join(chips.devkits())}"]
    if kit.chip.name != chip:
        return [f"{board}: board.chip: is {chip}, but the {devkit} has an {kit.chip.title}; use {kit.chip.name}"]
    wrong = _check_kettle(board, parts, channels) if kind == "kettle" else []
    wrong += _check_names(board, parts, channels) + _check_modules(board, parts, modules) + _check_bus(board, parts)
    return wrong + pins.check(board, kit, parts)


def _check_kettle(board: str, parts: Sequence[Part], channels: Mapping[str, str | None]) -> list[str]:
    """What would keep its heater off for ever, or switch it on when nobody asked."""
    known = {part.name: part for part in parts}
    wrong = []
    for name, drivers in _KETTLE.items():
        part = known.get(name)
        if part is None:
            wrong.append(
                f"{board}: parts: a kettle does not heat without one named {name}; use a {' or '.join(drivers)}"
            )
        elif part.driver not in drivers:
            wrong.append(f"{board}: parts.{name}.driver: is {part.driver}; of a kettle use a {' or '.join(drivers)}")
        elif isinstance(part, Relay) and not part.on:
            wrong.append(
                f"{board}: parts.{name}.on: is 0, so whatever holds its wire low heats, also while the chip starts or "
                "is broken; use 1, and a certified relay or SSR that a high level switches on"
            )
        elif isinstance(part, Reed) and not part.closed:
            wrong.append(f"{board}: parts.{name}.closed: is 0, so a cut wire would read as standing on the base; use 1")
    for channel, name in _READ_FROM.items():
        if channels.get(channel, name) != name:
            wrong.append(f"{board}: channels.{channel}.driver: is {channels[channel]}; of a kettle use {name}")
    return wrong


def _check_bus(board: str, parts: Sequence[Part]) -> list[str]:
    """The firmware opens one I2C: whoever opens it with other pins takes it from the first."""
    on_bus = [part for part in parts if isinstance(part, Sht3x)]
    return [
        f"{board}: parts.{part.name}.pins: the board's one I2C is that of {on_bus[0].name}; use its pins too (scl "
        f"{on_bus[0].pins.scl}, sda {on_bus[0].pins.sda}), and the other address"
        for part in on_bus[1:]
        if part.pins != on_bus[0].pins
    ]


def _check_names(board: str, parts: Sequence[Part], channels: Mapping[str, str | None]) -> list[str]:
    names = [name for part in parts for name in part.driver_names()]
    wrong = []
    for name in sorted(set(names)):
        if names.count(name) > 1:
            wrong.append(f"{board}: parts.{name}.name: is used twice; use another for each part")
        if name == "tasks":
            wrong.append(f"{board}: parts.{name}.name: has another meaning for the firmware; use any other")
    for channel, driver in channels.items():
        if driver is not None and driver not in names:
            known = ", ".join(names)
            wrong.append(f"{board}: channels.{channel}.driver: no part is named {driver}; use one of {known}")
    return wrong


def _check_modules(board: str, parts: Sequence[Part], modules: Collection[str]) -> list[str]:
    return [
        f"{board}: drivers.files: has no {module}.py, which {part.name} needs; use that one too"
        for part in parts
        for module in part.modules()
        if module not in modules
    ]
