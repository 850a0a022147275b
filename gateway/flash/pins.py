"""Whether a board's parts can be wired as its board.toml says: every mistake is a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from pydantic import BaseModel

from gateway.flash.chips import DevKit
from gateway.flash.parts import Part, Role

__all__ = ["check", "check_cable"]


class _CablePins(BaseModel):
    tx: int
    rx: int


class _Cable(Part):
    """A UART towards the gateway: no part, but it takes pins as one does."""

    MODULE = "serial_port"
    ROLES: ClassVar[dict[str, Role]] = {"tx": Role("RX", "out"), "rx": Role("TX", "in")}

    pins: _CablePins


def check(board: str, kit: DevKit, parts: Sequence[Part]) -> list[str]:
    """What is wrong with the pins of `parts` on that kit: "BOARD: parts.NAME.pins.ROLE: …", one for each pin at most.

    A pin may be used once, except by a bus whose parts have addresses of their own; it must be one that the kit brings
    out, that neither the chip nor the kit needs, and that can do what the part asks.
    """
    return [f"{board}: parts.{part.name}.pins.{key}: {why}" for part, key, why in _wrong(kit, parts)]


def check_cable(kit: DevKit, parts: Sequence[Part], uart: int, tx: int, rx: int) -> list[str]:
    """What keeps a cable from that UART and those pins of a kit with these parts: "tx: GPIO…, and what to use instead",
    a sentence each."""
    wrong = []
    if uart not in kit.chip.uarts:
        has = " or ".join(map(str, kit.chip.uarts))
        why = "is the prompt's own" if uart == 0 else f"does not exist on the {kit.chip.title}"
        wrong.append(f"UART{uart} {why}; use {has}")
    cable = _Cable(driver="cable", name="cable", title="cable", pins=_CablePins(tx=tx, rx=rx))
    return wrong + [f"{key}: {why}" for part, key, why in _wrong(kit, (*parts, cable)) if part is cable]


def _wrong(kit: DevKit, parts: Sequence[Part]) -> Iterator[tuple[Part, str, str]]:
    """(part, role, why and what instead) of each pin that is wrong."""
    used: dict[int, tuple[Part, str]] = {}
    taken = {pin for part in parts for pin in part.pin_of().values()}
    for part in parts:
        for key, pin in part.pin_of().items():
            role = part.ROLES[key]
            why = _other_use(pin, part, key, used) or _unfit(pin, part, role, kit)
            if why is not None:
                fit = [free for free in kit.free if free not in taken and _unfit(free, part, role, kit) is None]
                yield part, key, f"GPIO{pin} {why}; {_instead(fit, kit)}"
            used.setdefault(pin, (part, key))


def _other_use(pin: int, part: Part, key: str, used: dict[int, tuple[Part, str]]) -> str | None:
    if pin not in used:
        return None
    other, other_key = used[pin]
    if part.ROLES[key].bus and other is not part and other.driver == part.driver and other_key == key:
        if other.row()[2].get("address") != part.row()[2].get("address"):
            return None
        return f"is the bus of {other.name}, which has the same address"
    return f"is used by {other.name} already ({other_key})"


def _unfit(pin: int, part: Part, role: Role, kit: DevKit) -> str | None:
    """Why that pin cannot play that role, or None."""
    chip = kit.chip
    if pin not in chip.pins:
        return f"does not exist on the {chip.title}"
    if pin in kit.fitted:
        # Whoever made the kit has seen to it that its own button or LED does no harm on a strapping pin.
        if kit.fitted[pin] == part.driver:
            return None
        return f"carries the {kit.name}'s own {kit.fitted[pin]}"
    if pin in chip.taken:
        return chip.taken[pin]
    if pin not in kit.header:
        return f"is not brought out by the {kit.name}"
    if pin in chip.input_only:
        if role.direction in ("out", "both"):
            return "is an input only"
        if role.pull:
            return "has no pull-up in the chip"
    if role.direction == "adc" and pin not in chip.adc:
        return "is no input of the ADC that works beside Wi-Fi"
    return None


def _instead(fit: Iterable[int], kit: DevKit) -> str:
    pins = ", ".join(map(str, fit))
    return f"use one of {pins}" if pins else f"no other pin of the {kit.name} is left for it"
