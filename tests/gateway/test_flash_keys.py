"""What a board that is flashed keeps of the keys before."""

from __future__ import annotations

import hashlib
import json

import pytest

from gateway.flash import keys

FLASHED, NOW, NEXT, LATER = bytes(32), bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))


def name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]


def table(follows: bytes, key: bytes, *old: bytes) -> bytes:
    rest = {"old": b"".join(old).hex()} if old else {}
    return json.dumps({"for": name(follows), "key": key.hex(), **rest}).encode()


def stored(key: bytes) -> dict[str, str]:
    return {"key": key.hex()}


def test_a_board_whose_key_stays_needs_no_file() -> None:
    assert keys.before(NOW, stored(NOW), None, [NOW]) == []
    assert keys.before(NOW, {}, None) == []
    assert keys.beside(NOW, []) is None


def test_a_board_that_took_its_next_key_by_command_is_flashed_with_that_and_needs_none() -> None:
    assert keys.before(NOW, stored(FLASHED), table(FLASHED, NOW)) == []


def test_what_it_still_holds_under_the_key_before_can_be_sealed_anew() -> None:
    made = keys.beside(NOW, keys.before(NOW, stored(FLASHED), table(FLASHED, NOW, FLASHED)))
    assert made == table(NOW, NOW, FLASHED)
    # Flashed once more before that is done, it is the same.
    assert keys.beside(NOW, keys.before(NOW, stored(NOW), made)) == made


def test_a_board_itself_says_which_key_it_had_whatever_the_database_knows() -> None:
    """Revoked, a new database, an older copy of it, or a change of keys whose first flashing was interrupted."""
    assert keys.before(NEXT, stored(NOW), None) == [NOW]
    assert keys.before(NEXT, stored(NOW), None, [FLASHED]) == [NOW]
    assert keys.before(NEXT, stored(FLASHED), table(FLASHED, NOW)) == [NOW]
    assert keys.before(FLASHED, stored(FLASHED), table(FLASHED, NOW)) == [NOW]


def test_where_frames_of_two_keys_may_be_left_both_are_told_of_the_newest_first() -> None:
    made = keys.beside(NEXT, keys.before(NEXT, stored(FLASHED), table(FLASHED, NOW, FLASHED)))
    assert made == table(NEXT, NEXT, NOW, FLASHED)
    assert keys.before(LATER, stored(NEXT), made) == [NEXT, NOW, FLASHED]
    assert keys.before(FLASHED, stored(NEXT), made) == [NEXT, NOW]


def test_flashing_that_ended_between_the_file_and_board_json_goes_on_with_the_file() -> None:
    made = table(LATER, LATER, NEXT, NOW)
    assert keys.before(LATER, stored(FLASHED), made) == [FLASHED, NEXT, NOW]
    assert keys.before(LATER, {}, made) == [NEXT, NOW]


def test_a_board_that_does_not_say_its_key_may_have_had_the_one_that_was_given_up() -> None:
    assert keys.before(NEXT, {}, None, [NOW]) == [NOW]


def test_a_board_is_not_told_of_more_keys_than_it_has_memory_for() -> None:
    many = [bytes([number]) * 32 for number in range(1, 40)]
    told = keys.before(NOW, stored(NEXT), table(NEXT, NEXT, *many))
    assert told == [NEXT, *many][: len(told)]
    assert 4 <= len(told) <= 16


def test_a_file_of_another_board_json_says_nothing() -> None:
    assert keys.before(NOW, stored(NOW), table(FLASHED, NEXT, FLASHED)) == []


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b"null", b'{"for": 1}', table(NOW, NOW)[:-1] + b', "old": 7}'])
def test_a_broken_file_says_nothing(kept: bytes) -> None:
    assert keys.before(NOW, stored(NOW), kept) == []


@pytest.mark.parametrize("key", ["", "zz", "00", 7, None])
def test_a_broken_board_json_says_nothing(key: object) -> None:
    assert keys.before(NOW, {"key": key}, None) == []
