"""The frames of tests/wire/vectors.json: what each is for, what it means, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from tools import handpack, onboard
from tools.handpack import DENSE, Coding

__all__ = ["HIGH", "LOW", "FrameVector", "Values", "frames", "sequence"]

LOW, HIGH = -(2**29), 2**29 - 1

Values = Sequence[int | None]


@dataclass(frozen=True)
class FrameVector:
    """One frame. With `codings` (one a column) it is packed by hand: a board would not choose it, but a reader must
    take it. `presence` writes that of every row though none is missing. With `each` it is thinned: `columns` are
    the lows, the means and the highs."""

    name: str
    why: str
    columns: Sequence[Values] = ()
    events: Sequence[tuple[int, int, int]] = ()
    gap: tuple[int, int, int] | None = None
    boot: int = 7
    seq: int = 42
    time_s: int | None = 1_780_000_000
    uptime_ms: int = 3_600_250
    step_ms: int = 10_000
    each: int = 1
    codings: Sequence[Coding] = ()
    presence: bool = False

    @property
    def by_board(self) -> bool:
        """Whether the firmware must produce exactly these bytes."""
        return not self.codings

    def meaning(self) -> dict[str, Any]:
        """What a reader must find in it. A lone row, events and a gap carry no step: it reads as 0."""
        rows = len(self.columns[0]) if self.columns else 0
        head = {"boot": self.boot, "seq": self.seq, "time_s": self.time_s, "uptime_ms": self.uptime_ms}
        if self.events:
            return {**head, "step_ms": 0, "events": [list(event) for event in self.events]}
        if self.gap:
            return {**head, "step_ms": 0, "gap": dict(zip(("boot", "first", "last"), self.gap, strict=True))}
        if self.each > 1:
            n = len(self.columns) // 3
            names = {"lows": self.columns[:n], "columns": self.columns[n : 2 * n], "highs": self.columns[2 * n :]}
            named = {name: [list(c) for c in columns] for name, columns in names.items()}
            return {**head, "step_ms": self.step_ms, "each": self.each, **named}
        return {**head, "step_ms": self.step_ms if rows > 1 else 0, "columns": [list(c) for c in self.columns]}

    def payload(self) -> bytes:
        """Its bytes: by the firmware's own encoder, or by hand."""
        if self.codings:
            packed = handpack.pack(self.columns, self.codings, presence=self.presence)
            rows = len(self.columns[0])
            series = [self.step_ms, rows] if rows > 1 or self.each > 1 else []
            thinned = [self.each] if self.each > 1 else []
            return sequence(1, self.boot, self.seq, self.time_s, self.uptime_ms, *series, *thinned, packed)
        frame = onboard.load("frame")
        if self.events:
            return bytes(frame.events_frame(self.boot, self.seq, self.time_s, self.uptime_ms, self.events))
        if self.gap:
            return bytes(frame.gap_frame(self.boot, self.seq, self.time_s, self.uptime_ms, *self.gap))
        rows = len(self.columns[0])
        columns = frame.Columns(len(self.columns), rows)
        for row in zip(*self.columns, strict=True):
            columns.add(row)
        framer = frame.Framer(len(self.columns), rows)
        head = (self.boot, self.seq, self.time_s, self.uptime_ms, self.step_ms)
        return bytes(framer.columns(*head, columns, self.each))


def sequence(*items: Any) -> bytes:
    """A CBOR sequence (RFC 8742)."""
    return b"".join(map(cbor2.dumps, items))


def frames() -> Iterator[FrameVector]:
    """Every kind of frame, every field at its ends; vector_codings.py has the codings of columns."""
    yield from _fields()
    yield from _shapes()
    yield from _missing()
    yield from _thinned()
    yield from _events()
    yield from _gaps()


def _fields() -> Iterator[FrameVector]:
    plain: list[Values] = [[70, 71, 71], [-320, -320, -319]]
    yield FrameVector("plain", "two channels, three rows, nothing special", plain)
    for name, value in (("lowest", 1), ("highest", 2**32 - 1)):
        yield FrameVector(f"boot_{name}", "an edge of boot", plain, boot=value)
        yield FrameVector(f"seq_{name}", "an edge of seq", plain, seq=value)
    for value in (23, 24, 255, 256, 65_535, 65_536):
        yield FrameVector(f"seq_{value}", "an edge of how CBOR writes a number", plain, seq=value)
    yield FrameVector("clock_unset", "the board has no clock: null in place of time_s", plain, time_s=None)
    yield FrameVector("time_s_lowest", "1970", plain, time_s=0)
    yield FrameVector("time_s_2038", "the first second that 32 signed bits cannot hold", plain, time_s=2**31)
    yield FrameVector("time_s_highest", "an edge of time_s", plain, time_s=2**36)
    yield FrameVector("uptime_ms_lowest", "an edge of uptime_ms", plain, uptime_ms=0)
    yield FrameVector("uptime_ms_50_days", "just past 32 bits of milliseconds", plain, uptime_ms=2**32 + 1)
    yield FrameVector("uptime_ms_highest", "an edge of uptime_ms", plain, uptime_ms=2**48)
    yield FrameVector("step_ms_lowest", "an edge of step_ms", plain, step_ms=1)
    yield FrameVector("step_ms_highest", "an edge of step_ms", plain, step_ms=2**31 - 1)


def _shapes() -> Iterator[FrameVector]:
    kettle = [[334], [812], [0], [0]]
    yield FrameVector("kettle_lone_row", "one row of four channels: no step, no count of rows", kettle, step_ms=1000)
    yield FrameVector("kettle_first_row", "the same as a fresh board sends it", kettle, boot=3, seq=1, time_s=None)
    yield FrameVector("lone_zero", "the shortest frame", [[0]], boot=1, seq=1, time_s=None, uptime_ms=0)
    yield FrameVector("two_rows", "two rows have one difference", [[70, 71]])
    yield FrameVector("three_rows", "three rows have a second difference", [[10, 20, 30]])
    yield FrameVector("fridge_minutes", "60 rows of six channels, as a fridge sends them", _fridge(60))
    wide = [[c - 16, c - 16 + c % 3] for c in range(32)]
    yield FrameVector("channels_32", "as many channels as there can be", wide)
    yield FrameVector("channels_32_lone", "as many channels as there can be, in one row", [[c * c] for c in range(32)])
    yield FrameVector("rows_4096_constant", "as many rows as there can be, all the same", [[-5] * 4096])
    steps = [(i // 500) % 2 - i // 1000 for i in range(4096)]
    yield FrameVector("rows_4096_sparse", "as many rows as there can be, few changes", [steps])
    noise = [i * i % 7 for i in range(4096)]
    yield FrameVector("rows_4096_dense", "as many rows as there can be, each another", [noise])
    yield FrameVector("ends_lone", "both ends of a value, in lone rows", [[LOW], [HIGH]])
    yield FrameVector("ends_swing", "the largest differences there can be", [[LOW, HIGH, LOW], [HIGH, LOW, LOW]])
    yield FrameVector("ends_stay", "both ends of a value, kept", [[LOW] * 4, [HIGH] * 4])
    falling = [[3, 1, -1, -3, -4], [-100, -90, -95, -300, -1]]
    yield FrameVector("negative", "negative numbers, falling through zero", falling)
    powers = [s * 2**n for n in range(29) for s in (1, -1)]
    yield FrameVector("first_values", "a first value of every width", [[v] for v in powers[:32]])
    yield FrameVector("first_values_wide", "a first value of every width, the larger ones", [[v] for v in powers[26:]])


def _fridge(rows: int) -> list[Values]:
    air = [70 + (i % 40) // 10 for i in range(rows)]
    cold = [-290 - (i // 3) % 11 for i in range(rows)]
    door = [int(20 <= i < 23) for i in range(rows)]
    top = [1812 + (i * 7 % 5 == 0) for i in range(rows)]
    bottom = [2400 if i < 22 else 1903 for i in range(rows)]
    power = [92 + i % 2 if i < 35 else 1 for i in range(rows)]
    return [air, cold, door, top, bottom, power]


def _missing() -> Iterator[FrameVector]:
    row: list[int | None] = [20, 21, 21, 22, 22, 22, 25]
    for name, why, gone in (
        ("missing_some", "a sensor failed now and then", {1, 4}),
        ("missing_first", "the first row is missing: the first value is of a later row", {0}),
        ("missing_last", "the last row is missing", {6}),
        ("missing_one_left", "one value is left: no differences", {0, 1, 2, 4, 5, 6}),
        ("missing_two_left", "two values are left", {0, 1, 2, 4, 5}),
        ("missing_all", "a sensor that never answered", set(range(7))),
    ):
        broken: Values = [None if i in gone else v for i, v in enumerate(row)]
        yield FrameVector(name, f"{why}; beside a channel that is whole", [broken, row])
    yield FrameVector("missing_everywhere", "no channel has a value", [[None, None], [None, None]])
    yield FrameVector("missing_lone", "a lone row without a value: no sensor answered", [[None]] * 6, time_s=None)
    yield FrameVector("missing_lone_some", "a lone row with one sensor missing", [[1], [None], [3]])
    long: Values = [None if i % 7 == 3 else i // 9 for i in range(600)]
    yield FrameVector("missing_long", "values missing in many rows", [long])


def _thinned() -> Iterator[FrameVector]:
    fridge = _fridge(600)
    tens = [[[v for v in column[at : at + 10] if v is not None] for at in range(0, 600, 10)] for column in fridge]
    means = [[(2 * sum(ten) + 10) // 20 for ten in column] for column in tens]
    lows, highs = ([[end(ten) for ten in column] for column in tens] for end in (min, max))
    six: list[Values] = [*lows, *means, *highs]
    yield FrameVector("thinned_fridge", "600 rows of a fridge as 60", six, step_ms=100_000, each=10)
    one: list[Values] = [[-3], [0], [9]]
    yield FrameVector("thinned_one_row", "a lone row, which has its step and its count all the same", one, each=6)
    yield FrameVector("thinned_clock_unset", "thinned before the clock is set", one, each=6, time_s=None)
    two: list[Values] = [[1, 2], [1, 3], [4, 3]]
    for name, each in (("lowest", 2), ("23", 23), ("24", 24), ("255", 255), ("256", 256), ("highest", 65_535)):
        yield FrameVector(f"thinned_each_{name}", "an edge of how many rows a row stands for", two, each=each)
    yield FrameVector("thinned_flat", "lowest, mean and highest are the same", [[5, 5, 6]] * 3, each=6)
    ends: list[Values] = [[LOW, LOW], [0, LOW], [HIGH, LOW]]
    yield FrameVector("thinned_ends", "both ends of a value", ends, each=6)
    gone: list[Values] = [[1, None, 3], [None] * 3, [2, None, 3], [None] * 3, [2, None, 4], [None] * 3]
    yield FrameVector("thinned_missing", "a row in which nothing was measured, and a sensor that is dead", gone, each=6)
    wide: list[Values] = [[which * 100 + c, which * 90 - c] for which in range(3) for c in range(10)]
    yield FrameVector("thinned_channels_10", "as many channels as there can be", wide, each=6)
    long: list[Values] = [[i // 100 + which * (i % 5) for i in range(4096)] for which in range(3)]
    yield FrameVector("thinned_rows_4096", "as many rows as there can be", long, each=6)
    codings = [Coding(DENSE, 0, 3)] * 3
    yield FrameVector("thinned_by_hand", "a reader takes any valid coding", two, each=6, codings=codings)
    edges: dict[str, Any] = {"boot": 2**32 - 1, "seq": 2**32 - 1, "time_s": 2**36, "uptime_ms": 2**48}
    edges["step_ms"] = 2**31 - 1
    yield FrameVector("thinned_longest_head", "every number at its end", two, each=65_535, **edges)


def _gaps() -> Iterator[FrameVector]:
    last = 2**32 - 1
    for name, why, gap in (
        ("one", "one frame of this boot was dropped", (7, 41, 41)),
        ("some", "frames of this boot were dropped", (7, 12, 30)),
        ("all", "every frame of this boot before this one", (7, 1, 41)),
        ("earlier_boot", "frames of the boot before", (6, 900, 1200)),
        ("earlier_boot_later_numbers", "of another boot any number may be gone", (6, 42, last)),
        ("first_boot", "every number that there can be, of the first boot", (1, 1, last)),
    ):
        yield FrameVector(f"gap_{name}", why, gap=gap)
    yield FrameVector("gap_clock_unset", "said before the clock is set", gap=(6, 1, 2), time_s=None)
    edges: dict[str, Any] = {"boot": last, "seq": last, "time_s": 2**36, "uptime_ms": 2**48}
    yield FrameVector("gap_longest", "every number at its end", gap=(last, last - 1, last - 1), **edges)


def _events() -> Iterator[FrameVector]:
    yield FrameVector("event_one", "a door was opened", events=[(6, 0, 1)])
    yield FrameVector("event_negative", "something was taken from a shelf", events=[(8, 1500, -497)])
    yield FrameVector("event_clock_unset", "an event before the clock is set", events=[(6, 12, 1)], time_s=None)
    ends = [(0, 0, LOW), (63, 2**31 - 1, HIGH), (9, 0, -6)]
    yield FrameVector("event_edges", "edges of channel, offset and value", events=ends)
    many = [(i % 64, i * 250, (-1) ** i * i * i) for i in range(256)]
    yield FrameVector("events_256", "as many events as there can be", events=many)
