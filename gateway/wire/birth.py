"""The birth: what a device says it is. Everything that names or scales its values comes from here."""

import re
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any

import cbor2

from gateway.wire.columns import MAX_CHANNELS
from gateway.wire.errors import BirthError
from gateway.wire.frame import MAX_CHANNEL, MAX_COUNTER, VERSION, Frame, integer, load

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CATEGORY = re.compile(r"[a-z][a-z0-9_-]{0,31}")  # a word of consent, which has hyphens
_MAX_TEXT = 64
_MAX_SCALE = 10**9


class ValueKind(IntEnum):
    """What a channel's numbers are."""

    GAUGE = 0
    STATE = 1
    COUNTER = 2
    EVENT = 3


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: reading = value * num / den in the SenML unit (RFC 8428 registry)."""

    name: str
    unit: str
    num: int
    den: int
    kind: ValueKind
    category: str

    def scaled(self, value: int) -> float | int:
        """The reading in `unit`."""
        scaled = Fraction(value * self.num, self.den)
        return scaled.numerator if scaled.denominator == 1 else float(scaled)


@dataclass(frozen=True, slots=True)
class Birth:
    """A device at one boot."""

    boot: int
    kind: str
    model: str
    firmware: str
    name: str
    channels: tuple[Channel, ...]

    @property
    def series(self) -> tuple[tuple[int, Channel], ...]:
        """(channel index, channel) of the columns of a frame, in order."""
        return tuple((i, c) for i, c in enumerate(self.channels) if c.kind is not ValueKind.EVENT)

    def fits(self, frame: Frame) -> bool:
        """Whether a frame's columns and events are of this device. A gap has neither, and fits any."""
        if frame.gap is not None:
            return True
        if frame.events:
            return all(e.channel < len(self.channels) for e in frame.events)
        return len(frame.columns) == len(self.series)


def decode_birth(payload: bytes) -> Birth:
    """Decode the payload of a sealed birth. Raises BirthError or VersionError."""
    item = load(payload, BirthError)
    if len(item) != 7:
        raise BirthError(f"a birth has 7 items, not {len(item)}")
    _, boot, kind, model, firmware, name, channels = item
    integer(boot, 1, MAX_COUNTER, "boot", BirthError)
    _name(kind, "kind")
    _text(model, "model")
    _text(firmware, "firmware")
    _text(name, "name")
    if type(channels) is not list or not 1 <= len(channels) <= MAX_CHANNEL + 1:
        raise BirthError(f"a device has 1 to {MAX_CHANNEL + 1} channels")
    birth = Birth(boot, kind, model, firmware, name, tuple(map(_channel, channels)))
    if len({c.name for c in birth.channels}) != len(birth.channels):
        raise BirthError("two channels have the same name")
    if len(birth.series) > MAX_CHANNELS:
        raise BirthError(f"a device has at most {MAX_CHANNELS} series channels")
    return birth


def encode_birth(birth: Birth) -> bytes:
    """The payload of a birth (boards do this in firmware; tests and tools here)."""
    channels = [[c.name, c.unit, c.num, c.den, int(c.kind), c.category] for c in birth.channels]
    item = [VERSION, birth.boot, birth.kind, birth.model, birth.firmware, birth.name, channels]
    return cbor2.dumps(item, canonical=True)


def _channel(item: Any) -> Channel:
    if type(item) is not list or len(item) != 6:
        raise BirthError("a channel is [name, unit, num, den, kind, category]")
    name, unit, num, den, kind, category = item
    _name(name, "channel name")
    _text(unit, "unit")
    integer(num, 1, _MAX_SCALE, "num", BirthError)
    integer(den, 1, _MAX_SCALE, "den", BirthError)
    integer(kind, 0, max(ValueKind), "kind of value", BirthError)
    if type(category) is not str or not _CATEGORY.fullmatch(category):
        raise BirthError(f"category is {category!r:.40}; it must be a word of consent such as temperature")
    return Channel(name, unit, num, den, ValueKind(kind), category)


def _name(value: Any, what: str) -> None:
    if type(value) is not str or not _NAME.fullmatch(value):
        raise BirthError(f"{what} is {value!r:.40}; it must be a lower-case word of up to 32 letters, digits and _")


def _text(value: Any, what: str) -> None:
    if type(value) is not str or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise BirthError(f"{what} is {value!r:.80}; it must be 1 to {_MAX_TEXT} printable characters")
