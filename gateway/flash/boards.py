"""Whether a board's parts fit together: its kit, its channels and its modules. (Pins are pins.py.)"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.flash import chips, pins
from gateway.flash.parts import Part

__all__ = ["check"]


def check(
    board: str,
    *,
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
    return _check_names(board, parts, channels) + _check_modules(board, parts, modules) + pins.check(board, kit, parts)


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
