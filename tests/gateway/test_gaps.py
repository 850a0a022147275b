"""Frames that a board no longer holds: who waits for them is told, and every number is accounted for."""

from __future__ import annotations

from typing import Any

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.window import MAX_ISLANDS
from tests.gateway.said import gap, read

ROWS = [[320, 0, 1800], [321, 0, 1800]]


def test_a_gap_lifts_the_window_over_what_is_gone(household: Any, board: Any):
    household.receive(board.rows(1, ROWS), board.rows(5, ROWS))
    done = household.receive(gap(board, 6, 1, 2, 4))
    assert (done.stored, done.missing, done.acks) == (1, 3, {(1, 1): 6})
    assert household.db.counters()["frames_missing"] == 3
    assert devices.missing(household.db) == {board.device: 3}
    assert household.count("frame") == 3


def test_a_gap_is_kept_like_any_frame_and_told_again_it_changes_nothing(household: Any, board: Any):
    said = gap(board, 2, 1, 1, 1)
    household.receive(board.birth(), said)
    done = household.receive(said)
    assert (done.duplicates, done.missing, done.acks) == (1, 0, {(1, 1): 2})
    (frame,) = read(household)
    assert (frame.frame.gap.first, frame.frame.gap.last) == (1, 1)
    assert devices.missing(household.db) == {board.device: 1}


def test_only_numbers_that_are_not_here_are_missing(household: Any, board: Any):
    household.receive(*[board.rows(seq, ROWS) for seq in (1, 2, 4, 7)])
    done = household.receive(gap(board, 9, 1, 1, 8))
    assert (done.missing, done.acks) == (4, {(1, 1): 9})
    done = household.receive(gap(board, 10, 1, 1, 8))
    assert (done.missing, done.acks) == (0, {(1, 1): 10})


def test_a_gap_in_an_earlier_boot_acks_that_boot_too(household: Any, board: Any):
    household.receive(board.rows(1, ROWS), board.rows(4, ROWS))
    done = household.receive(board.birth(2), gap(board, 1, 1, 2, 3, boot=2))
    assert done.acks == {(1, 1): 4, (1, 2): 1}
    assert list(done.acks)[-1] == (1, 2)  # the one that was heard comes last
    assert devices.missing(household.db) == {board.device: 2}


def test_a_gap_in_a_boot_that_never_was_heard(household: Any, board: Any):
    done = household.receive(gap(board, 1, 3, 1, 500, boot=5))
    assert (done.missing, done.acks) == (500, {(1, 3): 500, (1, 5): 1})


def test_a_late_frame_whose_number_was_given_up_is_a_duplicate(household: Any, board: Any):
    household.receive(gap(board, 2, 1, 1, 1))
    assert household.receive(board.rows(1, ROWS)).duplicates == 1
    assert household.dead() == []


def test_a_gap_of_four_billion_is_a_number_like_any_other(household: Any, board: Any):
    done = household.receive(gap(board, 1, 1, 1, 2**32 - 1, boot=2))
    assert (done.missing, done.acks[1, 1]) == (2**32 - 1, 2**32 - 1)


def test_a_gap_beyond_the_open_gaps_is_put_off_whole(household: Any, board: Any):
    household.receive(*[board.rows(3 + 2 * i, ROWS) for i in range(MAX_ISLANDS)])
    done = household.receive(gap(board, 1, 1, 5000, 6000, boot=2))
    assert (done.stored, done.deferred, done.missing) == (0, 1, 0)
    done = household.receive(gap(board, 9000, 1, 1, 1))
    assert (done.stored, done.deferred, done.missing, done.acks) == (0, 1, 0, {(1, 1): 0})
    done = household.receive(gap(board, 9000, 1, 1, 2))  # this one makes room for itself
    assert (done.stored, done.missing, done.acks) == (1, 2, {(1, 1): 3})


def test_gaps_survive_a_crash(household: Any, board: Any):
    household.receive(board.rows(1, ROWS), board.rows(5, ROWS))
    household.receive(gap(board, 6, 1, 2, 4), board.rows(9, ROWS))
    household.db.connection.close()
    household.db = Database(household.path)
    assert household.receive(board.rows(7, ROWS)).acks == {(1, 1): 7}
    assert household.receive(board.rows(8, ROWS)).acks == {(1, 1): 9}
    assert devices.missing(household.db) == {board.device: 3}
    assert household.db.counters()["frames_missing"] == 3
