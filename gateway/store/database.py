"""Opens, checks and migrates the database, and runs its transactions."""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

from gateway.errors import HearthgateError
from gateway.store import damage, migration
from gateway.store.transaction import transaction
from gateway.store.windows import Windows

APPLICATION_ID = 0x48474154  # "HGAT": `file` and we know our own

# Of a new database. A commit writes every page that it touched whole, once to the log and once to the file, and what it
# adds is a few hundred bytes. Bytes written a frame (write_bytes, 50 boards; tests/gateway/test_wear.py):
#   pages of                              512   1024   2048   4096
#   10 frames of 56 bytes in a commit     838    922   1004   1206
#   10 frames of 92                       901   1010   1165   1375
#   50 frames of 57                       358    365    425    546
#   50 frames of 93                       515    479    523    626
# Pages of 512 are no better where much comes, and twice as many to read.
PAGE_BYTES = 1024
# How large the log grows before it is written to the file: a page that changes in every commit is written there once.
_LOG_BYTES = 4_000_000
# How long opening looks for damage; `check_rest` goes through all of it.
CHECK_S = 0.1
_PATIENCE_S = 10.0  # for another process that is in the midst of a commit


class StoreError(HearthgateError):
    """The database cannot be used; the text says what to do."""


class StoreFull(StoreError):
    """The database has reached its size, and nothing in it may go."""


class Database:
    """One SQLite connection in WAL mode, synchronous=FULL. Used by one thread at a time.

    It is shared with other processes until `hold`, and again from `share` on. `notice` is None, or a sentence for the
    household: the file was damaged, and what became of it.
    """

    def __init__(self, path: Path, *, check_s: float = CHECK_S) -> None:
        self.path = path
        self.notice: str | None = None
        self.held = False
        self._beside: dict[str, Counter[str]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            damage.finish_mending(path)
            try:
                self._connect(check_s)
            except sqlite3.DatabaseError as why:
                if not damage.is_damage(path, why):
                    raise
                aside = damage.mend(path, self._prepare_new)
                self.notice = damage.sentence(path, aside, why)
                self._connect(check_s)
        except damage.InUseError as why:
            raise StoreError(
                f"{path} is damaged and in use. Stop the gateway and start it: it mends what it can."
            ) from why
        except (sqlite3.DatabaseError, OSError) as why:
            if is_busy(why):
                raise StoreError(f"{path}: another process keeps it for itself. Stop it, or try again.") from why
            raise StoreError(f"{path}: {why}. Check the folder's owner and free space, or move the file away.") from why

    def _connect(self, check_s: float) -> None:
        try:
            self._sql: sqlite3.Connection | None = self._connected(check_s, alone=False)
        except sqlite3.OperationalError as why:
            if is_busy(why):
                raise
            try:
                # On a full disk there may be no room for the index of the log, and without that file it does too.
                self._sql = self._connected(check_s, alone=True)
            except sqlite3.DatabaseError:
                raise why from None
            self.held = True

    def _connected(self, check_s: float, *, alone: bool) -> sqlite3.Connection:
        new = not self.path.exists()
        sql = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S)
        try:
            if new:
                self.path.chmod(0o600)  # it holds the devices' keys
            if alone:
                sql.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._open(sql)
            damage.look(sql, self.path, check_s)
            self._windows = Windows(sql)
            self._windows.refresh()
        except BaseException:
            sql.close()
            raise
        return sql

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection. `hold` and `share` change it: ask for it each time. Raises sqlite3.Error."""
        if self._sql is None:  # it could not be opened again a moment ago
            self._sql = self._connect_again(alone=False)
        return self._sql

    @property
    def windows(self) -> Windows:
        """What is known of each boot. Raises sqlite3.Error."""
        _ = self.connection  # that of the windows too
        return self._windows

    def hold(self) -> bool:
        """Keep every other process out until `share`: SQLite then has the index of its log in memory, and writes no
        -shm file. False, and all is as it was, if another process has it open. Between two calls; raises sqlite3.Error.
        """
        if not self.held:
            self._disconnect()
            try:
                self._sql = self._connect_again(alone=True)
            except sqlite3.OperationalError as why:
                self._sql = self._connect_again(alone=False)
                if not is_busy(why):
                    raise
        return self.held

    def share(self) -> None:
        """Let other processes in. Between two calls; raises sqlite3.Error, and then it may be held still."""
        if self.held:
            self._disconnect()
            try:
                self._sql = self._connect_again(alone=False)
            except sqlite3.OperationalError:
                self._sql = self._connect_again(alone=True)  # a full disk: without the index it may do
                raise

    def _disconnect(self) -> None:
        if self._sql is not None:
            self._sql.close()
        self._sql, self.held = None, False

    def _connect_again(self, *, alone: bool) -> sqlite3.Connection:
        # mode=rw: if the file was moved away meanwhile, an empty one in its place would not do.
        where = f"{self.path.resolve().as_uri()}?mode=rw"
        sql = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, timeout=0 if alone else _PATIENCE_S
        )
        try:
            if alone:
                sql.execute("PRAGMA locking_mode=EXCLUSIVE")  # before all else: an index that is a file stays one
            _set_up(sql)
            sql.execute("PRAGMA foreign_keys=ON")
            sql.execute("SELECT 1 FROM meta").fetchone()  # it is locked from here on
            self._windows.use(sql)
            self._windows.refresh()
        except BaseException:
            sql.close()
            raise
        self.held = alone
        return sql

    def _open(self, db: sqlite3.Connection) -> None:
        # Asked before anything is set: another program's file stays as it is, down to its journal mode.
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (application or version or tables):
            raise StoreError(f"{self.path} is another program's database; name a different file under [store] path.")
        if version > len(migrations()):
            raise StoreError(f"{self.path} was written by a newer Hearthgate (schema {version}); update this one.")
        self._prepare(db, version)
        if not db.execute("SELECT 1 FROM meta WHERE name = 'household_secret'").fetchone():
            with transaction(db):
                db.execute("INSERT OR IGNORE INTO meta VALUES ('household_secret', ?)", (secrets.token_bytes(32),))

    def _prepare_new(self, path: Path) -> None:
        """Make an empty database of the newest schema."""
        db = sqlite3.connect(path, isolation_level=None)
        try:
            path.chmod(0o600)
            self._prepare(db, 0)
        finally:
            db.close()

    def _prepare(self, db: sqlite3.Connection, version: int) -> None:
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")  # only a new file takes it
        db.execute("PRAGMA journal_mode=WAL")
        _set_up(db)
        for number, sql in enumerate(migrations()[version:], start=version + 1):
            with transaction(db):
                # executescript would commit first; statements are split by SQLite's own rule
                for statement in _statements(sql):
                    db.execute(statement)
                migration.after(db, number)
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={number}")
        db.execute("PRAGMA foreign_keys=ON")

    def check_rest(self, stop: Callable[[], bool] = lambda: False) -> str | None:
        """Look through the whole file on a connection of its own, in any thread and for as long as it takes (`stop` is
        asked now and then). What is wrong with it, or None; then the next start sets the file aside."""
        return damage.look_through(self.path, stop)

    @property
    def secret(self) -> bytes:
        """The household's own secret: pseudonyms and event ids are keyed with it. Never leaves."""
        (value,) = self.connection.execute("SELECT value FROM meta WHERE name = 'household_secret'").fetchone()
        return bytes(value)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; on disk when the block has ended."""
        try:
            with transaction(self.connection):
                yield self.connection
        except BaseException as why:
            self._windows.forget()
            if isinstance(why, sqlite3.DatabaseError) and damage.is_damage(None, why):
                damage.note(self.connection, why)
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
        """Every counter, those that wait to be saved included. Of `commits` a crash may forget the newest."""
        self.windows.refresh()
        kept = Counter(dict(self.connection.execute("SELECT name, n FROM counter")))
        for counted in (self.windows.counted, *self._beside.values()):
            kept.update(counted)
        return dict(kept)

    def counted_beside(self, who: str) -> Counter[str]:
        """A counter that `who` keeps in memory and writes when it writes anyway: `counters` adds what it holds."""
        return self._beside.setdefault(who, Counter())

    def close(self) -> None:
        """Close the connection; what was committed is kept."""
        if self._sql is None:
            return
        with suppress(sqlite3.Error):  # what is not saved now is read again from the frames
            if self.windows.unsaved:
                with self.transaction():
                    self.windows.refresh()
                    self.windows.save_changes(at_once=True)
        self._sql.close()


def is_busy(why: BaseException) -> bool:
    """Whether an error says that another process keeps the file for itself."""
    return isinstance(why, sqlite3.Error) and getattr(why, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def migrations() -> list[str]:
    """The SQL of each schema version, oldest first."""
    folder = resources.files("gateway.store") / "schema"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [f.read_text(encoding="utf-8") for f in files]


def _set_up(db: sqlite3.Connection) -> None:
    """What holds for a connection, not for the file."""
    db.execute("PRAGMA synchronous=FULL")
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    db.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // page_bytes}")
    db.execute("PRAGMA secure_delete=FAST")  # what goes is overwritten only where that costs no write


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
