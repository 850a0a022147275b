"""What every reader of bytes from outside keeps to, for any input that hypothesis can think of."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire import cose, item
from gateway.wire.birth import Birth, Channel, ValueKind, decode_birth, encode_birth
from gateway.wire.downlink import decode_ack, encode_ack
from gateway.wire.errors import WireError
from tools import fuzz_mutate, fuzz_targets, onboard
from tools.fuzz_reader import like_micropython, read
from tools.fuzz_target import scratch
from tools.fuzz_targets import TARGETS, Target

KEY = bytes(range(32))
NUMBERS = st.integers(-(2**64), 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LEAVES = st.none() | st.booleans() | NUMBERS | st.binary(max_size=40) | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=6), max_leaves=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def check(target: Target, parse: Any, data: bytes) -> bool:
    """Whether the input is taken. Anything but a declared refusal gets out."""
    try:
        parse(data[: target.max_bytes])
    except target.declared:
        return False
    return True


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_any_bytes_are_taken_or_refused_in_declared_words(target: Target):
    with target.open() as parse:

        @settings(max_examples=60)
        @given(st.binary(max_size=200))
        def holds(data: bytes) -> None:
            check(target, parse, data)

        holds()


@given(st.binary(max_size=400), st.sampled_from(["up", "birth", "state", "ack", "cmd"]), st.data())
def test_an_envelope_opens_unchanged_only_and_at_both_ends(payload: bytes, role: str, data: st.DataObject):
    board = onboard.load("mac").Mac0(KEY)
    message = cose.seal(KEY, role, payload)
    assert board.seal(role.encode(), payload) == message
    assert cose.open_sealed(KEY, role, message) == payload
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    changed = bytearray(message)
    changed[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(WireError):
        cose.open_sealed(KEY, role, bytes(changed))
    with pytest.raises(ValueError):
        board.open(role.encode(), bytes(changed))


@given(VALUES)
def test_both_ends_read_every_value_that_a_message_can_hold(value: Any):
    encoded = cbor2.dumps(value)
    assert item.read(encoded) == value
    assert onboard.load("cbor").loads(encoded) == value
    assert onboard.load("cbor").dumps(value) == encoded


@given(VALUES, st.data())
def test_a_value_that_is_cut_short_is_refused_at_both_ends(value: Any, data: st.DataObject):
    encoded = cbor2.dumps(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for reader in (item.read, onboard.load("cbor").loads):
        with pytest.raises(ValueError):
            reader(cut)


WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
LABELS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64)
CHANNELS = st.builds(
    Channel, WORDS, LABELS, st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(ValueKind), WORDS
)
BIRTHS = st.builds(
    Birth,
    st.integers(1, 2**32 - 1),
    WORDS,
    LABELS,
    LABELS,
    LABELS,
    st.lists(CHANNELS, min_size=1, max_size=8, unique_by=lambda c: c.name).map(tuple),
)


@given(BIRTHS)
def test_a_birth_says_what_it_was_made_of(birth: Birth):
    assert decode_birth(encode_birth(birth)) == birth


MARKS = st.lists(st.tuples(st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=8)


@given(st.integers(0, 2**36), st.integers(0, 600), MARKS)
def test_an_ack_says_what_it_was_made_of(time_s: int, wait_s: int, marks: list[tuple[int, int]]):
    ack = decode_ack(encode_ack(marks, time_s=time_s, wait_s=wait_s))
    assert (ack.time_s, ack.wait_s, list(ack.upto)) == (time_s, wait_s, marks)


def test_a_board_keeps_what_no_ack_confirms_in_whatever_order_acks_come():
    target = fuzz_targets.find("ack")
    seqs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=6)
    with target.open() as parse, read("ack") as says:

        @settings(max_examples=60)
        @given(seqs)
        def holds(acks: list[tuple[int, int]]) -> None:
            data = fuzz_mutate.join(
                [(kept, encode_ack([(7, seq)], time_s=1_780_000_000, wait_s=5)) for kept, seq in acks]
            )
            assert check(target, parse, data)
            upto = max(seq for _, seq in acks)
            assert says(data).startswith(f"holds {' '.join(f'7.{seq}' for seq in range(upto + 1, 7))}, ")

        holds()


def test_a_board_obeys_a_counter_once_and_never_an_older_one():
    with read("command") as says:

        @settings(max_examples=60)
        @given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12)), max_size=8))
        def holds(commands: list[tuple[int, int]]) -> None:
            data = fuzz_mutate.join(
                [(kept, cbor2.dumps([1, counter, 1_780_000_060, "live", []])) for kept, counter in commands]
            )
            newest, obeyed = 0, []
            for kept, counter in commands:
                if not kept and counter > newest:
                    newest = counter
                    obeyed.append(f"{counter} does {b'live'.hex()}")
            assert says(data).rpartition(": ")[2] == ", ".join(obeyed)

        holds()


FRAMES = st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=60)), min_size=1, max_size=8)


@settings(max_examples=60)
@given(FRAMES, st.data())
def test_a_segment_with_a_bad_byte_gives_what_stands_before_it_and_nothing_that_was_not_written(
    frames: list[tuple[bool, bytes]], data: st.DataObject
):
    segments = onboard.load("segments")
    records = [segments.record(7, seq, payload, keep) for seq, (keep, payload) in enumerate(frames, start=1)]
    written = bytearray(b"".join(records))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))
    whole = next(n for n in range(len(records)) if at < len(b"".join(records[: n + 1])))
    with scratch() as folder, like_micropython():
        (folder / "journal").mkdir()
        (folder / "journal" / "1").write_bytes(written)
        (folder / "journal" / "2").write_bytes(segments.record(8, 1, b"next", 0))
        found = segments.Segments(str(folder / "journal"))
        place, seen = (0, 0), []
        while (frame := found.after(*place)) is not None:
            seen.append(frame)
            place = frame[:2]
    kept = [(7, seq, payload) for seq, (_, payload) in enumerate(frames[:whole], start=1)]
    assert seen == [*kept, (8, 1, b"next")]
    assert found.cut == 1


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("console", b"POST /api/grants\n\n"),
        ("cloud", b"POST /v1/recipients/manufacturer/events\nContent-Type: application/cloudevents+json\n\n"),
        ("cloud", b"POST /v1/recipients/m/erasures\nContent-Type: application/json\n\n"),
        ("cloud", b"POST /control\n\n"),
    ],
    ids=["a_grant", "an_event", "a_notice", "a_fault"],
)
def test_any_json_is_answered(name: str, head: bytes):
    target = fuzz_targets.find(name)
    valid = [json.loads(seed.partition(b"\n\n")[2]) for seed in target.seeds() if seed.startswith(head)]
    known = next(iter([v for v in valid if isinstance(v, dict)]), {})
    keys = st.sampled_from(sorted(known)) if known else st.text(max_size=8)
    changed = st.dictionaries(keys, JSON, max_size=3).map(lambda other: {**known, **other})
    with target.open() as parse:

        @settings(max_examples=60)
        @given(JSON | changed)
        def holds(value: Any) -> None:
            check(target, parse, head + json.dumps(value).encode())

        holds()
