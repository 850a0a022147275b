"""The commit window: long while nobody waits, short when a person does, none when a board has a backlog."""

from __future__ import annotations

import math

import pytest

from gateway.app.pace import BACKLOG_S, CATCHING_UP, LOOKED_S, MANY, MANY_S, SOON_S, CommitPace

WINDOW_S, QUIET_S = 1.0, 120.0


@pytest.fixture
def pace() -> CommitPace:
    """Of a gateway that has made its first commit."""
    made = CommitPace(WINDOW_S, QUIET_S)
    made.heard("a", 0, frame=True, urgent=False)
    made.taken(0, 0)
    return made


def test_nothing_is_due_while_nothing_waits(pace: CommitPace):
    assert pace.due_s == math.inf
    pace.hurry(5)
    pace.looked(5)
    assert pace.due_s == math.inf


def test_series_that_nobody_watches_wait_long(pace: CommitPace):
    pace.heard("a", 10, frame=True, urgent=False)
    pace.heard("b", 60, frame=True, urgent=False)
    assert pace.due_s == 10 + QUIET_S


def test_the_first_commit_is_soon():
    pace = CommitPace(WINDOW_S, QUIET_S)
    pace.heard("a", 10, frame=True, urgent=False)
    assert pace.due_s == 10 + SOON_S


def test_an_event_is_committed_soon_with_all_that_waits(pace: CommitPace):
    pace.heard("a", 10, frame=True, urgent=False)
    pace.heard("b", 50, frame=True, urgent=True)
    assert pace.due_s == 50 + WINDOW_S
    pace.taken(0, 51)
    pace.heard("a", 52, frame=True, urgent=False)
    assert pace.due_s == 52 + QUIET_S


def test_a_board_with_a_backlog_does_not_wait(pace: CommitPace):
    for n in range(CATCHING_UP - 1):
        pace.heard("a", 10 + n, frame=True, urgent=False)
        pace.heard("b", 10 + n, frame=True, urgent=False)
    assert pace.due_s == 10 + QUIET_S
    pace.heard("a", 20, frame=True, urgent=False)
    assert pace.due_s == 20 + SOON_S


def test_the_end_of_a_backlog_does_not_wait_and_then_all_is_as_before(pace: CommitPace):
    for _ in range(CATCHING_UP):
        pace.heard("a", 10, frame=True, urgent=False)
    pace.taken(0, 10)
    pace.heard("b", 11, frame=True, urgent=False)
    assert pace.due_s == 11 + QUIET_S
    pace.heard("a", 10 + BACKLOG_S, frame=True, urgent=False)
    assert pace.due_s == 10 + BACKLOG_S + SOON_S
    pace.taken(0, 16)
    pace.heard("a", 11 + BACKLOG_S, frame=True, urgent=False)
    assert pace.due_s == 11 + BACKLOG_S + QUIET_S


def test_what_is_no_frame_is_no_backlog(pace: CommitPace):
    for _ in range(CATCHING_UP):
        pace.heard("a", 10, frame=False, urgent=False)
    assert pace.due_s == 10 + QUIET_S


def test_many_boards_at_once_do_not_wait(pace: CommitPace):
    for n in range(MANY):
        pace.heard(f"{n}", 10, frame=True, urgent=False)
    assert pace.due_s == 10 + MANY_S


def test_who_looks_sees_what_waits_already(pace: CommitPace):
    pace.heard("a", 10, frame=True, urgent=False)
    pace.looked(30)
    assert pace.due_s == 30 + WINDOW_S
    pace.taken(0, 31)
    pace.heard("a", 30 + LOOKED_S, frame=True, urgent=False)
    assert pace.due_s == 30 + LOOKED_S + WINDOW_S
    pace.taken(0, 40)
    pace.heard("a", 41 + LOOKED_S, frame=True, urgent=False)
    assert pace.due_s == 41 + LOOKED_S + QUIET_S


def test_what_found_no_room_in_a_batch_is_due_at_once(pace: CommitPace):
    pace.heard("a", 10, frame=True, urgent=False)
    pace.taken(3, 130)
    assert pace.due_s == 130
    pace.taken(0, 131)
    assert pace.due_s == math.inf


def test_a_promise_is_kept_and_renewed(pace: CommitPace):
    assert pace.promise_s("a", 10) == 120
    pace.looked(20)
    assert pace.promise_s("a", 21) == 1
    pace.heard("b", 30, frame=True, urgent=False)
    assert pace.due_s == 30 + QUIET_S
    pace.heard("a", 31, frame=True, urgent=False)  # it was told 1 s, and nobody looks any more
    assert pace.due_s == 31 + WINDOW_S
    pace.taken(0, 32)
    assert pace.promise_s("a", 32) == 120
    pace.heard("a", 33, frame=True, urgent=False)
    assert pace.due_s == 33 + QUIET_S


def test_a_promise_is_rounded_up():
    assert CommitPace(0.02, 0.02).promise_s("a", 0) == 1
    assert CommitPace(1.5, 2.5).promise_s("a", 0) == 3


def test_the_quiet_window_is_never_the_shorter_one():
    pace = CommitPace(30, 1)
    pace.heard("a", 0, frame=True, urgent=False)
    pace.taken(0, 0)
    pace.heard("a", 0, frame=True, urgent=False)
    assert pace.due_s == 30
