"""The database file: it is ours, whole and as durable as it says, or it is told why not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway.store import database, devices
from gateway.store.database import APPLICATION_ID, Database, StoreError
from tests.gateway.test_migration import written


def test_it_opens_twice_with_the_same_secret_and_content(tmp_path: Path):
    path = tmp_path / "deep" / "er" / "h.sqlite"
    first = Database(path)
    devices.enrol(first, "a0b1c2d3e4f5", "x", 0)
    secret = first.secret
    first.close()
    second = Database(path)
    assert second.secret == secret
    assert len(secret) == 32
    assert list(devices.registry(second)) == ["a0b1c2d3e4f5"]
    assert second.connection.execute("PRAGMA user_version").fetchone() == (len(database.migrations()),)
    assert second.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    second.close()


def test_only_its_owner_can_read_it(tmp_path: Path):
    path = tmp_path / "h.sqlite"
    db = Database(path)
    devices.enrol(db, "a0b1c2d3e4f5", "x", 0)
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name
    db.close()


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "h.sqlite"
    Database(path).close()
    steps = [*database.migrations(), "CREATE TABLE more (x);\nCREATE TABLE more (x);\n"]
    monkeypatch.setattr(database, "migrations", lambda: steps)
    with pytest.raises(StoreError):
        Database(path)
    monkeypatch.setattr(database, "migrations", lambda: [*steps[:-1], "CREATE TABLE more (x);\n"])
    db = Database(path)
    assert db.connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    db.close()


@pytest.mark.parametrize(
    "script",
    [
        "PRAGMA application_id = 7; CREATE TABLE theirs (x)",
        "PRAGMA user_version = 3; CREATE TABLE theirs (x)",
        "CREATE TABLE theirs (x)",
        "CREATE TABLE device (id)",
    ],
)
def test_another_programs_database_is_left_as_it_is(tmp_path: Path, script: str):
    path = tmp_path / "theirs.sqlite"
    theirs = sqlite3.connect(path)
    theirs.executescript(script)
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        Database(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.sqlite"]


def test_a_newer_database_is_left_as_it_is(tmp_path: Path):
    path = tmp_path / "h.sqlite"
    db = Database(path)
    db.connection.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="newer Hearthgate"):
        Database(path)


def test_what_is_no_database_is_told(tmp_path: Path):
    path = tmp_path / "h.sqlite"
    path.write_bytes(b"a letter to a friend " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Database(path)
    with pytest.raises(StoreError, match=str(tmp_path)):
        Database(tmp_path)


def test_its_application_id_is_readable_by_file():
    assert APPLICATION_ID.to_bytes(4, "big") == b"HGAT"


def test_it_is_as_durable_as_it_says(household: Any):
    assert household.db.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert household.db.connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_new_one_has_small_pages_and_an_old_one_keeps_its_own(tmp_path: Path):
    db = Database(tmp_path / "new.sqlite")
    assert db.connection.execute("PRAGMA page_size").fetchone() == (database.PAGE_BYTES,)
    new_log = db.connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] * database.PAGE_BYTES
    db.close()
    path = written("001-steady.sql", tmp_path)
    db = Database(path)
    assert db.connection.execute("PRAGMA page_size").fetchone() == (4096,)
    assert db.connection.execute("PRAGMA wal_autocheckpoint").fetchone()[0] * 4096 == pytest.approx(new_log, rel=0.01)
    db.close()


def test_what_is_set_aside_or_saved_is_all_in_one_file_when_it_is_closed(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, [[1, 2, 3]]))
    household.db.close()
    assert [file.name for file in household.path.parent.iterdir()] == ["hearthgate.sqlite"]
