"""Makes damaged databases: a household that lived for weeks, and ways to spoil its file."""

from __future__ import annotations

import functools
import os
import sqlite3
import tempfile
from pathlib import Path

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.reader import FrameReader
from tests.gateway.conftest import Household

ROWS = [[320, 0, 1800], [321, 0, 1800]]
FRAMES = 600


@functools.cache
def years() -> bytes:
    """The file of a household with some weeks of frames, two boots and grants, whose gateway was stopped properly."""
    with tempfile.TemporaryDirectory() as folder:
        household = Household(Path(folder) / "hearthgate.sqlite")
        board, _ = household.board(), household.queue()
        household.grant()
        household.receive(board.birth(), board.state(1), ("hg/1/ffffffffffff/up", b"junk"))
        for first in range(1, FRAMES, 100):
            household.receive(
                *(
                    board.rows(seq, ROWS, time_s=1_780_000_000 + 20 * seq, uptime_ms=20_000 * seq)
                    for seq in range(first, first + 100)
                )
            )
        household.receive(board.birth(2), board.rows(1, ROWS, boot=2), board.rows(5, ROWS, boot=2))
        household.db.close()
        return household.path.read_bytes()


def has_lived(household: Household) -> Household:
    """That household, closed."""
    household.db.close()
    household.path.write_bytes(years())
    db = sqlite3.connect(household.path)
    (household.secret,) = db.execute("SELECT value FROM meta WHERE name = 'household_secret'").fetchone()  # type: ignore[attr-defined]
    db.close()
    return household


def page_bytes(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big")


def overwrite(path: Path, page: int, what: bytes | None = None) -> None:
    """Page `page` (from 1) holds something else."""
    size = page_bytes(path)
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(what if what is not None else os.urandom(size))


def root(path: Path, table: str) -> int:
    db = sqlite3.connect(path)
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    db.close()
    return int(page)


def works(household: Household) -> None:
    """It takes frames, acks them, reads and is sound."""
    board = household.board()
    done = household.receive(board.birth(9), board.rows(1, ROWS, boot=9))
    assert (done.stored, done.acks) == (1, {(devices.registry(household.db)[board.device].id, 9): 1})
    assert [f.frame.boot for f in FrameReader(household.db).all()][-1] == 9
    assert household.queue().fill() in (True, False)
    assert household.db.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert household.db.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def reopened(household: Household) -> Database:
    household.db = Database(household.path)
    return household.db


def aside(household: Household) -> list[str]:
    names = [path.name for path in household.path.parent.glob("*.damaged-*")]
    return sorted(name for name in names if not name.endswith(("-wal", "-shm")))
