"""Group commit of what came in, and the way back from stored frames to readings."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gateway.store.database import Database
from gateway.store.window import Window, WindowFull
from gateway.wire.birth import Birth, decode_birth
from gateway.wire.cose import split
from gateway.wire.frame import Frame, decode

MAX_DEAD_LETTERS = 10_000  # of each kind: with a right MAC, and of strangers
_STRAY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SealedFrame:
    """A frame whose MAC is right. `frame` is None where its body could not be used: then `why` has (reason, detail)."""

    device_id: int
    topic: str
    boot: int
    seq: int
    sealed: bytes
    received_ms: int
    frame: Frame | None
    why: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SealedBirth:
    """A birth whose MAC is right."""

    device_id: int
    topic: str
    birth: Birth
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class StateChange:
    """A device says (or the broker says for it) that it is online or not."""

    device_id: int
    boot: int
    online: bool
    received_ms: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that could not be used."""

    topic: str
    payload: bytes
    reason: str
    detail: str
    received_ms: int


Incoming = SealedFrame | SealedBirth | StateChange | DeadLetter


@dataclass(slots=True)
class Committed:
    """What one commit did. `acks`: (device row, boot) -> high-water mark, for every boot that was heard."""

    acks: dict[tuple[int, int], int] = field(default_factory=dict)
    stored: int = 0
    duplicates: int = 0
    dead: int = 0
    deferred: int = 0


def commit(db: Database, batch: Sequence[Incoming]) -> Committed:
    """Store a batch in one transaction: when this returns, it is on disk and may be acked."""
    done = Committed()
    windows: dict[tuple[int, int], Window] = {}
    with db.transaction() as sql:
        for item in batch:
            if isinstance(item, SealedFrame):
                _frame(db, sql, item, windows, done)
            elif isinstance(item, SealedBirth):
                _birth(db, sql, item, windows, done)
            elif isinstance(item, StateChange):
                sql.execute(
                    # one of an earlier boot is an old message that somebody kept
                    "UPDATE device SET online = ?, seen_ms = ? WHERE id = ? "
                    "AND ? >= (SELECT coalesce(max(boot), 0) FROM boot WHERE device_id = device.id)",
                    (item.online, item.received_ms, item.device_id, item.boot),
                )
            else:
                _dead(db, sql, item, done)
        for (device_id, boot), window in windows.items():
            sql.execute(
                "UPDATE boot SET upto = ?, islands = ? WHERE device_id = ? AND boot = ?",
                (window.upto, json.dumps(window.islands), device_id, boot),
            )
            done.acks[device_id, boot] = window.upto
        db.count("commits")
        db.count("frames_stored", done.stored)
        db.count("frames_duplicate", done.duplicates)
        db.count("frames_deferred", done.deferred)
    return done


def _window(sql: sqlite3.Connection, key: tuple[int, int], windows: dict[tuple[int, int], Window]) -> Window:
    if key not in windows:
        sql.execute("INSERT OR IGNORE INTO boot (device_id, boot) VALUES (?, ?)", key)
        upto, islands = sql.execute("SELECT upto, islands FROM boot WHERE device_id = ? AND boot = ?", key).fetchone()
        windows[key] = Window(upto, json.loads(islands))
    return windows[key]


def _frame(
    db: Database,
    sql: sqlite3.Connection,
    item: SealedFrame,
    windows: dict[tuple[int, int], Window],
    done: Committed,
) -> None:
    key = (item.device_id, item.boot)
    window = _window(sql, key, windows)
    if item.seq in window:
        row = sql.execute(
            "SELECT sealed FROM frame WHERE device_id = ? AND boot = ? AND seq = ?", (*key, item.seq)
        ).fetchone()
        if row and row[0] != item.sealed:
            detail = f"boot {item.boot}, seq {item.seq} is taken by a frame with other bytes"
            _dead(
                db, sql, DeadLetter(item.topic, item.sealed, "seq_reused", detail, item.received_ms), done, whole=True
            )
        else:
            done.duplicates += 1
        return
    why = item.why
    if item.frame is not None:
        (known,) = sql.execute("SELECT birth FROM boot WHERE device_id = ? AND boot = ?", key).fetchone()
        if known and not decode_birth(known).fits(item.frame):
            why = ("not_of_birth", "its columns or events are not those that the device's birth names")
    try:
        window.add(item.seq)
    except WindowFull:
        # Neither stored nor acked: the board keeps it. Memory and disk stay bounded whatever a board does.
        done.deferred += 1
        return
    if why is not None or item.frame is None:
        # The device is known and will send this until it is acked: keep it whole, set aside, and ack it.
        reason, detail = why or ("bad_frame", "")
        _dead(db, sql, DeadLetter(item.topic, item.sealed, reason, detail, item.received_ms), done, whole=True)
        return
    sql.execute(
        "INSERT INTO frame (device_id, boot, seq, received_ms, sealed) VALUES (?, ?, ?, ?, ?)",
        (*key, item.seq, item.received_ms, item.sealed),
    )
    sql.execute("UPDATE device SET seen_ms = ? WHERE id = ?", (item.received_ms, item.device_id))
    if item.frame.time_s is not None:
        sql.execute(
            "UPDATE boot SET clock_offset_s = ? WHERE device_id = ? AND boot = ? AND clock_offset_s IS NULL",
            (item.frame.time_s - item.frame.uptime_ms // 1000, *key),
        )
    done.stored += 1
    db.count("readings_stored", item.frame.readings)
    db.count("values_stored", item.frame.values)
    db.count("payload_bytes", len(item.sealed))


def _birth(
    db: Database,
    sql: sqlite3.Connection,
    item: SealedBirth,
    windows: dict[tuple[int, int], Window],
    done: Committed,
) -> None:
    key = (item.device_id, item.birth.boot)
    _window(sql, key, windows)  # so that its ack is published again: the board may have lost the retained one
    (known,) = sql.execute("SELECT birth FROM boot WHERE device_id = ? AND boot = ?", key).fetchone()
    if known is None:
        sql.execute(
            "UPDATE boot SET birth = ?, birth_ms = ? WHERE device_id = ? AND boot = ?",
            (item.payload, item.received_ms, *key),
        )
        sql.execute("UPDATE device SET seen_ms = ? WHERE id = ?", (item.received_ms, item.device_id))
    elif known != item.payload:
        detail = f"boot {item.birth.boot} was born otherwise; a device may change only with a new boot"
        _dead(
            db, sql, DeadLetter(item.topic, item.payload, "birth_changed", detail, item.received_ms), done, whole=True
        )


def _dead(db: Database, sql: sqlite3.Connection, item: DeadLetter, done: Committed, *, whole: bool = False) -> None:
    done.dead += 1
    db.count("dead_letters")
    db.count(f"dead_letters.{item.reason}")
    digest = hashlib.sha256(item.topic.encode() + b"\0" + item.payload).digest()
    sql.execute(
        "INSERT INTO dead_letter (digest, received_ms, topic, reason, detail, size, whole, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET times = times + 1, received_ms = excluded.received_ms",
        (
            digest,
            item.received_ms,
            item.topic[:128],
            item.reason,
            item.detail[:500],
            len(item.payload),
            whole,
            item.payload if whole else item.payload[:_STRAY_BYTES],
        ),
    )
    # Each kind for itself: a stranger on the broker cannot push out what a board of ours was acked for.
    sql.execute(
        "DELETE FROM dead_letter WHERE whole = ? AND id <= "
        "(SELECT id FROM dead_letter WHERE whole = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (whole, whole, MAX_DEAD_LETTERS),
    )


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A stored frame with all that is needed to read it."""

    id: int
    device_id: int
    device: str
    seq: int
    received_ms: int
    frame: Frame
    birth: Birth
    clock_offset_s: int | None

    def start(self) -> tuple[int, str]:
        """(Unix ms of the first row, label). measured: by the board's clock; placed: by the clock that the same boot
        had at another time; arrival: the board had no clock, so its last row is put at the time of arrival."""
        frame = self.frame
        if frame.time_ms is not None:
            return frame.time_ms, "measured"
        if self.clock_offset_s is not None:
            return self.clock_offset_s * 1000 + frame.uptime_ms, "placed"
        if frame.events:
            return self.received_ms - frame.events[-1].offset_ms, "arrival"
        return self.received_ms - (frame.rows - 1) * frame.step_ms, "arrival"


_COLUMNS = (
    "frame.id, frame.device_id, device.device, frame.boot, frame.seq, frame.received_ms, frame.sealed, "
    "boot.birth, boot.clock_offset_s, boot.upto"
)
_JOIN = "frame JOIN device ON device.id = frame.device_id JOIN boot USING (device_id, boot)"
_PARKED = (
    "parked JOIN frame ON frame.id = parked.frame_id JOIN device ON device.id = frame.device_id "
    "JOIN boot USING (device_id, boot) WHERE parked.sink = ? AND boot.birth IS NOT NULL AND boot.upto >= frame.seq"
)
_Row = tuple[int, int, str, int, int, int, bytes, bytes | None, int | None, int]


class FrameReader:
    """Reads stored frames; births are decoded once and kept (a bounded number)."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._births: dict[bytes, Birth] = {}

    def after(self, cursor: int, limit: int) -> tuple[list[StoredFrame], list[int], int]:
        """(frames that can be read now, ids of those that cannot yet, new cursor), in order of storing."""
        rows = self._db.connection.execute(
            f"SELECT {_COLUMNS} FROM {_JOIN} WHERE frame.id > ? ORDER BY frame.id LIMIT ?", (cursor, limit)
        ).fetchall()
        ready, waiting = self._sort(rows)
        return ready, waiting, rows[-1][0] if rows else cursor

    def parked(self, sink: str, limit: int) -> list[StoredFrame]:
        """The next frames that this sink has parked and that can be read now: first come, first served, but no frame
        before one of its boot with a lower number."""
        turn = (
            "min(frame.id) OVER (PARTITION BY frame.device_id, frame.boot ORDER BY frame.seq "
            "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
        )
        rows = self._db.connection.execute(
            f"SELECT {_COLUMNS} FROM {_PARKED} ORDER BY {turn}, frame.device_id, frame.boot, frame.seq LIMIT ?",
            (sink, limit),
        ).fetchall()
        return self._sort(rows)[0]

    def parked_ready(self, sink: str) -> int:
        """How many frames that this sink has parked can be read now."""
        (n,) = self._db.connection.execute(f"SELECT count(*) FROM {_PARKED}", (sink,)).fetchone()
        return int(n)

    def of_device(self, device_id: int, newest: int) -> list[StoredFrame]:
        """The newest frames of a device that can be read, oldest first."""
        rows = self._db.connection.execute(
            # by the index that is there: over a year of frames a thousand times faster than by the order of storing
            f"SELECT {_COLUMNS} FROM {_JOIN} WHERE frame.device_id = ? "
            "ORDER BY frame.boot DESC, frame.seq DESC LIMIT ?",
            (device_id, newest),
        ).fetchall()
        return self._sort(rows[::-1])[0]

    def all(self) -> Iterator[StoredFrame]:
        """Every frame that can be read, in order of storing."""
        cursor = 0
        while True:
            ready, _, last = self.after(cursor, 500)
            yield from ready
            if last == cursor:
                return
            cursor = last

    def _sort(self, rows: Iterable[_Row]) -> tuple[list[StoredFrame], list[int]]:
        ready: list[StoredFrame] = []
        waiting: list[int] = []
        for id_, device_id, device, _, seq, received_ms, sealed, birth, clock_offset_s, upto in rows:
            if birth is None or seq > upto:
                waiting.append(id_)
                continue
            frame = decode(split(sealed))
            known = self._birth(birth)
            ready.append(StoredFrame(id_, device_id, device, seq, received_ms, frame, known, clock_offset_s))
        ready.sort(key=lambda f: (f.device_id, f.frame.boot, f.seq))
        return ready, waiting

    def _birth(self, payload: bytes) -> Birth:
        if payload not in self._births:
            if len(self._births) >= 1000:
                self._births.clear()
            self._births[payload] = decode_birth(payload)
        return self._births[payload]
