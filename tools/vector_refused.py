"""What a reader must refuse: payloads under a right MAC, and envelopes that are not ours, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cbor2

from tools.handpack import CONSTANT, DENSE, SPARSE, Coding, column, number, packed, rice, u
from tools.vector_frames import LOW, sequence
from tools.vector_messages import messages

__all__ = ["Refused", "refused", "refused_envelopes"]

PACKED = packed([column([70, 71, 71], Coding(DENSE, 0, 1))])
BAD_FRAME, BAD_BIRTH, WRONG_VERSION, BAD_MAC = "bad_frame", "bad_birth", "wrong_version", "bad_mac"
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


def refused() -> Iterator[Refused]:
    """Every payload that a reader must refuse."""
    for name, why, reason, data in _frames():
        yield Refused(name, why, "up", reason, data)
    for name, why, reason, data in _births():
        yield Refused(f"birth_{name}", why, "birth", reason, data)
    for name, why, reason, data in _states():
        yield Refused(f"state_{name}", why, "state", reason, data)


Row = tuple[str, str, str, bytes]


def series(**fields: Any) -> bytes:
    """A series frame with some fields set to what they must not be; `raw_…` gives a field as it is written."""
    items: dict[str, Any] = {"version": 1, "boot": 7, "seq": 42, "time_s": 1_780_000_000, "uptime_ms": 250}
    items |= {"step_ms": 10_000, "rows": 3, "packed": PACKED}
    return b"".join(fields.get(f"raw_{name}", cbor2.dumps(fields.get(name, value))) for name, value in items.items())


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
    yield from _cut()


def _forms() -> Iterator[Row]:
    head = sequence(1, 7, 42, None, 250)
    yield "items_5", "neither columns nor events", BAD_FRAME, head
    yield "items_7", "a step but no rows", BAD_FRAME, head + sequence(10_000, PACKED)
    yield "items_9", "one item too many", BAD_FRAME, series() + b"\x00"
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


def _cut() -> Iterator[Row]:
    """A frame with gaps, sparse and dense columns, without each of its last bytes: in the envelope's payload, and in
    the byte string of its columns."""
    columns: list[list[int | None]] = [[5, 5, None, 5, 9, 9, 9, 9], [1, 7, 3, 9, 2, 8, 2, 8]]
    codings = (Coding(SPARSE, 0, 1, 2), Coding(DENSE, 0, 3))
    whole = packed([column(v, c, gaps=True) for v, c in zip(columns, codings, strict=True)], gaps=True)
    frame = series(rows=8, packed=whole)
    for n in range(1, len(frame)):
        yield f"cut_{n:02}", f"cut after {n} of {len(frame)} bytes", BAD_FRAME, frame[:n]
    for n in range(len(whole)):
        cut = series(rows=8, packed=whole[:n])
        yield f"packed_cut_{n:02}", f"columns cut after {n} of {len(whole)} bytes", BAD_FRAME, cut
    events = sequence(1, 7, 42, None, 250, [6, 1500, 1])
    for n in range(5, len(events)):
        yield f"events_cut_{n:02}", f"cut after {n} of {len(events)} bytes", BAD_FRAME, events[:n]


def _births() -> Iterator[Row]:
    good = next(m.items for m in messages() if m.name == "smallest")
    channel = good[6][0]

    def birth(index: int, value: Any) -> bytes:
        return cbor2.dumps([value if i == index else item for i, item in enumerate(good)])

    yield "empty", "no byte at all", BAD_BIRTH, b""
    yield "sequence", "a birth is an array", BAD_BIRTH, cbor2.dumps(good)[1:]
    yield "version_2", "not our version", WRONG_VERSION, birth(0, 2)
    yield "version_true", "true is not 1", BAD_BIRTH, birth(0, value=True)
    yield "short", "an item is missing", BAD_BIRTH, cbor2.dumps(good[:-1])
    yield "long", "an item too many", BAD_BIRTH, cbor2.dumps([*good, 0])
    yield "byte_after", "a byte after the end", BAD_BIRTH, cbor2.dumps(good) + b"\0"
    fields: tuple[tuple[int, Any, str], ...] = (
        (1, 0, "boot"), (1, True, "boot"), (2, "Fridge", "kind"), (2, "", "kind"), (2, "k" * 33, "kind"),
        (3, "", "model"), (4, "line\nbreak", "firmware"), (5, "n" * 65, "name"), (5, b"n", "name"), (5, 3, "name"),
        (6, [], "channels"), (6, [[f"c{i}", "/", 1, 1, 3, "use"] for i in range(65)], "channels"),
        (6, [[f"c{i}", "/", 1, 1, 0, "use"] for i in range(33)], "channels"), (6, [channel, channel], "channels"),
        (6, {}, "channels"), (6, [channel[:-1]], "channels"), (6, [dict(enumerate(channel))], "channels"),
    )  # fmt: skip
    for index, value, what in fields:
        name = f"{what}_{cbor2.dumps(value).hex()[:12]}"
        yield name, f"{what} is not what it must be", BAD_BIRTH, birth(index, value)
    for index, value in (
        (0, "Beats"), (0, "1beat"), (0, ""), (0, 1), (1, ""), (1, "u" * 65), (2, 0), (2, -1), (2, 10**9 + 1), (3, 0),
        (3, True), (4, 4), (4, -1), (4, None), (5, "Use"), (5, 7),
    ):  # fmt: skip
        broken = [value if i == index else item for i, item in enumerate(channel)]
        name = f"channel_{index}_{cbor2.dumps(value).hex()[:12]}"
        yield name, "a field of a channel is not what it must be", BAD_BIRTH, birth(6, [broken])
    not_utf8 = cbor2.dumps(good).replace(b"am", b"a\xff", 1)
    yield "not_utf8", "text that is not UTF-8", BAD_BIRTH, not_utf8


def _states() -> Iterator[Row]:
    for name, item, reason in (
        ("version", [2, 7, 1], WRONG_VERSION), ("true", [1, 7, True], BAD_FRAME), ("two", [1, 7, 2], BAD_FRAME),
        ("boot", [1, 0, 1], BAD_FRAME), ("boot_true", [1, True, 1], BAD_FRAME), ("short", [1, 7], BAD_FRAME),
        ("long", [1, 7, 1, 0], BAD_FRAME), ("number", 1, BAD_FRAME), ("float", [1, 7, 1.0], BAD_FRAME),
        ("version_float", [1.0, 7, 1], BAD_FRAME),
    ):  # fmt: skip
        yield name, "not [1, boot, 0 or 1]", reason, cbor2.dumps(item)


def refused_envelopes(message: bytes, payload: bytes) -> Iterator[Refused]:
    """Envelopes in the role `up` that are not ours, made from the right one of `payload`."""
    tag, n = message[-8:], len(payload)
    start, string, end = message[:6], message[6:-9], message[-9:]
    for name, why, data in (
        ("empty", "no byte at all", b""),
        ("bare", "a payload without an envelope", payload),
        ("tagged", "tag 17 before it", b"\xd1" + message),
        ("byte_after", "a byte after the end", message + b"\0"),
        ("mac_wrong", "another MAC", message[:-1] + bytes((message[-1] ^ 1,))),
        ("mac_none", "an empty MAC", message[:-9] + b"\x40"),
        ("mac_seven", "a MAC of seven bytes", message[:-9] + b"\x47" + tag[:7]),
        ("mac_sixteen", "a MAC of 16 bytes", message[:-9] + b"\x50" + tag + bytes(8)),
        ("mac_text", "the MAC as text", message[:-9] + b"\x68" + tag),
        ("three_items", "without the unprotected header", b"\x83\x43\xa1\x01\x04" + string + b"\x48" + tag),
        ("algorithm_5", "another algorithm", message[:4] + b"\x05" + message[5:]),
        ("algorithm_unprotected", "the algorithm unprotected", b"\x84\x40\xa1\x01\x04" + message[6:]),
        ("key_id", "an unprotected header", message[:5] + b"\xa1\x04\x41\x31" + message[6:]),
        ("detached", "no payload", start + b"\xf6\x48" + tag),
        ("payload_text", "the payload as text", start + bytes((0x60 + n,)) + payload + end),
        ("length_of_one_byte", "a length that is not in its shortest form", start + bytes((0x58, n)) + payload + end),
        ("length_of_two_bytes", "the same in two bytes", start + bytes((0x59, 0, n)) + payload + end),
        ("length_of_four_bytes", "the same in four bytes", start + bytes((0x5A, 0, 0, 0, n)) + payload + end),
        ("payload_in_chunks", "a payload of unknown length", start + b"\x5f" + string + b"\xff" + end),
        ("array_of_unknown_length", "the array of unknown length", b"\x9f" + message[1:] + b"\xff"),
    ):
        yield Refused(f"envelope_{name}", why, "up", BAD_MAC, data)
    for size in range(1, len(message)):
        yield Refused(f"envelope_cut_{size:02}", f"cut after {size} bytes", "up", BAD_MAC, message[:size])
