"""How a damaged file is set aside: never another program's, never from under a gateway, and whole after a power cut."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.store import damage, devices
from gateway.store.database import Database, StoreError
from tests.gateway.conftest import Household
from tests.gateway.damaged import aside, has_lived, overwrite, reopened, root, works
from tests.gateway.test_migration import written


@pytest.fixture
def lived(household: Household) -> Household:
    return has_lived(household)


def test_another_programs_file_is_left_as_it_is_even_if_it_is_damaged(tmp_path: Path):
    path = tmp_path / "theirs.sqlite"
    theirs = sqlite3.connect(path)
    theirs.executescript("PRAGMA application_id = 7; CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
    theirs.close()
    for page, what in ((2, os.urandom(4096)), (1, os.urandom(100))):
        overwrite(path, page, what)
        before = path.read_bytes()
        with pytest.raises(StoreError):
            Database(path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["theirs.sqlite"]


def test_an_old_version_that_is_damaged_gives_its_devices_and_windows(tmp_path: Path):
    path = written("001-troubled.sql", tmp_path)
    overwrite(path, root(path, "frame"))
    db = Database(path)
    assert db.notice is not None
    assert sorted(devices.registry(db)) == ["a0b1c2d3e4f5", "a0b1c2d3e4f6", "ffffffffffff"]
    known = [db.windows.find(1, boot) for boot in (1, 2, 3, 4)]
    assert [(b.window.upto, b.window.islands, b.old) for b in known if b] == [
        (4, [(6, 6)], True), (4, [], True), (2, [], True), (2, [], False),
    ]  # fmt: skip
    db.close()


@pytest.mark.parametrize("step", ["_carry_over", "replace 1", "replace 2"])
def test_mending_that_is_cut_off_is_done_by_the_next_start(
    lived: Household, step: str, monkeypatch: pytest.MonkeyPatch
):
    overwrite(lived.path, root(lived.path, "counter"))
    replace: Callable[..., Any] = Path.replace
    moves = []

    def cut(*args: Any) -> Any:
        moves.append(args)
        if step == "_carry_over" or len(moves) == int(step[-1]):
            raise KeyboardInterrupt
        return replace(*args)

    if step == "_carry_over":
        monkeypatch.setattr(damage, "_carry_over", cut)
    else:
        monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        Database(lived.path)
    monkeypatch.undo()
    db = reopened(lived)
    assert list(devices.registry(db)) == ["a0b1c2d3e4f5"]
    assert len(aside(lived)) == 1
    assert not list(lived.path.parent.glob("*.mended*"))
    works(lived)


def test_a_log_that_was_set_aside_before_its_file_is_a_part_of_it_again(lived: Household, tmp_path: Path):
    lived.db.close()
    lived.db = Database(lived.path)
    lived.db.count("told", 7)
    now = {end: lived.path.with_name(lived.path.name + end).read_bytes() for end in ("", "-wal")}
    lived.db.close()
    # As the power cut left it: the log is away, its file is not, and the new one is whole.
    path = tmp_path / "cut" / "h.sqlite"
    path.parent.mkdir()
    path.write_bytes(now[""])
    path.with_name("h.sqlite.damaged-20250101T000000-wal").write_bytes(b"of a year ago")
    time.sleep(0.05)
    path.with_name("h.sqlite.mended").write_bytes(b"")
    path.with_name("h.sqlite.damaged-20260101T000000-wal").write_bytes(now["-wal"])
    db = Database(path)
    assert db.counters()["told"] == 7
    db.close()
    assert not path.with_name("h.sqlite.mended").exists()
    # A log that is there is the newer one, whatever lies beside it.
    path.write_bytes(now[""])
    path.with_name("h.sqlite-wal").write_bytes(now["-wal"])
    path.with_name("h.sqlite.mended").write_bytes(b"")
    path.with_name("h.sqlite.damaged-20260101T000000-wal").write_bytes(b"of another time")
    db = Database(path)
    assert db.counters()["told"] == 7
    db.close()


def test_only_its_owner_can_read_what_is_made_of_it(lived: Household):
    overwrite(lived.path, root(lived.path, "counter"))
    reopened(lived)
    for file in lived.path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name


HOLDER = """
import sys
from pathlib import Path
from gateway.store.database import Database
db = Database(Path(sys.argv[1]))
db.connection.execute("SELECT count(*) FROM frame").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


def test_a_file_that_a_gateway_has_open_is_not_taken_from_under_it(lived: Household):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    pipe = subprocess.PIPE
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, lived.path], stdin=pipe, stdout=pipe, env=env)
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"open\n"
    overwrite(lived.path, root(lived.path, "counter"))
    with pytest.raises(StoreError, match="in use"):
        Database(lived.path)
    assert aside(lived) == []
    holder.stdin.close()
    holder.wait()
    assert reopened(lived).notice is not None
