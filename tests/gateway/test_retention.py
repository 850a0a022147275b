"""The ceiling of the database: what every sink has had goes first, what one has not had stays, and then it is full."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.store import retention
from gateway.store.database import Database, StoreError, StoreFull
from gateway.store.reader import FrameReader
from gateway.store.retention import retain, used_bytes

MANY = [(i % 4, i, i * i) for i in range(256)]


def fill(queue: Any) -> None:
    while queue.fill():
        queue.delivered(queue.take(500))
    queue.delivered(queue.take(500))


def ids(household: Any) -> list[int]:
    return [row[0] for row in household.db.connection.execute("SELECT id FROM frame ORDER BY id")]


def receive(household: Any, board: Any, first: int, last: int, **more: Any) -> None:
    household.receive(*[board.events(seq, MANY, uptime_ms=seq, **more) for seq in range(first, last + 1)])


@pytest.fixture(autouse=True)
def small_steps(household: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    household.grant()
    monkeypatch.setattr(retention, "_FRAMES_A_STEP", 5)
    monkeypatch.setattr(retention, "_MOST_STEPS", 4)


def test_below_the_ceiling_nothing_goes(household: Any, board: Any):
    receive(household, board, 1, 10)
    assert retain(household.db, used_bytes(household.db), household.now_ms) == 0
    assert len(ids(household)) == 10


def test_the_oldest_go_first_in_bounded_steps_and_are_counted(household: Any, board: Any):
    receive(household, board, 1, 60)
    used = used_bytes(household.db)
    assert retain(household.db, used // 10, household.now_ms) == 20  # as many as one call may
    assert ids(household) == list(range(21, 61))
    assert used_bytes(household.db) < used
    assert household.db.counters()["frames_expired"] == 20
    assert household.receive(board.events(5, MANY, uptime_ms=5)).acks == {(1, 1): 60}  # still known


def test_a_little_more_goes_than_must_so_that_not_each_commit_makes_room(household: Any, board: Any):
    receive(household, board, 1, 60)
    used = used_bytes(household.db)
    assert 0 < retain(household.db, used - 1, household.now_ms) < 20
    assert used_bytes(household.db) <= used - used // 100


def test_what_a_sink_has_not_had_stays(household: Any, board: Any):
    fast, slow = household.queue("fast"), household.queue("slow")
    household.receive(board.birth())
    receive(household, board, 1, 30, time_s=household.now_ms // 1000)
    fill(fast)
    with pytest.raises(StoreFull, match="max_mb"):
        retain(household.db, 1000, household.now_ms)
    assert len(ids(household)) == 30
    slow.fill()
    assert retain(household.db, 1000, household.now_ms) == 20
    assert ids(household) == list(range(21, 31))
    assert issubclass(StoreFull, StoreError)


def test_a_sink_that_the_settings_no_longer_name_keeps_nothing(household: Any, board: Any):
    household.queue("gone")
    now = household.queue("now")
    household.receive(board.birth())
    receive(household, board, 1, 30, time_s=household.now_ms // 1000)
    fill(now)
    with pytest.raises(StoreFull):
        retain(household.db, 1000, household.now_ms)
    assert retain(household.db, 1000, household.now_ms, ["now", "not yet opened"]) == 20


def test_what_is_parked_stays_and_what_is_around_it_goes(household: Any, board: Any):
    queue = household.queue()
    other = household.board("ffffffffffff")
    household.receive(board.birth(), other.events(1, MANY))  # without its birth
    receive(household, board, 1, 12, time_s=household.now_ms // 1000)
    household.receive(other.events(2, MANY, uptime_ms=2))
    receive(household, board, 13, 24, time_s=household.now_ms // 1000)
    fill(queue)
    assert household.count("parked") == 2
    assert retain(household.db, 1000, household.now_ms) == 20
    assert ids(household) == [1, 14, 23, 24, 25, 26]
    household.receive(other.birth())
    household.now_ms += 2 * 86_400_000  # nobody waits longer for its clock
    fill(queue)
    assert household.count("parked") == 0


def test_a_board_that_never_says_what_it_is_keeps_the_others_out_for_a_week_only(household: Any, board: Any):
    queue = household.queue()
    mute = household.board("ffffffffffff")
    receive(household, mute, 1, 30)  # without its birth
    fill(queue)
    with pytest.raises(StoreFull, match=r"\(ffffffffffff\) did not say"):
        retain(household.db, 1000, household.now_ms)
    household.receive(board.birth())
    household.now_ms += retention.UNDECIDED_MS
    receive(household, board, 1, 3, time_s=household.now_ms // 1000)
    fill(queue)
    assert retain(household.db, 1000, household.now_ms) == 2  # what may go goes first
    household.now_ms += 1
    assert retain(household.db, 1000, household.now_ms) == 20
    assert ids(household) == [*range(21, 31), 33]
    assert household.count("parked") == 10
    assert household.db.counters()["frames_undecided"] == 20


def test_what_waits_for_a_sink_stays_however_long_though_it_was_parked(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    queue = household.queue()
    receive(household, board, 1, 30, time_s=household.now_ms // 1000)  # without its birth
    fill(queue)
    household.receive(board.birth())
    household.now_ms += 2 * retention.UNDECIDED_MS
    with pytest.raises(StoreFull):
        retain(household.db, 1000, household.now_ms)
    assert len(ids(household)) == 30
    fill(queue)
    assert retain(household.db, 1000, household.now_ms) == 20


def test_the_newest_stays_so_that_numbers_go_on(household: Any, board: Any):
    receive(household, board, 1, 6)
    assert retain(household.db, 1000, household.now_ms) == 5
    with pytest.raises(StoreFull):
        retain(household.db, 1000, household.now_ms)
    household.db.connection.close()
    household.db = Database(household.path)
    household.receive(board.birth())
    receive(household, board, 7, 8)
    assert ids(household) == [6, 7, 8]
    assert [f.seq for f in FrameReader(household.db).of_device(1, 10)] == [6, 7, 8]
    assert household.db.counters()["frames_stored"] == 8


def test_room_that_was_made_is_used_again_and_the_file_does_not_grow(household: Any, board: Any):
    receive(household, board, 1, 60)
    household.db.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = household.path.stat().st_size
    used = used_bytes(household.db)
    for first in range(61, 400, 10):
        receive(household, board, first, first + 9)
        while used_bytes(household.db) > used:
            retain(household.db, used, household.now_ms)
    household.db.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert household.path.stat().st_size < size * 1.3
