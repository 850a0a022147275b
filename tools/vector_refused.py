"""The frames that a reader must refuse though their MAC is right, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cbor2

from tools.handpack import CONSTANT, DENSE, SPARSE, Coding, column, number, pack, packed, rice, u
from tools.vector_frames import LOW, Values, sequence

__all__ = ["BAD_FRAME", "WRONG_VERSION", "Refused", "Row", "refused_frames"]

PACKED = packed([column([70, 71, 71], Coding(DENSE, 0, 1))])
BAD_FRAME, WRONG_VERSION = "bad_frame", "wrong_version"
NO_NUMBERS = {
    "not_shortest": "1801", "float_half": "f93c00", "float_single": "fa3f800000", "float_double": "fb3ff0000000000000",
    "not_a_number": "f97e00", "undefined": "f7", "simple_value": "f0", "bignum": "c24101", "bignum_negative": "c34101",
    "tagged": "c101", "decimal": "c4820101", "shared": "d81c01", "break": "ff", "map": "a0", "text": "6131",
    "bytes": "4101", "true": "f5",
}  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """Bytes that must be refused. `data` is a payload for `role`, or a whole envelope."""

    name: str
    why: str
    role: str
    reason: str
    data: bytes


Row = tuple[str, str, str, bytes]
"""Name, why, reason, data."""


def refused_frames() -> Iterator[Refused]:
    """Every frame that a reader must refuse."""
    for name, why, reason, data in _frames():
        yield Refused(name, why, "up", reason, data)


def series(**fields: Any) -> bytes:
    """A series frame with some fields set to what they must not be; `raw_…` gives a field as it is written."""
    return _items("step_ms rows packed", {"step_ms": 10_000, "rows": 3, "packed": PACKED} | fields)


def thinned(**fields: Any) -> bytes:
    """A thinned frame of one channel, with some fields set to what they must not be."""
    whole = packed([column([70, 71, 71], Coding(DENSE, 0, 1))] * 3)
    fields.setdefault("packed", whole)
    return _items("step_ms rows each packed", {"step_ms": 60_000, "rows": 3, "each": 6} | fields)


def gap(**fields: Any) -> bytes:
    """A gap, with some fields set to what they must not be."""
    return _items("gap_boot first last", {"gap_boot": 6, "first": 900, "last": 1200} | fields)


def _items(names: str, fields: dict[str, Any]) -> bytes:
    items = {"version": 1, "boot": 7, "seq": 42, "time_s": 1_780_000_000, "uptime_ms": 250} | fields
    every = ("version boot seq time_s uptime_ms " + names).split()
    return b"".join(items.get(f"raw_{name}", cbor2.dumps(items.get(name))) for name in every)


def bits(*columns: str, rows: int = 3, tail: str = "", **head: Any) -> bytes:
    """A series frame of these packed columns."""
    return series(rows=rows, packed=packed([*columns[:-1], columns[-1] + tail], **head))


def _frames() -> Iterator[Row]:
    yield "empty", "no byte at all", BAD_FRAME, b""
    yield "array", "a frame is a sequence, without the head of an array", BAD_FRAME, b"\x88" + series()
    for version in (0, 2, 255, -1, 2**63):
        yield f"version_{version}", "not our version", WRONG_VERSION, series(version=version)
    yield "version_alone", "a later version may hold anything", WRONG_VERSION, b"\x02\xfb"
    edges = {
        "boot": (0, 2**32), "seq": (0, 2**32), "time_s": (-1, 2**36 + 1), "uptime_ms": (-1, 2**48 + 1),
        "step_ms": (0, 2**31, -1), "rows": (0, 1, 4097, 2**60, -3),
    }  # fmt: skip
    for field, values in edges.items():
        for value in values:
            yield f"{field}_{value}", f"{field} is out of range", BAD_FRAME, series(**{field: value})
        for name, raw in NO_NUMBERS.items():
            data = series(**{f"raw_{field}": bytes.fromhex(raw)})
            yield f"{field}_{name}", f"{field} is not a number in its one form", BAD_FRAME, data
        if field != "time_s":
            yield f"{field}_null", f"{field} is missing", BAD_FRAME, series(**{field: None})
    huge = bytes.fromhex("c2591000") + b"\xff" * 4096
    yield "seq_bignum_huge", "a number of 10,000 digits", BAD_FRAME, series(raw_seq=huge)
    yield from _forms()
    yield from _event_lists()
    yield from _packed()
    yield from _thinned()
    yield from _gaps()
    yield from _cut()


def _forms() -> Iterator[Row]:
    head = sequence(1, 7, 42, None, 250)
    yield "items_5", "neither columns nor events", BAD_FRAME, head
    yield "items_7", "a step but no rows", BAD_FRAME, head + sequence(10_000, PACKED)
    yield "items_9", "a number after the columns", BAD_FRAME, series() + b"\x00"
    yield "items_10", "one item too many", BAD_FRAME, head + sequence(10_000, 3, 6, PACKED, 0)
    yield "byte_after", "a byte after the end that is no item", BAD_FRAME, series() + b"\xff"
    yield "events_in_series", "events with a step and rows", BAD_FRAME, series(packed=[0, 0, 0])
    yield "packed_text", "columns as text", BAD_FRAME, series(packed="\x08\x00")
    yield "packed_indefinite", "columns in chunks", BAD_FRAME, series(raw_packed=b"\x5f\x42" + PACKED[:2] + b"\xff")
    yield "packed_claims_much", "a length of 2^63", BAD_FRAME, series(raw_packed=b"\x5b\x80" + bytes(7) + PACKED)
    yield "array_claims_much", "an array of 2^64 - 1 items", BAD_FRAME, head + b"\x9b" + b"\xff" * 8
    yield "array_indefinite", "events in an array of unknown length", BAD_FRAME, head + b"\x9f\x06\x00\x01\xff"
    for depth in (1, 8, 9, 400, 5000):
        nested = b"\x81" * depth + b"\x00"
        yield f"nested_{depth}", f"{depth} arrays in one another", BAD_FRAME, head + nested
    yield "tagged_events", "a tag around the events", BAD_FRAME, head + b"\xc1\x83\x06\x00\x01"


def _event_lists() -> Iterator[Row]:
    def events(*flat: Any) -> bytes:
        return sequence(1, 7, 42, None, 250, list(flat))

    yield "events_none", "a frame of no events", BAD_FRAME, events()
    yield "events_257", "one event too many", BAD_FRAME, events(*[0, 0, 0] * 257)
    yield "events_uneven", "an event is three numbers", BAD_FRAME, events(0, 0, 0, 1)
    yield "events_nested", "events are not arrays of their own", BAD_FRAME, events([0, 0, 0])
    for name, event in {
        "channel_64": (64, 0, 0), "channel_negative": (-1, 0, 0), "channel_true": (True, 0, 0),
        "offset_negative": (0, -1, 0), "offset_large": (0, 2**31, 0), "offset_null": (0, None, 0),
        "value_large": (0, 0, 2**29), "value_low": (0, 0, LOW - 1), "value_true": (0, 0, True),
        "value_float": (0, 0, 1.5), "value_null": (0, 0, None), "value_huge": (0, 0, 2**64),
    }.items():  # fmt: skip
        yield f"event_{name}", "one number of an event is out of range or no number", BAD_FRAME, events(0, 0, 1, *event)


def _packed() -> Iterator[Row]:
    yield "packed_empty", "no bit at all", BAD_FRAME, series(packed=b"")
    yield "packed_byte_after", "eight zero bits after the end", BAD_FRAME, series(packed=PACKED + b"\0")
    yield "packed_bit_after", "a bit that is set in the padding", BAD_FRAME, bits(column([5, 5, 5]), tail="1")
    yield "packed_channels", "more channels than columns", BAD_FRAME, bits(column([5, 5, 5]), channels=32)
    yield "packed_rows", "more rows than are packed", BAD_FRAME, series(rows=4096)
    for order in (0, 1):
        first = number(1) if order else ""
        code = number(5) + u(1, order) + u(2, 3) + first
        yield f"mode_3_order_{order}", "a mode that does not exist", BAD_FRAME, bits(code, tail="0" * 40)
    two = number(5) + "100" + number(1)
    yield "order_1_two_rows", "two rows have no second difference", BAD_FRAME, bits(two, rows=2)
    start = number(0)
    dense = start + "010" + u(5, 2)
    yield "quotient_21", "a quotient beyond the escape", BAD_FRAME, bits(dense + "0" * 21 + "1" + "1" + "0" * 12)
    yield "quotient_endless", "a quotient that never ends", BAD_FRAME, bits(dense + "0" * 4000)
    yield "escape_cut", "an escaped number that is cut short", BAD_FRAME, bits(dense + "0" * 20 + "1" + "1" + "0" * 20)
    sparse = start + "001"
    width = (3 - 1).bit_length()
    yield "sparse_none", "a sparse column without a change", BAD_FRAME, bits(sparse + u(width, 0) + "0" * 8)
    three = sparse + u(width, 3) + u(3, 0) + u(4, 15) + "0" + rice([0, 0, 0], 0) + "000"
    yield "sparse_too_many", "more changes than rows", BAD_FRAME, bits(three)
    far = sparse + u(width, 1) + u(3, 0) + u(4, 15) + "0" + rice([2], 0) + "0"
    yield "sparse_past_end", "a run that ends after the last row", BAD_FRAME, bits(far)
    far = sparse + u(width, 1) + u(3, 0) + u(4, 15) + "0" + rice([2**31 - 1], 0) + "0"
    yield "sparse_far_past_end", "a run that ends far after the last row", BAD_FRAME, bits(far)
    for name, values in (("high", [2**29, 0, 0]), ("low", [LOW - 1, 0, 0])):
        yield f"value_{name}_first", "a first value out of range", BAD_FRAME, bits(column(values, Coding(DENSE, 0, 30)))
    for name, values in (("high", [2**29 - 1, 2**29]), ("low", [LOW, LOW - 1]), ("once", [0, 2**29, 0])):
        for mode in (SPARSE, DENSE):
            data = bits(column(values, Coding(mode, 0, 1, 0)), rows=len(values))
            yield f"value_{name}_mode_{mode}", "a value out of range by its differences", BAD_FRAME, data
    ramp = column([0, 2**28, 2**29, 3 * 2**28], Coding(CONSTANT, 1))
    yield "value_ramp", "a ramp that runs out of range", BAD_FRAME, bits(ramp, rows=4)


def _thinned() -> Iterator[Row]:
    def rows(*values: Values) -> bytes:
        return thinned(rows=len(values[0]), packed=pack(values, [Coding(DENSE, 0, 3)] * len(values)))

    why = "a row stands for 2 to 65,535 rows"
    for value in (0, 1, 65_536, 2**63, -2):
        yield f"each_{value}", why, BAD_FRAME, thinned(each=value)
    for name, raw in NO_NUMBERS.items():
        yield f"each_{name}", "each is not a number in its one form", BAD_FRAME, thinned(raw_each=bytes.fromhex(raw))
    yield "each_null", "each is missing", BAD_FRAME, thinned(each=None)
    for value in (0, 4097, 2**60, -3):
        yield f"thinned_rows_{value}", "rows is out of range", BAD_FRAME, thinned(rows=value)
    for value in (0, 2**31, -1):
        yield f"thinned_step_ms_{value}", "step_ms is out of range", BAD_FRAME, thinned(step_ms=value)
    for n in (1, 2, 4, 31, 32):
        yield f"thinned_columns_{n}", "not three columns a channel", BAD_FRAME, rows(*[[1, 2, 3]] * n)
    yield "thinned_mean_low", "a mean below the lowest", BAD_FRAME, rows([1, 5], [1, 4], [1, 6])
    yield "thinned_mean_high", "a mean above the highest", BAD_FRAME, rows([1, 5], [1, 7], [1, 6])
    yield "thinned_swapped", "highs before lows", BAD_FRAME, rows([9, 9], [5, 5], [1, 1])
    for i, name in enumerate(("low", "mean", "high")):
        holey = rows(*([2, None if i == k else 2] for k in range(3)))
        yield f"thinned_without_{name}", f"a row whose {name} alone is missing", BAD_FRAME, holey
    yield "thinned_text", "columns as text", BAD_FRAME, thinned(packed="\x08\x00")
    yield "thinned_events", "events with each", BAD_FRAME, thinned(packed=[0, 0, 0])
    yield "thinned_number", "a number in place of the columns", BAD_FRAME, thinned(packed=3)
    whole = thinned()
    for n in range(1, len(whole)):
        yield f"thinned_cut_{n:02}", f"cut after {n} of {len(whole)} bytes", BAD_FRAME, whole[:n]


def _gaps() -> Iterator[Row]:
    last = 2**32 - 1
    for name, why, numbers in (
        ("upside_down", "first is after last", (7, 30, 12)),
        ("upside_down_by_one", "first is after last", (6, 13, 12)),
        ("itself", "a frame that says it is not there", (7, 40, 42)),
        ("future", "numbers of its own boot that are not given out", (7, 43, 43)),
        ("future_far", "numbers of its own boot that are not given out", (7, 1, last)),
        ("later_boot", "a boot that was not yet", (8, 1, 2)),
        ("boot_0", "no boot has this number", (0, 1, 2)),
        ("boot_large", "no boot has this number", (2**32, 1, 2)),
        ("boot_negative", "no boot has this number", (-1, 1, 2)),
        ("first_0", "no frame has this number", (6, 0, 2)),
        ("first_negative", "no frame has this number", (6, -1, 2)),
        ("last_0", "no frame has this number", (6, 0, 0)),
        ("last_large", "no frame has this number", (6, 1, 2**32)),
        ("last_huge", "no frame has this number", (6, 1, 2**64 - 1)),
        ("last_null", "a gap has an end", (6, 1, None)),
        ("last_list", "a gap is three numbers", (6, 1, [2])),
    ):
        yield f"gap_{name}", why, BAD_FRAME, gap(**dict(zip(("gap_boot", "first", "last"), numbers, strict=True)))
    yield "gap_first_frame", "the first frame of a boot has none before it", BAD_FRAME, gap(seq=1, gap_boot=7)
    for field in ("gap_boot", "first", "last"):
        for name, raw in NO_NUMBERS.items():
            data = gap(**{f"raw_{field}": bytes.fromhex(raw)})
            yield f"gap_{field}_{name}", f"{field} is not a number in its one form", BAD_FRAME, data
    for field, value in (("boot", 0), ("seq", 0), ("seq", 2**32), ("time_s", -1), ("uptime_ms", 2**48 + 1)):
        yield f"gap_head_{field}_{value}", f"{field} is out of range", BAD_FRAME, gap(**{field: value})
    yield "gap_two_numbers", "a gap has no end", BAD_FRAME, gap(raw_last=b"")
    yield "gap_four_numbers", "a number too many", BAD_FRAME, gap() + b"\x01"
    whole = gap()
    for n in range(1, len(whole)):
        yield f"gap_cut_{n:02}", f"cut after {n} of {len(whole)} bytes", BAD_FRAME, whole[:n]


def _cut() -> Iterator[Row]:
    """A frame with missing values, sparse and dense columns, without each of its last bytes: in the envelope's payload,
    and in the byte string of its columns."""
    columns: list[list[int | None]] = [[5, 5, None, 5, 9, 9, 9, 9], [1, 7, 3, 9, 2, 8, 2, 8]]
    codings = (Coding(SPARSE, 0, 1, 2), Coding(DENSE, 0, 3))
    whole = packed([column(v, c, presence=True) for v, c in zip(columns, codings, strict=True)], presence=True)
    frame = series(rows=8, packed=whole)
    for n in range(1, len(frame)):
        yield f"cut_{n:02}", f"cut after {n} of {len(frame)} bytes", BAD_FRAME, frame[:n]
    for n in range(len(whole)):
        cut = series(rows=8, packed=whole[:n])
        yield f"packed_cut_{n:02}", f"columns cut after {n} of {len(whole)} bytes", BAD_FRAME, cut
    events = sequence(1, 7, 42, None, 250, [6, 1500, 1])
    for n in range(5, len(events)):
        yield f"events_cut_{n:02}", f"cut after {n} of {len(events)} bytes", BAD_FRAME, events[:n]
