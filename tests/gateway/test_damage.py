"""Damage, made by overwriting, cutting and deleting: the gateway starts, says so, and keeps what it can read."""

from __future__ import annotations

import os
import random
import sqlite3

import pytest

from gateway.store import damage, devices, frames
from gateway.store.database import Database
from gateway.store.reader import FrameReader
from tests.gateway.conftest import Household
from tests.gateway.damaged import FRAMES, ROWS, aside, has_lived, overwrite, page_bytes, reopened, root, works


@pytest.fixture
def lived(household: Household) -> Household:
    return has_lived(household)


def test_a_sound_file_is_left_as_it_is(lived: Household):
    db = reopened(lived)
    assert (db.notice, aside(lived), db.check_rest()) == (None, [], None)
    assert db.secret == lived.secret  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", ["device", "window", "counter", "consent_grant", "sink", "meta"])
def test_a_damaged_small_table_is_found_at_the_start_and_the_others_are_carried_over(lived: Household, table: str):
    overwrite(lived.path, root(lived.path, table))
    db = reopened(lived)
    assert db.notice is not None
    assert "set aside" in db.notice
    assert len(aside(lived)) == 1
    assert aside(lived)[0] in db.notice
    if table != "device":
        assert list(devices.registry(db)) == ["a0b1c2d3e4f5"]
    if table not in ("device", "window"):
        known = db.windows.find(1, 1), db.windows.find(1, 2)
        assert [(b.window.upto, b.window.islands) for b in known if b] == [(FRAMES, []), (1, [(5, 5)])]
    if table != "meta":
        assert db.secret == lived.secret  # type: ignore[attr-defined]
    assert lived.count("consent_grant") == (table != "consent_grant")
    assert lived.count("frame") == 0
    works(lived)
    lived.db.close()
    assert reopened(lived).notice is None  # it is told once


def test_numbers_that_were_acked_stay_acked(lived: Household):
    overwrite(lived.path, root(lived.path, "counter"))
    reopened(lived)
    board = lived.board()
    done = lived.receive(board.rows(FRAMES, ROWS), board.rows(2, ROWS, boot=2), board.rows(5, ROWS, boot=2))
    assert (done.stored, done.duplicates, done.acks) == (1, 2, {(1, 1): FRAMES, (1, 2): 2})


def test_what_was_not_saved_yet_is_carried_over_too(household: Household):
    board = household.board()
    household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 40)])
    household.db.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    household.db.connection.close()
    overwrite(household.path, root(household.path, "counter"))
    reopened(household)
    assert household.receive(board.rows(39, ROWS)).acks == {(1, 1): 39}
    assert household.db.counters()["frames_stored"] == 39


def test_the_first_page_of_the_schema_is_gone(lived: Household):
    overwrite(lived.path, 1)
    db = reopened(lived)
    assert db.notice is not None
    works(lived)


def test_a_header_of_zeros_is_given_back_and_all_small_tables_with_it(lived: Household):
    overwrite(lived.path, 1, bytes(100))
    db = reopened(lived)
    assert db.notice is not None
    assert list(devices.registry(db)) == ["a0b1c2d3e4f5"]
    assert db.secret == lived.secret  # type: ignore[attr-defined]
    assert db.windows.find(1, 1).window.upto == FRAMES  # type: ignore[union-attr]
    works(lived)


@pytest.mark.parametrize("part", [0.999, 0.9, 0.5, 0.1])
def test_a_file_that_is_cut_off(lived: Household, part: float):
    os.truncate(lived.path, int(lived.path.stat().st_size * part))
    db = reopened(lived)
    assert db.notice is not None
    works(lived)


def test_a_file_of_nothing_but_zeros(lived: Household):
    lived.path.write_bytes(bytes(lived.path.stat().st_size))
    db = reopened(lived)
    assert db.notice is not None
    works(lived)


def test_a_file_that_lost_all_is_new(lived: Household):
    lived.path.write_bytes(b"")
    reopened(lived)
    works(lived)


def test_without_its_log_it_is_what_it_was_before(household: Household):
    board = household.board()
    household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 21)])
    household.db.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    household.receive(*[board.rows(seq, ROWS) for seq in range(21, 41)])
    copy = household.path.with_name("copy.sqlite")
    copy.write_bytes(household.path.read_bytes())  # as if its log had been deleted
    household.db.close()
    household.path = copy
    db = reopened(household)
    assert db.notice is None
    assert household.receive(board.rows(20, ROWS)).acks == {(1, 1): 20}
    works(household)


def test_a_damaged_log_gives_what_is_whole_of_it(household: Household):
    board = household.board()
    household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 21)])
    log = household.path.with_name(household.path.name + "-wal")
    copy = household.path.with_name("copy.sqlite")
    copy.write_bytes(household.path.read_bytes())
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    copy.with_name("copy.sqlite-wal").write_bytes(data)
    household.db.close()
    household.path = copy
    reopened(household)
    works(household)


def test_any_pages_overwritten_at_random(lived: Household):
    """Whatever is hit: it starts, now or after the look through the whole file, and works."""
    whole = lived.path.read_bytes()
    size = page_bytes(lived.path)
    rng = random.Random(5)
    found = 0
    for n in range(25):
        for path in lived.path.parent.iterdir():
            path.unlink()
        lived.path.write_bytes(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            overwrite(lived.path, rng.randrange(2, len(whole) // size), rng.randbytes(size) if n % 2 else bytes(size))
        db = reopened(lived)
        if db.notice is None and db.check_rest() is not None:
            db.close()
            db = reopened(lived)
            assert db.notice is not None
        found += db.notice is not None
        works(lived)
        lived.db.close()
    assert found >= 20


def test_damage_in_old_frames_is_found_by_the_look_through_all_of_it(lived: Household):
    overwrite(lived.path, root(lived.path, "frame") + 30)
    db = Database(lived.path, check_s=0)  # there was no time for it at the start
    assert db.notice is None
    told = db.check_rest()
    assert told is not None
    assert "Start the gateway again" in told
    db.close()
    assert reopened(lived).notice is not None
    works(lived)


def test_damage_that_only_a_commit_meets_is_mended_by_the_next_start(lived: Household):
    """Else it would start, fail and start again for ever."""
    overwrite(lived.path, root(lived.path, "dead_letter"))
    db = reopened(lived)
    assert db.notice is None
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        lived.receive(("hg/1/ffffffffffff/up", b"more junk"))
    db.close()
    assert reopened(lived).notice is not None
    works(lived)


def test_the_look_through_can_be_stopped(lived: Household, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(damage, "_FRAMES_A_LOOK", 10)
    overwrite(lived.path, root(lived.path, "frame") + 30)
    left = 30

    def stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    db = Database(lived.path, check_s=0)
    assert db.check_rest(stop) is None
    assert left == -1
    assert db.check_rest() is not None


def test_a_frame_that_cannot_be_read_any_more_stops_nobody(household: Household):
    board = household.board()
    household.grant()
    queue = household.queue()
    household.receive(board.birth(), *[
        board.rows(seq, ROWS, time_s=1_780_000_000 + seq * 20, uptime_ms=seq * 20_000) for seq in (1, 2, 3, 5)
    ])  # fmt: skip
    household.db.connection.execute("UPDATE frame SET sealed = zeroblob(30) WHERE id IN (2, 4)")
    assert [f.seq for f in FrameReader(household.db).all()] == [1, 3]
    assert [f.seq for f in FrameReader(household.db).of_device(1, 10)] == [1, 3]
    while queue.fill():
        pass
    assert len(queue.take()) == 2
    assert household.db.counters()["frames_unreadable"] == 2
    household.db.connection.close()
    reopened(household)
    assert frames.commit(household.db, household.examine(board.rows(4, ROWS))).acks == {(1, 1): 5}
