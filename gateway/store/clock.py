"""When the readings of a boot were taken. Pure: it sees one frame after the other, in the order of their numbers.

A frame says its uptime, which only grows, and the board's clock, which may be missing or wrong, and may jump. The
distance of the two is the boot's offset. Frames get their time from the offset, and the offset changes only so far that
no reading is placed before one that was measured before it: not within a boot, and not against the boots beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from gateway.wire.frame import MAX_TIME_S, Frame

MEASURED, PLACED, ARRIVAL = 0, 1, 2
LABELS = ("measured", "placed", "arrival")

EARLIEST_S = 1_735_689_600
"""2025-01-01, before any board of ours: a clock that says less was never set."""
APART_MS = 300_000
"""How far two honest clocks may lie apart. A board that is further ahead of the gateway, or further behind its own last
boot, does not know the time."""


@dataclass(frozen=True, slots=True)
class Span:
    """Uptimes of the first and the last reading of a frame; None for a frame without any. `series`: rows, not events.

    `starts_ms` is the frame's own uptime, and `own_s` the offset that its clock gives, if it had one.
    """

    starts_ms: int
    first_ms: int | None
    last_ms: int | None
    series: bool
    own_s: int | None

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """The span of a frame."""
        starts_ms = frame.uptime_ms
        own_s = None if frame.time_s is None else frame.time_s - starts_ms // 1000
        if frame.rows:
            # A thinned row stands for `each`, the last of which is almost a step later.
            last_ms = starts_ms + frame.rows * frame.step_ms - frame.step_ms // frame.each
            return cls(starts_ms, starts_ms, last_ms, series=True, own_s=own_s)
        if frame.events:
            offsets = [event.offset_ms for event in frame.events]
            return cls(starts_ms, starts_ms + min(offsets), starts_ms + max(offsets), series=False, own_s=own_s)
        return cls(starts_ms, None, None, series=False, own_s=own_s)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """When the last reading of the boots before was taken, and the first of the boots after, as far as known."""

    before_ms: int | None = None
    after_ms: int | None = None

    @classmethod
    def of(cls, ends_ms: Iterable[int | None], begins_ms: Iterable[int | None], received_ms: int) -> Self:
        """From the ends of the boots before and the beginnings of those after, for a frame that came at this time."""
        # An end in the future is that of a time when the gateway's own clock was wrong: it says nothing.
        ends = [end for end in ends_ms if end is not None and end <= received_ms + APART_MS]
        begins = [begin for begin in begins_ms if begin is not None]
        return cls(max(ends, default=None), min(begins, default=None))


@dataclass(slots=True)
class Clock:
    """The time of one boot. `offset_s`: Unix seconds at uptime 0. `begin_ms`, `end_ms`: times of its first and latest
    reading. `ahead_ms`: uptime of an event that may lie behind the beginning of rows that are still to come."""

    offset_s: int | None = None
    begin_ms: int | None = None
    end_ms: int | None = None
    ahead_ms: int | None = None

    def accepts(self, span: Span, received_ms: int) -> bool:
        """Whether the frame's own clock can be right."""
        if span.own_s is None:
            return False
        last_ms = span.starts_ms if span.last_ms is None else span.last_ms
        starts_s = span.own_s + span.starts_ms // 1000
        return starts_s >= EARLIEST_S and span.own_s * 1000 + last_ms <= received_ms + APART_MS

    def place(self, span: Span, received_ms: int, beside: Neighbours) -> tuple[int, int] | None:
        """(Unix ms of the frame's start, label) of the next frame; None while nobody can say, with nothing changed."""
        own_s = span.own_s if self.accepts(span, received_ms) else None
        if self.end_ms is None:
            offset_s = _first(own_s, beside)
            if offset_s is None:
                offset_s = self.offset_s
        else:
            offset_s = self._next(span, own_s)
        if offset_s is not None:
            offset_s = self._fitted(span, offset_s, beside)
        if offset_s is None or not _tellable(span, offset_s):
            return None
        self.keep(span, offset_s)
        return offset_s * 1000 + span.starts_ms, MEASURED if offset_s == own_s else PLACED

    def keep(self, span: Span, offset_s: int) -> None:
        """A frame was placed by this offset."""
        self.offset_s = offset_s
        if span.first_ms is None or span.last_ms is None:
            return
        first_ms, last_ms = offset_s * 1000 + span.first_ms, offset_s * 1000 + span.last_ms
        self.begin_ms = first_ms if self.begin_ms is None else min(self.begin_ms, first_ms)
        self.end_ms = last_ms if self.end_ms is None else max(self.end_ms, last_ms)
        if not span.series:
            self.ahead_ms = max(self.ahead_ms or 0, span.last_ms)
        elif self.ahead_ms is not None and span.last_ms >= self.ahead_ms:
            self.ahead_ms = None

    def _next(self, span: Span, own_s: int | None) -> int | None:
        offset_s = self.offset_s
        if offset_s is None or own_s is None or own_s == offset_s or span.first_ms is None or self.end_ms is None:
            return offset_s
        if span.series and self.ahead_ms is not None and span.first_ms < self.ahead_ms:
            return offset_s  # an event of the midst of these rows is placed already: they go with it
        if own_s > offset_s:
            return own_s if own_s * 1000 + span.first_ms >= self.end_ms else offset_s
        # Back only as far as the time since the last reading allows, so several frames may share the way; and events
        # never begin it: rows from before them may be still to come.
        return min(offset_s, max(own_s, self._least(span.first_ms))) if span.series else offset_s

    def _fitted(self, span: Span, offset_s: int, beside: Neighbours) -> int | None:
        """`offset_s`, or what is left below it of an older boot's time where the boots after it have begun already."""
        if beside.after_ms is None or span.first_ms is None or span.last_ms is None:
            return offset_s
        most_s = (beside.after_ms - span.last_ms) // 1000
        if offset_s <= most_s:
            return offset_s
        if self.offset_s is not None and not span.series:
            return None
        if self.ahead_ms is not None and span.first_ms < self.ahead_ms:
            return None
        if self.end_ms is not None:
            return most_s if most_s >= self._least(span.first_ms) else None
        return most_s if beside.before_ms is None or most_s * 1000 >= beside.before_ms else None

    def _least(self, first_ms: int) -> int:
        """The lowest offset that puts a reading of this uptime after the latest one."""
        return 0 if self.end_ms is None else (self.end_ms - first_ms) // 1000 + 1


def _first(own_s: int | None, beside: Neighbours) -> int | None:
    """The boot's first offset: not before the end of the boots before it."""
    if own_s is None:
        return None
    before_ms = beside.before_ms
    if before_ms is None or before_ms <= own_s * 1000:
        return own_s
    return None if before_ms - own_s * 1000 > APART_MS else -(-before_ms // 1000)


def _tellable(span: Span, offset_s: int) -> bool:
    """Whether these times lie where calendars reach: an uptime may be anything."""
    last_ms = span.starts_ms if span.last_ms is None else span.last_ms
    return offset_s * 1000 + span.starts_ms >= 0 and offset_s * 1000 + last_ms <= MAX_TIME_S * 1000
