"""Dead letters: what could not be used is kept, counted and bounded."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.store import dead, frames
from gateway.store.dead import DeadLetter


def test_the_same_bytes_again_only_count_up(household: Any):
    for _ in range(5):
        household.receive(("hg/1/ffffffffffff/up", b"junk"))
    assert household.dead() == [("unknown_device", 5)]
    assert household.db.counters()["dead_letters"] == 5


def test_their_number_is_bounded_and_the_newest_stay(household: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dead, "MAX_DEAD_LETTERS", 20)
    for i in range(50):
        household.receive(("hg/1/ffffffffffff/up", b"junk %d" % i))
    assert household.count("dead_letter") == 20
    (newest,) = household.db.connection.execute("SELECT payload FROM dead_letter ORDER BY id DESC LIMIT 1").fetchone()
    assert newest == b"junk 49"


def test_a_strangers_megabyte_is_cut_off(household: Any):
    household.receive(("hg/1/ffffffffffff/up", bytes(1_000_000)), ("x" * 5000, b""))
    kept = household.db.connection.execute("SELECT size, length(payload), length(topic) FROM dead_letter").fetchall()
    assert kept == [(1_000_000, 4096, 20), (0, 0, 128)]


def test_strangers_do_not_push_out_what_a_known_board_was_acked_for(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dead, "MAX_DEAD_LETTERS", 20)
    poison = board.say("up", b"\x01\x01\x01\xff")
    assert household.receive(poison).acks == {(1, 1): 1}
    for i in range(50):
        household.receive(("hg/1/ffffffffffff/up", b"junk %d" % i))
    kept = household.db.connection.execute("SELECT payload FROM dead_letter WHERE reason = 'bad_frame'").fetchall()
    assert kept == [(poison[1],)]


def test_every_kind_of_dead_letter_is_counted_by_its_reason(household: Any, board: Any):
    frames.commit(household.db, [DeadLetter("t", b"1", "one", "", 0), DeadLetter("t", b"2", "two", "", 0)])
    counters = household.db.counters()
    assert [counters[f"dead_letters{k}"] for k in ("", ".one", ".two")] == [2, 1, 1]
