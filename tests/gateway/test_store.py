"""Group commit: each frame is stored once, whatever comes in whatever order, and only what is on disk is acked."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from gateway.store import devices, frames
from gateway.store.reader import FrameReader, StoredFrame
from gateway.store.window import MAX_ISLANDS
from tests.gateway.said import gap

ROWS = [[320, 0, 1800], [321, 0, 1800]]
CHANGED = [[320, 0, 1800], [999, 0, 1800]]


class TestFrames:
    def test_a_frame_is_stored_once_however_often_it_comes(self, household: Any, board: Any):
        frame = board.rows(1, ROWS)
        done = household.receive(frame, frame)
        assert (done.stored, done.duplicates, done.acks) == (1, 1, {(1, 1): 1})
        done = household.receive(frame)
        assert (done.stored, done.duplicates, done.acks) == (0, 1, {(1, 1): 1})
        assert household.count("frame") == 1
        assert household.dead() == []
        counters = household.db.counters()
        assert [counters[k] for k in ("frames_stored", "frames_duplicate", "readings_stored", "values_stored")] == [
            1,
            2,
            2,
            6,
        ]
        assert counters["payload_bytes"] == len(frame[1])

    def test_what_is_kept_are_the_sealed_bytes(self, household: Any, board: Any):
        frame = board.rows(1, ROWS)
        household.receive(frame)
        assert household.db.connection.execute("SELECT sealed FROM frame").fetchall() == [(frame[1],)]

    def test_acks_say_only_what_is_here_without_a_gap(self, household: Any, board: Any):
        assert household.receive(board.rows(1, ROWS), board.rows(3, ROWS)).acks == {(1, 1): 1}
        assert household.receive(board.rows(4, ROWS)).acks == {(1, 1): 1}
        assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 4}
        assert household.receive(board.rows(4, ROWS)).acks == {(1, 1): 4}

    def test_boots_and_boards_have_windows_of_their_own(self, household: Any, board: Any):
        other = household.board("ffffffffffff")
        frames = board.rows(1, ROWS), board.rows(1, ROWS, boot=2), other.rows(1, ROWS), other.rows(2, ROWS)
        done = household.receive(board.birth(), *frames)
        assert done.stored == 4
        assert done.acks == {(1, 1): 1, (1, 2): 1, (2, 1): 2}

    def test_an_earlier_boot_is_acked_when_it_was_introduced_or_came_twice(self, household: Any, board: Any):
        first, again = (board.rows(seq, ROWS) for seq in (1, 2))
        assert household.receive(board.rows(1, ROWS, boot=3)).acks == {(1, 3): 1}  # its birth is retained: it comes
        assert household.receive(first, board.rows(1, ROWS, boot=2)).acks == {}
        assert household.receive(again).acks == {}
        assert household.receive(board.birth(), first, again).acks == {(1, 1): 2}
        assert household.receive(board.rows(3, ROWS)).acks == {(1, 1): 3}
        # A board that cannot say what it was then must not send the same frames for ever.
        assert household.receive(board.rows(1, ROWS, boot=2)).acks == {(1, 2): 1}
        assert household.receive(board.rows(2, ROWS, boot=2)).acks == {(1, 2): 2}

    def test_what_is_gone_of_an_earlier_boot_is_acked_at_once(self, household: Any, board: Any):
        household.receive(board.birth(boot=2))
        assert household.receive(gap(board, 1, 1, 1, 8, boot=2)).acks == {(1, 1): 8, (1, 2): 1}

    def test_a_number_used_twice_is_a_dead_letter_and_the_first_frame_stays(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        done = household.receive(board.rows(1, CHANGED))
        assert (done.stored, done.dead, done.acks) == (0, 1, {(1, 1): 1})
        assert household.dead() == [("seq_reused", 1)]
        assert [f.frame.columns[0] for f in _read(household, board)] == [[320, 321]]

    def test_a_frame_that_cannot_be_read_is_set_aside_and_acked_so_that_it_does_not_come_for_ever(
        self, household: Any, board: Any
    ):
        for payload in (b"\x01\x01\x02\xff", b"\x01\x01\x02\xf6\x00", b"\x01\x01\x02\xf9\x3c\x00"):
            poison = board.say("up", payload)
            household.receive(board.rows(1, ROWS))
            done = household.receive(poison, board.rows(3, ROWS))
            assert done.acks == {(1, 1): 3}
        assert household.dead()[0] == ("bad_frame", 1)
        (kept,) = household.db.connection.execute("SELECT payload FROM dead_letter WHERE id = 1").fetchone()
        assert kept == board.say("up", b"\x01\x01\x02\xff")[1]
        assert [f.seq for f in _read(household, board)] == [1, 3]

    def test_a_frame_that_is_not_of_its_birth_is_set_aside_and_acked(self, household: Any, board: Any):
        household.receive(board.birth())
        done = household.receive(board.rows(1, [[1, 2]]), board.events(2, [(60, 0, 1)]), board.rows(3, ROWS))
        assert (done.stored, done.dead, done.acks) == (1, 2, {(1, 1): 3})
        assert household.dead() == [("not_of_birth", 1), ("not_of_birth", 1)]

    def test_a_frame_beyond_the_open_gaps_is_neither_stored_nor_acked(self, household: Any, board: Any):
        gappy = [board.rows(3 + 2 * i, ROWS) for i in range(MAX_ISLANDS)]
        household.receive(*gappy)
        done = household.receive(board.rows(5000, ROWS))
        assert (done.stored, done.deferred, done.acks) == (0, 1, {(1, 1): 0})
        assert household.count("frame") == MAX_ISLANDS
        household.receive(board.rows(1, ROWS), board.rows(2, ROWS))
        assert household.receive(board.rows(5000, ROWS)).stored == 1

    def test_a_commit_that_fails_leaves_nothing_behind(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        def fail(*_: Any) -> None:
            raise RuntimeError("power cut")

        monkeypatch.setattr(frames._Commit, "_birth", fail)
        with pytest.raises(RuntimeError):
            household.receive(board.rows(1, ROWS), board.birth())
        assert household.count("frame") == 0
        assert household.db.counters() == {}
        monkeypatch.undo()
        assert household.receive(board.rows(1, ROWS), board.birth()).stored == 1

    def test_a_full_disk_is_told_and_the_store_works_again_when_there_is_room(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        (pages,) = household.db.connection.execute("PRAGMA page_count").fetchone()
        household.db.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            household.receive(*[board.events(seq, [(i % 4, i, i * i) for i in range(256)]) for seq in range(2, 60)])
        household.db.connection.execute("PRAGMA max_page_count = 1000000")
        assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 2}
        assert household.count("frame") == 2


class TestBirths:
    def test_a_birth_that_comes_again_changes_nothing_and_is_answered_with_the_ack(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(1, ROWS))
        done = household.receive(board.birth())
        assert (done.dead, done.acks) == (0, {(1, 1): 1})

    def test_a_birth_that_changes_its_mind_is_a_dead_letter_and_the_first_holds(self, household: Any, board: Any):
        household.receive(board.birth(name="Kitchen"))
        done = household.receive(board.birth(name="Cellar"))
        assert done.dead == 1
        assert household.dead() == [("birth_changed", 1)]
        assert devices.newest_birth(household.db, 1).name == "Kitchen"

    def test_a_new_boot_may_be_born_otherwise(self, household: Any, board: Any):
        household.receive(board.birth(boot=1, name="Kitchen"), board.birth(boot=2, name="Cellar"))
        assert household.dead() == []
        assert devices.newest_birth(household.db, 1).name == "Cellar"

    def test_each_frame_is_read_with_the_birth_of_its_boot(self, household: Any, board: Any):
        fewer = board.channels[:1]
        household.receive(board.birth(boot=1), board.birth(boot=2, channels=fewer))
        household.receive(board.rows(1, ROWS, boot=1), board.rows(1, [[5], [6]], boot=2))
        assert [[c.name for _, c in f.birth.series] for f in _read(household, board)] == [
            ["fridge_temp", "door", "top_shelf"],
            ["fridge_temp"],
        ]


def _read(household: Any, board: Any) -> list[StoredFrame]:
    household.receive(board.birth())
    return list(FrameReader(household.db).all())
