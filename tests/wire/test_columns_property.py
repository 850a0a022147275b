"""Properties of packed columns: what the firmware packs, the gateway unpacks; what anybody else sends does no harm."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire.columns import MAX_CHANNELS, MAX_ROWS, VALUE_MAX, VALUE_MIN, unpack
from gateway.wire.errors import FrameError, WireError
from gateway.wire.frame import decode
from tools import handpack, onboard
from tools.handpack import Coding

packing = onboard.load("packing")

Values = list[int | None]
LARGEST_BITS_A_VALUE = 34
"""What packing.py makes room for, and a board may count on: 33 bits a value and one for its presence."""
OVERHEAD_BITS = 40
"""First value, order, mode and parameters of a column."""


def packed(columns: Sequence[Values]) -> bytes:
    kept = packing.Columns(len(columns), len(columns[0]))
    for row in zip(*columns, strict=True):
        kept.add(row)
    packer = packing.Packer(kept.channels, kept.capacity)
    used = packer.pack(kept)
    return bytes(packer.buf[packing.HEADROOM : packing.HEADROOM + used])


@st.composite
def smooth(draw: st.DrawFn, rows: int) -> Values:
    """Columns as sensors give them: mostly the same, a ramp, noise, or a jump; at any scale."""
    scale = draw(st.sampled_from([1, 2, 7, 100, 2**12, 2**20, 2**26]))
    slope = draw(st.sampled_from([0, 0, 0, 1, -3, scale]))
    jumps = draw(st.lists(st.integers(-3, 3), min_size=rows, max_size=rows))
    value, values = draw(st.integers(-1000, 1000)), []
    for jump in jumps:
        value += slope + jump * scale
        values.append(max(VALUE_MIN, min(VALUE_MAX, value)))
    return list(values)


def wild(rows: int) -> st.SearchStrategy[Values]:
    ends = st.sampled_from([VALUE_MIN, VALUE_MIN + 1, -1, 0, 1, VALUE_MAX - 1, VALUE_MAX])
    return st.lists(ends | st.integers(VALUE_MIN, VALUE_MAX), min_size=rows, max_size=rows)


@st.composite
def columns(draw: st.DrawFn, most_rows: int = 70) -> list[Values]:
    rows = draw(st.integers(1, most_rows))
    column = smooth(rows) | wild(rows) | st.integers(VALUE_MIN, VALUE_MAX).map(lambda v: [v] * rows)
    found = draw(st.lists(column, min_size=1, max_size=4))
    for values in found:
        if draw(st.booleans()):
            for i in draw(st.sets(st.integers(0, rows - 1))):
                values[i] = None
    return found


@given(columns())
def test_what_the_firmware_packs_the_gateway_unpacks(found: list[Values]):
    assert [list(c) for c in unpack(packed(found), len(found[0]))] == found


@given(columns())
def test_the_firmware_chooses_the_shortest_coding_that_the_rule_allows(found: list[Values]):
    presence = any(None in values for values in found)
    shortest = [
        handpack.column(v, presence=presence) if v == [None] * len(v) else
        min((handpack.column(v, c, presence=presence) for c in handpack.allowed(v)), key=len)
        for v in found
    ]  # fmt: skip
    assert len(packed(found)) == len(handpack.packed(shortest, presence=presence))


def swings(rows: int, lowest: int, every: int) -> Values:
    """A sensor that jumps between its ends, as one with a loose wire does, and now and then stays for a step."""
    values, value = [], lowest
    for i in range(rows):
        values.append(value)
        value = value + (1 if value < 0 else -1) if i % every == every - 1 else (-1 - lowest if value < 0 else lowest)
    return values


@given(columns())
@example([swings(60, VALUE_MIN, 3)])
@example([swings(60, VALUE_MIN, 5)])
@example([[(i % 3) * 2**22 * (-1) ** (i // 3 % 2) + i // 3 for i in range(60)]])
def test_no_coding_takes_more_room_than_a_board_keeps_for_it(found: list[Values]):
    rows = len(found[0])
    most = 6 + len(found) * (OVERHEAD_BITS + LARGEST_BITS_A_VALUE * rows)
    assert 8 * len(packed(found)) <= most + 7


@pytest.mark.parametrize("seed", range(20))
def test_mixtures_of_large_and_small_steps_fit_the_room_of_the_packer(seed: int):
    """The choice of k is made for the mean; where steps are either huge or tiny the mean fits neither."""
    rng = random.Random(seed)
    for _ in range(30):
        rows, large, share = rng.choice((20, 60, 200)), 1 << rng.randint(16, 28), rng.uniform(0.5, 0.95)
        value, values = 0, []
        for _ in range(rows):
            values.append(value)
            step = rng.randint(large // 2, large) if rng.random() < share else rng.randint(1, 3)
            value += step if value < 0 else -step
        assert [list(c) for c in unpack(packed([values]), rows)] == [values]


@st.composite
def codings(draw: st.DrawFn) -> Coding:
    mode = draw(st.sampled_from([handpack.SPARSE, handpack.DENSE]))
    order = draw(st.integers(0, 1))
    if mode == handpack.DENSE:
        return Coding(mode, order, draw(st.integers(0, 31)))
    return Coding(mode, order, draw(st.integers(0, 7)), draw(st.integers(0, 14)))


@given(st.lists(st.integers(-(2**20), 2**20), min_size=3, max_size=40), codings())
def test_a_reader_takes_every_choice_of_order_mode_and_k(values: list[int], coding: Coding):
    residuals = handpack.differences(values)
    if coding.order:
        residuals = handpack.differences(residuals)
    if coding.mode == handpack.SPARSE and not any(residuals):
        return
    assert [list(c) for c in unpack(handpack.pack([values], [coding]), len(values))] == [values]


@given(st.binary(max_size=400), st.integers(-1, MAX_ROWS + 1))
def test_random_bits_are_columns_or_a_frame_error(bits: bytes, rows: int):
    try:
        found = unpack(bits, rows)
    except FrameError:
        return
    assert 1 <= len(found) <= MAX_CHANNELS
    for column in found:
        assert len(column) == rows
        assert all(v is None or VALUE_MIN <= v <= VALUE_MAX for v in column)


@given(columns(most_rows=20), st.data())
def test_a_changed_bit_is_columns_or_a_frame_error(found: list[Values], data: st.DataObject):
    bits = bytearray(packed(found))
    place = data.draw(st.integers(0, 8 * len(bits) - 1))
    bits[place >> 3] ^= 1 << (place & 7)
    try:
        read = unpack(bytes(bits), len(found[0]))
    except FrameError:
        return
    assert all(v is None or VALUE_MIN <= v <= VALUE_MAX for column in read for v in column)


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_or_a_wire_error(payload: bytes):
    try:
        decode(payload)
    except WireError:
        return


@given(st.binary(max_size=200))
def test_random_bytes_behind_a_right_beginning_are_a_frame_or_a_wire_error(rest: bytes):
    try:
        decode(b"\x01\x07\x18\x2a\xf6\x18\xfa" + rest)
    except WireError:
        return


def hard_to_read() -> Iterator[tuple[str, bytes, int]]:
    """Packed bits that promise as much work as they can: full messages of 65,000 bytes."""
    full = 65_000
    yield "zeros", bytes(full), MAX_ROWS
    yield "ones", b"\xff" * full, MAX_ROWS
    yield "constant_columns", b"\xf8" + bytes(full), MAX_ROWS
    for pattern in ("000010" + "10", "0001" * 3, "011", "0000000000000000000001"):
        yield f"pattern_{pattern}", int((pattern * (8 * full))[: 8 * full], 2).to_bytes(full, "big"), MAX_ROWS
    ramp = handpack.column(list(range(MAX_ROWS)), Coding(handpack.DENSE, 0, 1))
    yield "dense", handpack.packed([ramp] * 32), MAX_ROWS
    every = handpack.column([i % 2 for i in range(MAX_ROWS)], Coding(handpack.SPARSE, 0, 0))
    yield "sparse", handpack.packed([every] * 32), MAX_ROWS
    steep = handpack.column([(i % 2) * 2**28 for i in range(150)], Coding(handpack.DENSE, 0, 0))
    yield "escapes", handpack.packed([steep] * 32), 150


@pytest.mark.parametrize(("bits", "rows"), [pytest.param(b, r, id=name) for name, b, r in hard_to_read()])
def test_no_message_takes_long_to_read_or_to_refuse(bits: bytes, rows: int):
    began = time.process_time()
    try:
        found = unpack(bits, rows)
    except FrameError:
        found = []
    assert time.process_time() - began < 1.0
    assert sum(map(len, found)) <= MAX_ROWS * MAX_CHANNELS


def test_rows_are_bounded_before_anything_is_read():
    for rows in (0, -1, MAX_ROWS + 1, 2**60):
        with pytest.raises(FrameError):
            unpack(b"", rows)


class TestColumns:
    """The firmware's rows in memory."""

    def test_a_value_out_of_range_is_missing_and_stops_nothing(self):
        kept = packing.Columns(3, 2)
        kept.add((VALUE_MAX + 1, 5, VALUE_MIN - 1))
        kept.add((packing.MISSING, None, VALUE_MAX))
        packer = packing.Packer(3, 2)
        used = packer.pack(kept)
        bits = bytes(packer.buf[packing.HEADROOM : packing.HEADROOM + used])
        assert [list(c) for c in unpack(bits, 2)] == [[None, None], [5, None], [None, VALUE_MAX]]

    def test_a_row_of_another_width_or_too_many_rows_are_refused(self):
        kept = packing.Columns(2, 1)
        with pytest.raises(ValueError, match="2 values"):
            kept.add((1,))
        kept.add((1, 2))
        with pytest.raises(ValueError, match="full"):
            kept.add((1, 2))
        kept.clear()
        kept.add((3, 4))
        assert kept.rows == 1

    @pytest.mark.parametrize(("channels", "capacity"), [(0, 60), (33, 60), (1, 0), (1, 4097)])
    def test_sizes_beyond_the_format_are_refused(self, channels: int, capacity: int):
        with pytest.raises(ValueError, match="columns"):
            packing.Columns(channels, capacity)

    def test_a_packer_is_used_again_without_a_trace_of_what_it_packed_before(self):
        packer = packing.Packer(2, 60)
        rng = random.Random(1)
        for rows in (60, 1, 59, 2, 60, 3):
            kept = packing.Columns(2, 60)
            found: list[Values] = [
                [rng.choice((None, rng.randint(-(2**20), 2**20))) for _ in range(rows)] for _ in "ab"
            ]
            for row in zip(*found, strict=True):
                kept.add(row)
            used = packer.pack(kept)
            bits = bytes(packer.buf[packing.HEADROOM : packing.HEADROOM + used])
            assert [list(c) for c in unpack(bits, rows)] == found
            assert bits == packed(found)

    def test_rows_beyond_what_the_packer_has_room_for_are_refused(self):
        kept = packing.Columns(1, 120)
        for i in range(120):
            kept.add((i * i % 251,))
        with pytest.raises(ValueError, match="rows"):
            packing.Packer(1, 60).pack(kept)
