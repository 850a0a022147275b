"""What a board that is flashed keeps of the key before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from gateway.flash.keys import beside

FLASHED, NOW, NEXT = bytes(32), bytes(range(32)), bytes(range(32, 64))


def name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]


def table(follows: bytes, key: bytes, old: bytes | None = None) -> bytes:
    rest = {} if old is None else {"old": old.hex()}
    return json.dumps({"for": name(follows), "key": key.hex(), **rest}).encode()


def told(made: bytes | None) -> dict[str, Any] | None:
    return None if made is None else json.loads(made)


def test_a_board_whose_key_stays_needs_no_file() -> None:
    assert beside(NOW, {"key": NOW.hex()}, None, rotated=False) is None
    assert beside(NOW, {}, None, rotated=True) is None


def test_a_board_that_took_its_next_key_by_command_is_flashed_with_that_and_needs_none() -> None:
    assert beside(NOW, {"key": FLASHED.hex()}, table(FLASHED, NOW), rotated=False) is None


def test_what_it_still_holds_under_the_key_before_can_be_sealed_anew() -> None:
    made = beside(NOW, {"key": FLASHED.hex()}, table(FLASHED, NOW, FLASHED), rotated=False)
    assert told(made) == {"for": name(NOW), "key": NOW.hex(), "old": FLASHED.hex()}
    # Flashed once more before that is done, it is the same.
    assert beside(NOW, {"key": NOW.hex()}, made, rotated=False) == made


def test_a_key_that_is_being_changed_is_given_by_cable_with_the_one_before() -> None:
    made = beside(NEXT, {"key": NOW.hex()}, None, rotated=True)
    assert told(made) == {"for": name(NEXT), "key": NEXT.hex(), "old": NOW.hex()}
    made = beside(NEXT, {"key": FLASHED.hex()}, table(FLASHED, NOW), rotated=True)
    assert told(made) == {"for": name(NEXT), "key": NEXT.hex(), "old": NOW.hex()}


def test_a_board_that_somebody_else_may_have_had_carries_nothing_over() -> None:
    assert beside(NEXT, {"key": NOW.hex()}, None, rotated=False) is None


def test_a_file_of_another_board_json_says_nothing() -> None:
    assert beside(NOW, {"key": NOW.hex()}, table(FLASHED, NEXT, FLASHED), rotated=False) is None


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b"null", b'{"for": 1}'])
def test_a_broken_file_says_nothing(kept: bytes) -> None:
    assert beside(NOW, {"key": NOW.hex()}, kept, rotated=False) is None


@pytest.mark.parametrize("key", ["", "zz", "00", 7, None])
def test_a_broken_board_json_says_nothing(key: object) -> None:
    assert beside(NOW, {"key": key}, None, rotated=True) is None
