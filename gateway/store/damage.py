"""A damaged database: found at the start, set aside whole, and what the gateway cannot do without is carried over.

The new file is complete before the old one is moved, and each step can be done again: a power cut in the midst of it
is mended by the next start.
"""

import fcntl
import glob
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from gateway.store import header
from gateway.store.transaction import transaction
from gateway.store.windows import Windows

# Needed by every commit, and small: looked at first.
_NEEDED = ("meta", "device", "consent_grant", "revision", "counter", "sink", "horizon", "window", "boot")
# What is carried over. Not the frames: a sound copy of the readable ones would take as long as it takes; and not what
# speaks of frames by their ids.
_CARRIED = (
    "meta", "device", "boot", "window", "consent_grant", "counter", "revision", "sink", "horizon", "bucket", "outbox",
    "grant_version", "person", "pseudonym", "ledger", "disclosure", "notice", "notice_sink", "local_use", "rekey",
    "board_trust", "update_rolled_back",
)  # fmt: skip
# (table, column, what it refers to): a row whose device is lost must not meet the next device that gets its id.
_HANGING = (
    ("window", "device_id", ("device", "id")),
    ("rekey", "device_id", ("device", "id")),
    ("boot", "device_id", ("device", "id")),
    ("board_trust", "device_id", ("device", "id")),
    ("update_rolled_back", "device_id", ("device", "id")),
    ("horizon", "device_id", ("device", "id")),
    ("bucket", "device_id", ("device", "id")),
    ("horizon", "sink", ("sink", "name")),
    ("bucket", "sink", ("sink", "name")),
    ("outbox", "sink", ("sink", "name")),
    ("notice_sink", "notice_id", ("notice", "id")),
)
_FRAMES_A_LOOK = 2000
_SHARED_AT, _SHARED_BYTES = 0x40000002, 510  # SQLite's lock on a file that is open


class InUseError(Exception):
    """Another process has the damaged file open."""


class DamageError(sqlite3.DatabaseError):
    """Damage that SQLite reports in words instead of an error."""


def is_damage(path: Path | None, why: sqlite3.DatabaseError) -> bool:
    """Whether an error says that our own file is damaged (and not that it is locked, or another program's).

    `path` is None where it is open, and so known to be ours: to open and close it beside SQLite would drop SQLite's
    locks on it.
    """
    if isinstance(why, DamageError):
        return True
    code = getattr(why, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_CORRUPT or (code == sqlite3.SQLITE_NOTADB and (path is None or header.was_ours(path)))


def look(db: sqlite3.Connection, path: Path, budget_s: float) -> None:
    """Look for damage for so long: first in what every commit needs, then in the frames, newest first. Raises
    DamageError or sqlite3.DatabaseError."""
    ends_s = time.monotonic() + budget_s
    found = db.execute("SELECT value FROM meta WHERE name = 'damage'").fetchone()
    if found:
        raise DamageError(found[0])
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    log = path.with_name(path.name + "-wal")
    if path.stat().st_size % page_bytes and not (log.exists() and log.stat().st_size):
        raise DamageError("its last page is cut off")
    for table in _NEEDED:
        _raise_unless_ok(db.execute(f"PRAGMA quick_check({table})").fetchone())
        if time.monotonic() > ends_s:
            return
    _read_frames(db, lambda: time.monotonic() > ends_s)


def look_through(path: Path, stop: Callable[[], bool]) -> str | None:
    """What is wrong with the file, or None."""
    try:
        with closing(_readable(path)) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if table != "frame" and not stop():
                    _raise_unless_ok(db.execute(f"PRAGMA quick_check({table})").fetchone())
            _read_frames(db, stop)
    except sqlite3.OperationalError:
        return None  # locked, moved away: not a question of damage
    except sqlite3.DatabaseError as why:
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None, timeout=1)) as db:
            note(db, why)
        return f"{path} is damaged ({why}). Start the gateway again: it sets the file aside and goes on with a new one."
    return None


def _read_frames(db: sqlite3.Connection, stop: Callable[[], bool]) -> None:
    """Every page of the frames, newest first, until it is stopped. Raises DamageError or sqlite3.DatabaseError.

    Not by quick_check: up to SQLite 3.41 it cannot be stopped, the file may be large and the disk slow, and as long as
    it reads the log cannot be emptied.
    """
    (before,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM frame").fetchone()
    while not stop():
        rows = db.execute(
            "SELECT id, length(sealed) FROM frame WHERE id < ? ORDER BY id DESC LIMIT ?", (before, _FRAMES_A_LOOK)
        ).fetchall()
        if not rows:
            return
        for id_, size in rows:
            if id_ >= before or not size:
                raise DamageError(f"frame {id_} is not where it was stored")
            before = id_


def note(db: sqlite3.Connection, why: Exception) -> None:
    """Let the next start set the file aside, wherever the damage was met: it may lie where no start looks."""
    with suppress(sqlite3.Error):
        db.execute("INSERT OR REPLACE INTO meta VALUES ('damage', ?)", (str(why),))


def sentence(path: Path, aside: Path, why: Exception) -> str:
    """What a person is told after `mend`."""
    return (
        f"{path.name} was damaged ({why}) and is set aside as {aside.name}. Devices, grants and what boards were told "
        "is kept are carried over as far as they could be read; earlier readings are in that file only. "
        "If it happens again, the disk or SD card is wearing out."
    )


def mend(path: Path, make_new: Callable[[Path], None]) -> Path:
    """Make a new database in the place of a damaged one; return where the damaged one is. Raises InUseError, OSError
    or sqlite3.Error; then everything is as it was."""
    if _in_use(path):
        raise InUseError
    header.restore(path)
    mended = _mended(path)
    _remove(mended)
    make_new(mended)
    with closing(sqlite3.connect(mended, isolation_level=None)) as new:
        new.execute("PRAGMA synchronous=FULL")
        _carry_over(path, new)
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for end in ("-shm", "-wal", ""):  # the file itself last: as long as it is here, all of this can be done again
        old = path.with_name(path.name + end)
        if old.exists():
            old.replace(aside.with_name(aside.name + end))
    mended.replace(path)
    return aside


def finish_mending(path: Path) -> None:
    """Go on where a power cut stopped `mend`: the new file is whole once the old one is gone, and not before."""
    mended = _mended(path)
    if mended.exists():
        if path.exists():
            _bring_back(path, mended.stat().st_mtime_ns)
            _remove(mended)
        else:
            mended.replace(path)


def _bring_back(path: Path, since_ns: int) -> None:
    """A log that was set aside since then, before its file was, is still a part of that file."""
    log = path.with_name(path.name + "-wal")
    for moved in path.parent.glob(f"{glob.escape(path.name)}.damaged-*-wal"):
        alone = not moved.with_name(moved.name.removesuffix("-wal")).exists()
        if alone and not log.exists() and moved.stat().st_ctime_ns >= since_ns:
            moved.replace(log)


def _mended(path: Path) -> Path:
    return path.with_name(path.name + ".mended")


def _remove(path: Path) -> None:
    for end in ("-wal", "-shm", ""):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _in_use(path: Path) -> bool:
    """Whether another process has it open. (SQLite holds a shared lock of this kind as long as a WAL file is open.)"""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_AT)
        except OSError:
            return True
    return False


def _raise_unless_ok(answer: tuple[str] | None) -> None:
    if answer is not None and answer[0] != "ok":
        raise DamageError(answer[0].replace("\n", " "))


def _carry_over(path: Path, new: sqlite3.Connection) -> None:
    with suppress(sqlite3.DatabaseError), closing(_readable(path)) as old, transaction(new):
        for table in _CARRIED:
            _copy(old, new, table)
        _carry_windows(old, new)
        for table, key, of in _HANGING:
            new.execute(f"DELETE FROM {table} WHERE {key} NOT IN (SELECT {of[1]} FROM {of[0]})")


def _readable(path: Path) -> sqlite3.Connection:
    """Only read, log included: nothing is written back to a file that is evidence now."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=1)


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """The rows that can be read, from both ends: so a damaged page costs no row but its own."""
    wanted = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    for order in ("ASC", "DESC"):
        try:
            names = [row[1] for row in old.execute(f"PRAGMA table_info({table})") if row[1] in wanted]
            if not names:
                return
            listed, marks = ", ".join(names), ", ".join("?" * len(names))
            for row in old.execute(f"SELECT {listed} FROM {table} ORDER BY 1 {order}"):
                with suppress(sqlite3.IntegrityError):
                    new.execute(f"INSERT OR REPLACE INTO {table} ({listed}) VALUES ({marks})", row)
        except sqlite3.DatabaseError:
            continue
        return


def _carry_windows(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Numbers that were acked stay acked: what was saved, and what the newest frames tell since then."""
    with suppress(sqlite3.DatabaseError):
        if old.execute("PRAGMA user_version").fetchone() == (1,):
            for row in old.execute("SELECT device_id, boot, upto, nullif(islands, '[]') FROM boot ORDER BY 1, 2"):
                new.execute("UPDATE window SET old = 1 WHERE old = 0 AND device_id = ?", row[:1])
                new.execute("INSERT INTO window VALUES (0, ?, ?, ?, ?, 0, 0, NULL, NULL, NULL, NULL, NULL, 0)", row)
    since = Windows(old)
    with suppress(sqlite3.DatabaseError):
        since.refresh()
    since.hand_over(Windows(new))
    new.execute("UPDATE window SET last_id = 0, wait_id = NULL")
    new.execute("UPDATE sink SET cursor = 0")
    new.execute("DELETE FROM meta WHERE name IN ('saved_id', 'damage')")
