"""The frames of tests/wire/vectors.json: what each is for, what it means, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from tools import handpack, onboard
from tools.handpack import ALL_ONES, CONSTANT, DENSE, SPARSE, Coding

__all__ = ["FrameVector", "frames", "sequence"]

LOW, HIGH = -(2**29), 2**29 - 1

Values = Sequence[int | None]


@dataclass(frozen=True)
class FrameVector:
    """One frame. With `codings` (one a column) it is packed by hand: a board would not choose it, but a reader must
    take it. `gaps` writes the presence of every row though none is missing."""

    name: str
    why: str
    columns: Sequence[Values] = ()
    events: Sequence[tuple[int, int, int]] = ()
    boot: int = 7
    seq: int = 42
    time_s: int | None = 1_780_000_000
    uptime_ms: int = 3_600_250
    step_ms: int = 10_000
    codings: Sequence[Coding] = ()
    gaps: bool = False

    @property
    def by_board(self) -> bool:
        """Whether the firmware must produce exactly these bytes."""
        return not self.codings

    def meaning(self) -> dict[str, Any]:
        """What a reader must find in it. A lone row and events carry no step: it reads as 0."""
        rows = len(self.columns[0]) if self.columns else 0
        head = {"boot": self.boot, "seq": self.seq, "time_s": self.time_s, "uptime_ms": self.uptime_ms}
        if self.events:
            return {**head, "step_ms": 0, "events": [list(event) for event in self.events]}
        return {**head, "step_ms": self.step_ms if rows > 1 else 0, "columns": [list(c) for c in self.columns]}

    def payload(self) -> bytes:
        """Its bytes: by the firmware's own encoder, or by hand."""
        if self.codings:
            packed = handpack.pack(self.columns, self.codings, gaps=self.gaps)
            rows = len(self.columns[0])
            series = [self.step_ms, rows] if rows > 1 else []
            return sequence(1, self.boot, self.seq, self.time_s, self.uptime_ms, *series, packed)
        frame = onboard.load("frame")
        if self.events:
            return bytes(frame.events_frame(self.boot, self.seq, self.time_s, self.uptime_ms, self.events))
        rows = len(self.columns[0])
        columns = frame.Columns(len(self.columns), rows)
        for row in zip(*self.columns, strict=True):
            columns.add(row)
        framer = frame.Framer(len(self.columns), rows)
        return bytes(framer.columns(self.boot, self.seq, self.time_s, self.uptime_ms, self.step_ms, columns))


def sequence(*items: Any) -> bytes:
    """A CBOR sequence (RFC 8742)."""
    return b"".join(map(cbor2.dumps, items))


def frames() -> Iterator[FrameVector]:
    """Every frame that a reader must take."""
    yield from _fields()
    yield from _shapes()
    yield from _codings_of_boards()
    yield from _gaps()
    yield from _events()
    yield from _dense_by_hand()
    yield from _sparse_by_hand()


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


def _codings_of_boards() -> Iterator[FrameVector]:
    yield FrameVector("constant", "nothing changes: one number and three bits", [[1234] * 60])
    yield FrameVector("sparse_once", "one change by 1: size-k 15", [[5] * 30 + [6] * 30])
    yield FrameVector("sparse_alternate", "up and down in turns: one sign", [[0] * 9 + [1] * 9 + [0] * 9 + [1] * 9])
    yield FrameVector("sparse_alternate_down", "down first", [[1] * 9 + [0] * 9 + [1] * 9])
    yield FrameVector("sparse_free", "up twice: a sign for each", [[0] * 9 + [1] * 9 + [2] * 9 + [1] * 9])
    yield FrameVector("sparse_sizes", "changes of several sizes", [[0] * 12 + [40] * 12 + [33] * 12 + [97] * 12])
    yield FrameVector("sparse_last", "the change is in the last row", [[8] * 59 + [9]])
    yield FrameVector("sparse_first", "the change is in the second row", [[8] + [9] * 59])
    yield FrameVector("dense", "noise in most rows", [[(i * i * 5 + i) % 17 for i in range(60)]])
    ramp = [100 + 25 * i for i in range(60)]
    yield FrameVector("order_1_constant", "a straight ramp: its second differences are 0", [ramp])
    bent = [v + (i > 20) * 3 * (i - 20) for i, v in enumerate(ramp)]
    yield FrameVector("order_1_sparse", "a ramp with a bend", [bent])
    yield FrameVector("order_1_dense", "a ramp with noise", [[v + i * i % 3 for i, v in enumerate(ramp)]])
    yield FrameVector("order_1_falling", "a steep fall", [[9000 - 311 * i - i % 2 for i in range(60)]])
    spike = [0] * 40
    spike[7], spike[20] = 2**22, -(2**21)
    yield FrameVector("escape_of_board", "two spikes in noise: escapes", [[v + i % 3 for i, v in enumerate(spike)]])
    wire = [(LOW, HIGH, HIGH - 1, LOW, LOW + 1, HIGH, LOW, LOW + 2)[i % 8] for i in range(60)]
    yield FrameVector("loose_wire", "between its ends and small steps: no k but 31 fits both", [wire])
    for width in range(1, 31):
        u = [2**width - 1 - (i % 2 if width > 1 else 0) for i in range(6)]
        yield FrameVector(f"width_{width}", f"differences whose zigzag form takes {width} bits", [_walk(u)])


def _walk(zigzags: Sequence[int]) -> list[int]:
    """Values whose differences have these zigzag forms, put where they stay in range."""
    values = [0]
    for z in zigzags:
        values.append(values[-1] + ((z >> 1) ^ -(z & 1)))
    shift = (LOW + HIGH - max(values) - min(values)) // 2 if max(map(abs, values)) > HIGH else 0
    return [v + shift for v in values]


def _gaps() -> Iterator[FrameVector]:
    row: list[int | None] = [20, 21, 21, 22, 22, 22, 25]
    for name, why, gone in (
        ("gap_some", "a sensor failed now and then", {1, 4}),
        ("gap_first", "the first row is missing: the first value is of a later row", {0}),
        ("gap_last", "the last row is missing", {6}),
        ("gap_one_left", "one value is left: no differences", {0, 1, 2, 4, 5, 6}),
        ("gap_two_left", "two values are left", {0, 1, 2, 4, 5}),
        ("gap_all", "a sensor that never answered", set(range(7))),
    ):
        broken: Values = [None if i in gone else v for i, v in enumerate(row)]
        yield FrameVector(name, f"{why}; beside a channel that is whole", [broken, row])
    yield FrameVector("gap_everywhere", "no channel has a value", [[None, None], [None, None]])
    yield FrameVector("gap_lone", "a lone row without a value: stands for a dropped frame", [[None]] * 6, time_s=None)
    yield FrameVector("gap_lone_some", "a lone row with one sensor missing", [[1], [None], [3]])
    long: Values = [None if i % 7 == 3 else i // 9 for i in range(600)]
    yield FrameVector("gap_long", "gaps in many rows", [long])


def _events() -> Iterator[FrameVector]:
    yield FrameVector("event_one", "a door was opened", events=[(6, 0, 1)])
    yield FrameVector("event_negative", "something was taken from a shelf", events=[(8, 1500, -497)])
    yield FrameVector("event_clock_unset", "an event before the clock is set", events=[(6, 12, 1)], time_s=None)
    ends = [(0, 0, LOW), (63, 2**31 - 1, HIGH), (9, 0, -6)]
    yield FrameVector("event_edges", "edges of channel, offset and value", events=ends)
    many = [(i % 64, i * 250, (-1) ** i * i * i) for i in range(256)]
    yield FrameVector("events_256", "as many events as there can be", events=many)


def _dense_by_hand() -> Iterator[FrameVector]:
    why = "dense with k = {}: quotients 0, 1, 19 and, where a value can be that large, the escape"
    for k in range(32):
        z = [n for n in (0, 2**k - 1, 2**k, 19 << k, (20 << k) + 1, 2**30 + 5, 2**31 - 2) if n < 2**31 - 1]
        values = _swing(z)
        yield FrameVector(f"dense_k_{k}", why.format(k), [values], codings=[Coding(DENSE, 0, k)])
    bend = [0, 3, 9, 10, 70, 75, 80, 2_000_000, 2_000_001]
    for k in (0, 5, 20, 30):
        yield FrameVector(
            f"order_1_dense_k_{k}", f"second differences with k = {k}", [bend], codings=[Coding(DENSE, 1, k)]
        )
    flat: list[Values] = [[4] * 9, list(range(9))]
    yield FrameVector(
        "dense_zeros", "a reader takes any valid choice: dense where nothing changes", flat,
        codings=[Coding(DENSE, 0, 3), Coding(DENSE, 1, 0)],
    )  # fmt: skip
    yield FrameVector(
        "gaps_of_nothing", "presence written, nothing missing", [[4] * 9], codings=[Coding(CONSTANT)], gaps=True
    )
    yield FrameVector("order_1_flat", "order 1 where nothing changes", [[4] * 9], codings=[Coding(CONSTANT, 1)])


def _swing(zigzags: Sequence[int]) -> list[int]:
    """Values whose differences have nearly these zigzag forms, with the signs that keep them in range."""
    values = [LOW // 2]
    for z in zigzags:
        d = (z + 1) // 2
        if d > HIGH:
            values += [LOW, LOW + d]
        else:
            values.append(values[-1] + (d if values[-1] + d <= HIGH else -d))
    return values


def _sparse_by_hand() -> Iterator[FrameVector]:
    steps = [0] * 3 + [5] * 30 + [-200] * 3 + [-199] * 2 + [7] * 2
    for k in (0, 1, 4, 7):
        coding = Coding(SPARSE, 0, k, 3)
        yield FrameVector(f"sparse_run_k_{k}", f"runs with run-k = {k}; 0 escapes", [steps], codings=[coding])
    far = [0] * 30 + [2**26] * 30 + [-(2**26)] * 30 + [-(2**26) + 1] * 5
    for k in (0, 1, 9, 14):
        coding = Coding(SPARSE, 0, 2, k)
        yield FrameVector(f"sparse_size_k_{k}", f"sizes with size-k = {k}; large ones escape", [far], codings=[coding])
    turns = [0, 0, 3, 3, 3, 1, 1, 9]
    for alternate, k in ((True, 2), (False, 2)):
        name = "sparse_turns_alternate" if alternate else "sparse_turns_free"
        coding = Coding(SPARSE, 0, 1, k, alternate=alternate)
        yield FrameVector(name, "signs in turns: in one bit, or one by one", [turns], codings=[coding])
    down = [9, 9, 8, 8, 9, 9, 9, 8]
    coding = Coding(SPARSE, 0, 1, ALL_ONES, alternate=True)
    yield FrameVector("sparse_all_ones_down", "size-k 15 with one sign, negative first", [down], codings=[coding])
    coding = Coding(SPARSE, 0, 1, 0)
    yield FrameVector("sparse_ones_spelled_out", "sizes that are all 1, written all the same", [down], codings=[coding])
    every = [0, 1, 2, 3, 2, 1, 0, -1]
    coding = Coding(SPARSE, 0, 0, ALL_ONES)
    yield FrameVector("sparse_every_row", "as many changes as rows", [every], codings=[coding])
    bends = [0, 2, 4, 6, 8, 9, 10, 11, 12, 20]
    coding = Coding(SPARSE, 1, 2, 2)
    yield FrameVector("order_1_sparse_free", "second differences, sparse, free signs", [bends], codings=[coding])
    coding = Coding(SPARSE, 1, 2, 2, alternate=True)
    yield FrameVector("order_1_sparse_alternate", "second differences, sparse, in turns", [bends], codings=[coding])
