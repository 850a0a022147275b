"""Frames, as sealed by a board (format: frame.cddl). Every length and number is bounded before it is used."""

from dataclasses import dataclass
from typing import Any

from gateway.wire.columns import MAX_ROWS, VALUE_MAX, VALUE_MIN, Column, unpack
from gateway.wire.errors import FrameError, VersionError
from gateway.wire.item import leading_integers, read, read_sequence

VERSION = 1
MAX_EVENTS = 256
MAX_COUNTER = 2**32 - 1
MAX_UPTIME_MS = 2**48
MAX_TIME_S = 2**36
MAX_STEP_MS = 2**31 - 1
MAX_CHANNEL = 63


@dataclass(frozen=True, slots=True)
class Event:
    """One event: channel index, milliseconds after the frame's uptime, scaled value."""

    channel: int
    offset_ms: int
    value: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `uptime_ms` and `time_s` are those of the first row; `time_s` is None while the board had no clock.

    Either `columns` (one list of scaled integers a series channel, None = missing) or `events` is not empty.
    """

    boot: int
    seq: int
    time_s: int | None
    uptime_ms: int
    step_ms: int
    rows: int
    columns: list[Column]
    events: tuple[Event, ...]

    @property
    def time_ms(self) -> int | None:
        """Unix milliseconds of the first row: the board keeps whole seconds in step with its uptime."""
        return None if self.time_s is None else self.time_s * 1000 + self.uptime_ms % 1000

    @property
    def readings(self) -> int:
        """Rows, or events."""
        return self.rows or len(self.events)

    @property
    def values(self) -> int:
        """Numbers, without the missing ones."""
        if self.events:
            return len(self.events)
        return sum(len(c) - c.count(None) for c in self.columns)


def decode(payload: bytes) -> Frame:
    """Decode the payload of a sealed frame. Raises FrameError or VersionError."""
    check_version(leading_integers(payload, 1), FrameError)
    item: list[Any] = read_sequence(payload, FrameError)
    if len(item) not in (6, 8):
        raise FrameError(f"a frame has 6 or 8 items, not {len(item)}")
    boot, seq, time_s, uptime_ms = item[1:5]
    integer(boot, 1, MAX_COUNTER, "boot")
    integer(seq, 1, MAX_COUNTER, "seq")
    if time_s is not None:
        integer(time_s, 0, MAX_TIME_S, "time_s")
    integer(uptime_ms, 0, MAX_UPTIME_MS, "uptime_ms")
    step_ms, rows = 0, 1
    if len(item) == 8:
        step_ms, rows = item[5:7]
        integer(step_ms, 1, MAX_STEP_MS, "step_ms")
        integer(rows, 2, MAX_ROWS, "rows")
    body = item[-1]
    if type(body) is bytes:
        return Frame(boot, seq, time_s, uptime_ms, step_ms, rows, unpack(body, rows), ())
    if type(body) is list and len(item) == 6:
        return Frame(boot, seq, time_s, uptime_ms, 0, 0, [], _events(body))
    raise FrameError("a frame ends with packed columns or with events")


def _events(flat: list[Any]) -> tuple[Event, ...]:
    if not flat or len(flat) % 3 or len(flat) > 3 * MAX_EVENTS:
        raise FrameError(f"a frame holds 1 to {MAX_EVENTS} events of three numbers each")
    for channel, offset_ms, value in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        integer(channel, 0, MAX_CHANNEL, "channel")
        integer(offset_ms, 0, MAX_STEP_MS, "offset_ms")
        integer(value, VALUE_MIN, VALUE_MAX, "value")
    return tuple(map(Event, flat[::3], flat[1::3], flat[2::3]))


def load(payload: bytes, error: type[Exception]) -> list[Any]:
    """The array of a birth or state of our version. Raises `error`, or VersionError whatever a later version holds."""
    check_version(leading_integers(payload, 1, at=1), error)
    item = read(payload, error)
    if type(item) is not list:
        raise error("a message is a CBOR array that begins with its version")
    return item


def check_version(lead: list[int], error: type[Exception]) -> None:
    """Raise VersionError if a message begins with another version than ours, and `error` if it begins with none."""
    if not lead:
        raise error("a message begins with its version")
    if lead[0] != VERSION:
        raise VersionError(f"version {lead[0]}; this gateway reads version {VERSION}")


def integer(value: Any, low: int, high: int, name: str, error: type[Exception] = FrameError) -> None:
    """Raise `error` unless `value` is an int (not a bool) in [low, high]."""
    if type(value) is not int or not low <= value <= high:
        raise error(f"{name} is {value!r:.40}; it must be a whole number from {low} to {high}")
