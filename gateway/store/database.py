"""Opens, checks and migrates the database, and runs its transactions."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from gateway.errors import HearthgateError

APPLICATION_ID = 0x48474154  # "HGAT": `file` and we know our own


class StoreError(HearthgateError):
    """The database cannot be used; the text says what to do."""


class Database:
    """One SQLite connection in WAL mode, synchronous=FULL. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = not path.exists()
            self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            try:
                if new:
                    path.chmod(0o600)  # it holds the devices' keys
                self._open()
            except BaseException:
                self.connection.close()
                raise
        except (sqlite3.DatabaseError, OSError) as why:
            raise StoreError(f"{path}: {why}. Check the folder's owner and free space, or move the file away.") from why

    def _open(self) -> None:
        db = self.connection
        # Asked before anything is set: another program's file stays as it is, down to its journal mode.
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or version or tables):
            raise StoreError(f"{self.path} is another program's database; name a different file under [store] path.")
        steps = migrations()
        if version > len(steps):
            raise StoreError(f"{self.path} was written by a newer Hearthgate (schema {version}); update this one.")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        for number, sql in enumerate(steps[version:], start=version + 1):
            with self.transaction():
                # executescript would commit first; statements are split by SQLite's own rule
                for statement in _statements(sql):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={number}")
        if not db.execute("SELECT 1 FROM meta WHERE name = 'household_secret'").fetchone():
            with self.transaction():
                db.execute("INSERT OR IGNORE INTO meta VALUES ('household_secret', ?)", (secrets.token_bytes(32),))

    @property
    def secret(self) -> bytes:
        """The household's own secret: pseudonyms and event ids are keyed with it. Never leaves."""
        (value,) = self.connection.execute("SELECT value FROM meta WHERE name = 'household_secret'").fetchone()
        return bytes(value)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; on disk when the block has ended."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # SQLite itself rolls back where the disk is full
                self.connection.execute("ROLLBACK")
            raise

    def revision(self, what: str) -> int:
        """How often `what` ("grants", "devices") was changed, by whomever: what is kept in memory hangs on it."""
        row = self.connection.execute("SELECT n FROM revision WHERE name = ?", (what,)).fetchone()
        return int(row[0]) if row else 0

    def revise(self, what: str) -> None:
        """Say that `what` changed; inside the transaction that changes it."""
        self.connection.execute(
            "INSERT INTO revision VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1", (what,)
        )

    def count(self, name: str, n: int = 1) -> None:
        """Add to a named counter; inside a transaction."""
        if n:
            self.connection.execute(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n", (name, n)
            )

    def counters(self) -> dict[str, int]:
        """Every counter."""
        return dict(self.connection.execute("SELECT name, n FROM counter"))

    def close(self) -> None:
        """Close the connection; what was committed is kept."""
        self.connection.close()


def migrations() -> list[str]:
    """The SQL of each schema version, oldest first."""
    folder = resources.files("gateway.store") / "schema"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [f.read_text(encoding="utf-8") for f in files]


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
