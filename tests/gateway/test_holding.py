"""A database that one process has for itself, and shares again: nothing in memory or on the disk gets lost by that."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.store import database
from gateway.store.database import Database, StoreError
from tests.gateway.damaged import has_lived, overwrite, reopened, root, works

ROWS = [[320, 0, 1800], [321, 0, 1800]]


def got_in(path: Path) -> bool:
    """Whether another process can read it; SQLite's locks are between processes."""
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM meta')"
    done = subprocess.run([sys.executable, "-c", look, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "database is locked" in done.stderr
    return done.returncode == 0


def names(path: Path) -> set[str]:
    return {file.name.removeprefix(path.name) for file in path.parent.iterdir()}


def test_while_it_is_held_nobody_gets_in_and_the_logs_index_is_no_file(household: Any, board: Any):
    assert household.db.hold()
    household.receive(board.birth(), board.rows(1, ROWS))
    assert not got_in(household.path)
    assert names(household.path) == {"", "-wal"}
    household.db.share()
    household.receive(board.rows(2, ROWS))
    assert got_in(household.path)
    assert names(household.path) == {"", "-wal", "-shm"}
    assert household.db.hold()
    assert names(household.path) == {"", "-wal"}


def test_what_is_known_of_a_boot_outlives_both(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS), board.rows(3, ROWS))
    queue = household.queue()
    for step in (household.db.hold, household.db.share, household.db.hold, household.db.hold, household.db.share):
        step()
        done = household.receive(board.rows(3, ROWS))
        assert (done.stored, done.duplicates, done.acks) == (0, 1, {(1, 1): 1})
    assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 3}
    assert household.db.counters()["frames_stored"] == 3
    assert household.db.counters()["frames_duplicate"] == 5
    assert household.db.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert household.db.connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert queue.backlog() == 1


def test_what_another_process_wrote_in_between_is_seen(household: Any, board: Any):
    household.db.hold()
    household.receive(board.birth(), board.rows(1, ROWS))
    household.db.share()
    mine, household.db = household.db, Database(household.path)
    household.receive(board.rows(2, ROWS))
    assert not mine.hold()
    assert got_in(household.path)
    household.db.close()
    household.db = mine
    assert mine.hold()
    done = household.receive(board.rows(2, ROWS))
    assert (done.duplicates, done.acks) == (1, {(1, 1): 2})


def test_who_is_kept_out_is_told_so(household: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "_PATIENCE_S", 0.1)
    household.db.hold()
    with pytest.raises(StoreError, match="another process keeps it for itself"):
        Database(household.path)


def test_where_it_cannot_be_shared_it_is_held_still(household: Any, board: Any):
    household.receive(board.birth())
    household.db.hold()
    index = household.path.with_name(household.path.name + "-shm")
    index.symlink_to("nowhere/at all")  # as a full disk: there is no room for the index
    with pytest.raises(sqlite3.OperationalError):
        household.db.share()
    assert household.receive(board.rows(1, ROWS)).stored == 1
    assert not got_in(household.path)
    index.unlink()
    household.db.share()
    assert got_in(household.path)
    assert household.receive(board.rows(1, ROWS)).duplicates == 1


def test_a_file_that_was_moved_away_is_not_made_anew(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    household.receive(board.birth())
    away = household.path.with_name("away")
    household.path.rename(away)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        household.db.hold()
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        household.receive(board.rows(1, ROWS))
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        household.db.counters()
    assert not household.path.exists()
    away.rename(household.path)
    assert household.receive(board.rows(1, ROWS)).stored == 1


def test_damage_that_is_met_while_it_is_held_is_mended_by_the_next_start(household: Any):
    lived = has_lived(household)
    page = root(lived.path, "dead_letter")
    db = reopened(lived)
    db.hold()
    overwrite(lived.path, page)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        lived.receive(("hg/1/ffffffffffff/up", b"more junk"))
    db.close()
    assert reopened(lived).notice is not None
    works(lived)


def test_closed_while_it_is_held_it_is_one_file(household: Any, board: Any):
    household.db.hold()
    household.receive(board.birth(), board.rows(1, ROWS))
    household.db.close()
    assert names(household.path) == {""}
    with closing(Database(household.path)) as db:
        assert db.counters()["frames_stored"] == 1


def test_where_there_is_no_room_for_the_logs_index_it_opens_without_one(household: Any, board: Any):
    """As after a kill -9 while it was held, on a disk that is full: the boards wait for a gateway that starts."""
    household.receive(board.birth(), board.rows(1, ROWS))
    household.db.close()
    full = (
        "import resource, sys, pathlib; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from gateway.store.database import Database;"
        "db = Database(pathlib.Path(sys.argv[1])); print(db.held, db.counters()['frames_stored'])"
    )
    command = [sys.executable, "-c", full, str(household.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True 1\n", "")
    household.db = Database(household.path)
    assert household.receive(board.rows(2, ROWS)).stored == 1
