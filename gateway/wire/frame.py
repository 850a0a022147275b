"""Frames, as sealed by a board (format: frame.cddl). Every length and number is bounded before it is used."""

from collections.abc import Iterable
from dataclasses import dataclass, field
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
MAX_EACH = 65_535
MAX_CHANNEL = 63


@dataclass(frozen=True, slots=True)
class Event:
    """One event: channel index, milliseconds after the frame's uptime, scaled value."""

    channel: int
    offset_ms: int
    value: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames `first` to `last` of `boot`, which their board no longer holds: what did not arrive of them never will."""

    boot: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `uptime_ms` and `time_s` are those of the first row; `time_s` is None while the board had no clock.

    One of three is there: `columns` (one list of scaled integers a series channel, None = missing), `events` or `gap`.
    A thinned frame (`each` > 1) has a row for `each` measured ones: `columns` are their means, `lows` and `highs` their
    ends; row i covers `step_ms` from `uptime_ms` + i * `step_ms` on.
    """

    boot: int
    seq: int
    time_s: int | None
    uptime_ms: int
    step_ms: int
    rows: int
    columns: list[Column]
    events: tuple[Event, ...]
    each: int = 1
    lows: list[Column] = field(default_factory=list)
    highs: list[Column] = field(default_factory=list)
    gap: Gap | None = None

    @property
    def time_ms(self) -> int | None:
        """Unix milliseconds of the first row: the board keeps whole seconds in step with its uptime."""
        return None if self.time_s is None else self.time_s * 1000 + self.uptime_ms % 1000

    @property
    def readings(self) -> int:
        """Rows, or events; none in a gap."""
        return self.rows or len(self.events)

    @property
    def values(self) -> int:
        """Numbers, without the missing ones; three for each of a thinned frame."""
        if self.events:
            return len(self.events)
        return sum(len(c) - c.count(None) for c in self.columns) * (1 if self.each == 1 else 3)


def decode(payload: bytes) -> Frame:
    """Decode the payload of a sealed frame. Raises FrameError or VersionError."""
    check_version(leading_integers(payload, 1), FrameError)
    item: list[Any] = read_sequence(payload, FrameError)
    if len(item) not in (6, 8, 9):
        raise FrameError(f"a frame has 6, 8 or 9 items, not {len(item)}")
    boot, seq, time_s, uptime_ms = item[1:5]
    integer(boot, 1, MAX_COUNTER, "boot")
    integer(seq, 1, MAX_COUNTER, "seq")
    if time_s is not None:
        integer(time_s, 0, MAX_TIME_S, "time_s")
    integer(uptime_ms, 0, MAX_UPTIME_MS, "uptime_ms")
    body = item[-1]
    if type(body) is bytes:
        if len(item) == 6:
            return Frame(boot, seq, time_s, uptime_ms, 0, 1, unpack(body, 1), ())
        step_ms, rows = item[5:7]
        integer(step_ms, 1, MAX_STEP_MS, "step_ms")
        integer(rows, 2 if len(item) == 8 else 1, MAX_ROWS, "rows")
        if len(item) == 8:
            return Frame(boot, seq, time_s, uptime_ms, step_ms, rows, unpack(body, rows), ())
        integer(item[7], 2, MAX_EACH, "each")
        lows, means, highs = _thirds(unpack(body, rows))
        return Frame(boot, seq, time_s, uptime_ms, step_ms, rows, means, (), item[7], lows, highs)
    if type(body) is list and len(item) == 6:
        return Frame(boot, seq, time_s, uptime_ms, 0, 0, [], _events(body))
    if type(body) is int and len(item) == 8:
        return Frame(boot, seq, time_s, uptime_ms, 0, 0, [], (), gap=_gap(boot, seq, item[5:]))
    raise FrameError("a frame ends with packed columns, with events or with the numbers of a gap")


def _thirds(columns: list[Column]) -> tuple[list[Column], list[Column], list[Column]]:
    """(lows, means, highs) of a thinned frame: in every row in this order, or missing together."""
    n, left = divmod(len(columns), 3)
    if left:
        raise FrameError(f"a thinned frame has three columns a channel, so {len(columns)} is too many or too few")
    lows, means, highs = columns[:n], columns[n : 2 * n], columns[2 * n :]
    for column in zip(lows, means, highs, strict=True):
        if not all(map(_ascending, *column)):
            raise FrameError("a thinned row has a mean that is not between its lowest and its highest value")
    return lows, means, highs


def _ascending(low: int | None, mean: int | None, high: int | None) -> bool:
    if low is None or mean is None or high is None:
        return low is mean is high
    return low <= mean <= high


def _gap(boot: int, seq: int, numbers: Iterable[Any]) -> Gap:
    gap_boot, first, last = numbers
    integer(gap_boot, 1, boot, "gap_boot")
    integer(last, 1, MAX_COUNTER, "last")
    integer(first, 1, last, "first")
    if gap_boot == boot and last >= seq:
        # A gap never covers itself or what comes after it.
        raise FrameError(f"frame {seq} says that frame {last} of the same boot is gone, which comes no earlier")
    return Gap(gap_boot, first, last)


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
