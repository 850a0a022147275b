"""Properties of the kinds of frames, and of acks: what one side writes the other reads; anything else is refused."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.wire.birth import Birth, Channel, ValueKind
from gateway.wire.columns import MAX_ROWS, VALUE_MAX, VALUE_MIN
from gateway.wire.downlink import MAX_ACK_BOOTS, MAX_WAIT_S, Ack, decode_ack, encode_ack
from gateway.wire.errors import FrameError, WireError
from gateway.wire.frame import MAX_COUNTER, MAX_EACH, MAX_STEP_MS, MAX_TIME_S, MAX_UPTIME_MS, Frame, Gap, decode
from tools import onboard

board = onboard.load("frame")

counters = st.integers(1, MAX_COUNTER)
heads = st.tuples(counters, counters, st.none() | st.integers(0, MAX_TIME_S), st.integers(0, MAX_UPTIME_MS))
values = st.none() | st.integers(VALUE_MIN, VALUE_MAX) | st.integers(-50, 50)
Column = list[int | None]


@st.composite
def thinned(draw: st.DrawFn) -> tuple[list[Column], list[Column], list[Column]]:
    """(lows, means, highs) of up to ten channels, from rows measured at random."""
    channels, rows, each = draw(st.integers(1, 10)), draw(st.integers(1, 6)), draw(st.integers(2, 5))
    found: tuple[list[Column], list[Column], list[Column]] = ([], [], [])
    for _ in range(channels):
        parts = [
            [v for v in draw(st.lists(values, min_size=each, max_size=each)) if v is not None] for _ in range(rows)
        ]
        found[0].append([min(part) if part else None for part in parts])
        found[1].append([(2 * sum(part) + len(part)) // (2 * len(part)) if part else None for part in parts])
        found[2].append([max(part) if part else None for part in parts])
    return found


@given(heads, st.integers(1, MAX_STEP_MS), st.integers(2, MAX_EACH), thinned())
def test_what_the_firmware_thins_the_gateway_reads(
    head: tuple[int, int, int | None, int], step_ms: int, each: int, found: tuple[list[Column], ...]
):
    lows, means, highs = found
    columns = board.Columns(3 * len(lows), len(lows[0]))
    for row in zip(*lows, *means, *highs, strict=True):
        columns.add(row)
    payload = bytes(board.Framer(columns.channels, columns.capacity).columns(*head, step_ms, columns, each))
    frame = decode(payload)
    assert (frame.boot, frame.seq, frame.time_s, frame.uptime_ms) == head
    assert (frame.step_ms, frame.rows, frame.each) == (step_ms, len(lows[0]), each)
    assert [[list(c) for c in part] for part in (frame.lows, frame.columns, frame.highs)] == [lows, means, highs]
    assert frame.values == 3 * sum(len(c) - c.count(None) for c in means)
    assert not frame.events
    assert frame.gap is None


@given(heads, counters, counters, counters)
@example((7, 42, None, 0), 7, 41, 41)
@example((7, 42, None, 0), 7, 1, 42)
def test_a_gap_is_said_and_read_where_it_is_of_the_past_and_nowhere_else(
    head: tuple[int, int, int | None, int], gap_boot: int, first: int, last: int
):
    boot, seq, _, _ = head
    past = gap_boot < boot or (gap_boot == boot and last < seq)
    by_hand = b"".join(map(cbor2.dumps, (1, *head, gap_boot, first, last)))
    if not past or first > last:
        with pytest.raises(FrameError):
            decode(by_hand)
        with pytest.raises(ValueError, match="gap"):
            board.gap_frame(*head, gap_boot, first, last)
        return
    assert board.gap_frame(*head, gap_boot, first, last) == by_hand
    frame = decode(by_hand)
    assert frame == Frame(*head, 0, 0, [], (), gap=Gap(gap_boot, first, last))
    assert frame.readings == frame.values == 0


strange = (
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.sampled_from([0, 1, 2, 3, 6, 42, 4096, 65_535])
    | st.binary(max_size=8) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=6)
)  # fmt: skip
packed_bits = st.sampled_from([b"\x10\x00\x00", b"\x10\x00\x00\x00", b"\x00\x00", b"\x08\x00\x00"])


@given(st.tuples(st.just(1), *[counters | strange] * 4), st.lists(strange | packed_bits, max_size=6))
def test_items_of_any_kind_in_any_number_are_one_frame_or_a_wire_error(head: tuple[Any, ...], rest: list[Any]):
    try:
        frame = decode(b"".join(map(cbor2.dumps, (*head, *rest))))
    except WireError:
        return
    assert [bool(frame.columns), bool(frame.events), frame.gap is not None].count(True) == 1
    assert 0 <= frame.rows <= MAX_ROWS
    assert 1 <= frame.each <= MAX_EACH
    assert len(frame.lows) == len(frame.highs) == (len(frame.columns) if frame.each > 1 else 0)


marks = st.lists(st.tuples(counters, st.integers(0, MAX_COUNTER)), min_size=1, max_size=MAX_ACK_BOOTS)


@given(marks, st.integers(0, MAX_TIME_S), st.integers(0, MAX_WAIT_S))
def test_an_ack_reads_back_on_both_sides(upto: list[tuple[int, int]], time_s: int, wait_s: int):
    payload = encode_ack(upto, time_s=time_s, wait_s=wait_s)
    assert decode_ack(payload) == Ack(time_s, wait_s, tuple(upto))
    assert onboard.load("cbor").loads(payload) == [1, time_s, wait_s, *map(list, upto)]


@given(st.lists(strange | st.tuples(strange, strange), max_size=12))
def test_an_array_of_anything_is_an_ack_within_its_bounds_or_a_wire_error(items: list[Any]):
    try:
        ack = decode_ack(cbor2.dumps([1, *items]))
    except WireError:
        return
    assert 0 <= ack.wait_s <= MAX_WAIT_S
    assert encode_ack(ack.upto, time_s=ack.time_s, wait_s=ack.wait_s) == cbor2.dumps([1, *items])


@given(st.binary(max_size=100))
def test_random_bytes_are_an_ack_or_a_wire_error(payload: bytes):
    for data in (payload, b"\x84\x01" + payload):
        try:
            decode_ack(data)
        except WireError:
            continue


def birth(*kinds: ValueKind) -> Birth:
    channels = (Channel(f"c{i}", "/", 1, 1, kind, "use") for i, kind in enumerate(kinds))
    return Birth(7, "k", "m", "0", "n", tuple(channels))


class TestFits:
    """Whether a frame is of the device that a birth describes."""

    GAUGE, EVENT = ValueKind.GAUGE, ValueKind.EVENT

    def test_a_gap_fits_every_device(self):
        gap = decode(board.gap_frame(7, 42, None, 0, 6, 1, 2))
        assert birth(self.GAUGE).fits(gap)
        assert birth(self.EVENT).fits(gap)

    @pytest.mark.parametrize(("channels", "each"), [(2, 1), (6, 6)])
    def test_a_thinned_frame_counts_a_channel_once(self, channels: int, each: int):
        columns = board.Columns(channels, 2)
        columns.add([5] * channels)
        columns.add([5] * channels)
        frame = decode(bytes(board.Framer(channels, 2).columns(7, 42, None, 0, 60_000, columns, each)))
        assert birth(self.GAUGE, self.EVENT, self.GAUGE).fits(frame)
        assert not birth(*[self.GAUGE] * 3).fits(frame)
        assert not birth(*[self.GAUGE] * 6).fits(frame)
