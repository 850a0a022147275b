"""update/manifest.py: the same manifests and words as the firmware's own code has them, and nothing else."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.update.manifest import (
    CHUNK_BYTES,
    LAST,
    Manifest,
    Said,
    Want,
    components,
    decode_want,
    encode_ask,
    encode_chunk,
    encode_manifest,
)
from gateway.wire.errors import FrameError
from tools import onboard

FILES = {"main.py": b"m" * 100, "link.mpy": b"l" * 3000, LAST: b'{"board": "fridge-sim"}'}
CLASS = "fridge-sim 2566"
SEQUENCE = 1_800_000_000


def made(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "sequence": SEQUENCE,
        "klass": CLASS,
        "slot": "b",
        "components": components(FILES),
    }
    return Manifest(**values | changes)


def test_the_firmware_takes_what_is_made_here() -> None:
    check = onboard.load("manifest").check
    number, first = check(encode_manifest(made()), CLASS.encode(), SEQUENCE - 1, "a")
    assert number == SEQUENCE
    rest = encode_manifest(made())[first:]
    assert cbor2.loads(rest)[0] == "link.mpy"


@pytest.mark.parametrize(
    ("payload", "klass", "highest", "slot", "why"),
    [
        (encode_manifest(made()), b"kettle-sim 2566", 0, "a", "model"),
        (encode_manifest(made()), CLASS.encode(), SEQUENCE, "a", "counter"),
        (encode_manifest(made()), CLASS.encode(), 0, "b", "slot"),
        (encode_manifest(made(components=components(FILES)[:-1])), CLASS.encode(), 0, "a", "form"),
        (encode_ask(), CLASS.encode(), 0, "a", "form"),
    ],
)
def test_and_refuses_what_is_not_for_it(payload: bytes, klass: bytes, highest: int, slot: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        onboard.load("manifest").check(payload, klass, highest, slot)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_one_way(payload: bytes) -> None:
    with pytest.raises(ValueError):
        onboard.load("manifest").check(payload, CLASS.encode(), 0, "a")


def test_the_manifest_of_a_slot_is_its_last_component() -> None:
    assert [component.name for component in components(FILES)] == ["link.mpy", "main.py", LAST]


@pytest.mark.parametrize(
    "name", ["../main.py", "a/b.py", ".py", "main.mpy.new", "Main.py", "board.json", "x" * 46 + ".py"]
)
def test_a_name_that_leads_out_of_the_slot_is_none(name: str) -> None:
    with pytest.raises(FrameError):
        components(FILES | {name: b""})


def test_without_its_manifest_or_too_large_it_is_no_slot() -> None:
    with pytest.raises(FrameError):
        components({"main.py": b""})
    with pytest.raises(FrameError):
        components(FILES | {"large.mpy": bytes(262_144)})


def test_a_piece_has_a_kilobyte_but_for_the_last() -> None:
    data = FILES["link.mpy"]
    pieces = [cbor2.loads(encode_chunk(SEQUENCE, 0, at, data)) for at in range(0, len(data), CHUNK_BYTES)]
    assert b"".join(piece[5] for piece in pieces) == data
    assert [len(piece[5]) for piece in pieces] == [1024, 1024, 952]
    assert pieces[1][:5] == [1, 2, SEQUENCE, 0, 1024]


@pytest.mark.parametrize(
    ("items", "want"),
    [
        ([1, 0, 7, CLASS.encode(), "a", bytes(32)], Want(Said.HAS, 7, klass=CLASS, slot="a", digest=bytes(32))),
        (
            [1, 0, 7, b"kettle-esp32+serial 2566", "b", bytes(32)],
            Want(Said.HAS, 7, klass="kettle-esp32+serial 2566", slot="b", digest=bytes(32)),
        ),
        ([1, 1, SEQUENCE, 3, 1024], Want(Said.WANTS, SEQUENCE, index=3, offset=1024)),
        ([1, 2, SEQUENCE, "battery"], Want(Said.WAITS, SEQUENCE, why="battery")),
        ([1, 6, SEQUENCE, "starts"], Want(Said.ROLLED_BACK, SEQUENCE, why="starts")),
    ],
)
def test_a_boards_words(items: list[Any], want: Want) -> None:
    assert decode_want(cbor2.dumps(items)) == want


@pytest.mark.parametrize(
    "items",
    [
        [1, 8, 1, ""],
        [2, 1, 1, 0, 0],
        [1, 0, 7, b"../etc 1", "a", bytes(32)],
        [1, 0, 7, b"kettle-esp32+ 1", "a", bytes(32)],
        [1, 0, 7, CLASS.encode(), "c", bytes(32)],
        [1, 0, 7, CLASS.encode(), "a", bytes(31)],
        [1, 1, 1, -1, 0],
        [1, 1, 1, True, 0],
        [1, 1, 1, 0],
        [1, 2, 1, "x" * 33],
        [1, None, 1, ""],
        "text",
    ],
)
def test_what_is_no_word_of_a_board(items: Any) -> None:
    with pytest.raises(FrameError):
        decode_want(cbor2.dumps(items))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_word_or_refused(payload: bytes) -> None:
    try:
        decode_want(payload)
    except FrameError:
        return
