"""Updates over the air in the database: what was ordered for which board, the images, and how far each board is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

import cbor2

from gateway.store import devices, rolled_back, trust
from gateway.store.database import Database, StoreError
from gateway.update.rollout import BAD, DONE, Place, State
from gateway.update.version import Anyway

__all__ = [
    "Image",
    "Progress",
    "Row",
    "allow",
    "anyway",
    "decline",
    "find_image",
    "firmware",
    "keep_image",
    "note",
    "open_rows",
    "order",
    "rows",
    "stop",
]


@dataclass(frozen=True, slots=True)
class Image:
    """What a slot is to hold, for boards of a class; `files` in the order of their manifest."""

    sequence: int
    klass: str
    firmware: str
    files: tuple[tuple[str, bytes], ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of its last file, which holds those of the others."""
        return hashlib.sha256(self.files[-1][1]).digest()


@dataclass(frozen=True, slots=True)
class Row:
    """How far a board is. `sequence` is its image's, once it is known; `done` of `size` bytes are on it."""

    device: str
    name: str
    stage: int
    state: State
    sequence: int | None
    done: int
    size: int
    detail: str
    begun_ms: int
    changed_ms: int

    @property
    def place(self) -> Place:
        """For `rollout`."""
        return Place(self.device, self.stage, self.state)

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in DONE or self.state in BAD or self.state is State.STOPPED


class Progress(TypedDict, total=False):
    """What of a board's row is new, beside its state; what is not said stays as it was, but for the detail."""

    sequence: int
    done: int
    size: int
    detail: str


def order(
    db: Database,
    stages: Mapping[str, int],
    now_ms: int,
    *,
    ask: bool,
    firmware: str | None = None,
    anyway: Anyway | None = None,
) -> list[int]:
    """Let these devices be updated, in these stages; what was ordered before is forgotten. In a transaction.

    firmware: the version that is ordered; without it any. anyway: what a person insists on. Returns their numbers in
    the registry. Raises StoreError.
    """
    known = devices.registry(db)
    ordered = {_id(known, device): stage for device, stage in stages.items()}
    sql = db.connection
    sql.execute("DELETE FROM update_device")
    sql.executemany(
        "INSERT INTO update_device (device_id, stage, state, begun_ms, changed_ms) VALUES (?, ?, ?, ?, ?)",
        [(id_, stage, State.ASK if ask else State.WAIT, now_ms, now_ms) for id_, stage in ordered.items()],
    )
    sql.execute("DELETE FROM update_image")
    sql.execute("DELETE FROM meta WHERE name IN ('update_firmware', 'update_anyway')")
    said = {"update_firmware": firmware, "update_anyway": anyway}
    sql.executemany("INSERT INTO meta VALUES (?, ?)", [(name, value) for name, value in said.items() if value])
    return list(ordered)


def rows(db: Database) -> dict[str, Row]:
    """Every board of the last order, by stage and name; a device that was revoked is none of them."""
    found = db.connection.execute(
        "SELECT device, name, stage, state, sequence, done, size, detail, begun_ms, changed_ms FROM update_device "
        "JOIN device ON device.id = device_id WHERE revoked_ms IS NULL ORDER BY stage, name, device"
    )
    return {
        device: Row(device, name, stage, State(state), sequence, done, size, detail, begun_ms, changed_ms)
        for device, name, stage, state, sequence, done, size, detail, begun_ms, changed_ms in found
    }


def open_rows(db: Database) -> dict[str, Row]:
    """Those of them to which something can still happen."""
    return {device: row for device, row in rows(db).items() if not row.over}


def note(db: Database, device: str, now_ms: int, state: State, **progress: Unpack[Progress]) -> None:
    """A board is so far. A row that is over stays as it is."""
    sequence, done, size = (progress.get(name) for name in ("sequence", "done", "size"))
    with db.transaction() as sql:
        sql.execute(
            "UPDATE update_device SET state = ?, detail = ?, changed_ms = ?, sequence = coalesce(?, sequence), "
            "done = coalesce(?, done), size = coalesce(?, size) "
            "WHERE device_id = (SELECT id FROM device WHERE device = ?) AND state NOT IN (?, ?, ?, ?, ?)",
            (state, progress.get("detail", ""), now_ms, sequence, done, size, device, *DONE, *BAD, State.STOPPED),
        )
        if state in DONE:
            trust.note_updated(db, device)
        if state is State.UPDATED:
            db.count("boards_updated")
            _remember(db, device, rolled_back.forget)
        elif state is State.ROLLED_BACK:
            db.count("boards_rolled_back")
            _remember(db, device, rolled_back.note)


def allow(db: Database, now_ms: int) -> list[int]:
    """The household says yes. In a transaction; the numbers of the boards that waited for that."""
    return _move(db, (State.ASK,), State.WAIT, "", now_ms)


def decline(db: Database, now_ms: int) -> list[int]:
    """The household says no: nothing happens to the boards that waited for a yes. In a transaction; their numbers."""
    return _move(db, (State.ASK,), State.STOPPED, "the household said no", now_ms)


def stop(db: Database, now_ms: int) -> list[int]:
    """Begin nothing more. A board that was started on trial goes on: it decides itself. In a transaction; the numbers
    of those that were stopped."""
    return _move(db, (State.ASK, State.WAIT, State.LOADING, State.HELD), State.STOPPED, "", now_ms)


def find_image(db: Database, klass: str) -> Image | None:
    """The image of this order for a class; None if none was made yet."""
    return _image(db, "class", klass)


def _image(db: Database, column: str, value: object) -> Image | None:
    row = db.connection.execute(
        f"SELECT sequence, class, firmware, files FROM update_image WHERE {column} = ?", (value,)
    ).fetchone()
    if row is None:
        return None
    sequence, klass, firmware, files = row
    return Image(sequence, klass, firmware, tuple((name, data) for name, data in cbor2.loads(files)))


def firmware(db: Database) -> str | None:
    """The version that was ordered; where the order did not say it, that of its newest image, None before there is
    one."""
    row = db.connection.execute(
        "SELECT value FROM meta WHERE name = 'update_firmware' UNION ALL "
        "SELECT * FROM (SELECT firmware FROM update_image ORDER BY sequence DESC LIMIT 1) LIMIT 1"
    ).fetchone()
    return None if row is None else str(row[0])


def anyway(db: Database) -> Anyway | None:
    """What the person who ordered it insists on."""
    row = db.connection.execute("SELECT value FROM meta WHERE name = 'update_anyway'").fetchone()
    return None if row is None else Anyway(row[0])


def keep_image(db: Database, klass: str, firmware: str, files: Mapping[str, bytes], now_ms: int) -> Image:
    """Keep an image under the next number."""
    with db.transaction() as sql:
        (last,) = sql.execute("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'update_sequence'").fetchone()
        sequence = max(now_ms // 1000, last + 1)
        sql.execute("INSERT OR REPLACE INTO meta VALUES ('update_sequence', ?)", (sequence,))
        sql.execute(
            "INSERT INTO update_image VALUES (?, ?, ?, ?)",
            (sequence, klass, firmware, cbor2.dumps([[name, data] for name, data in files.items()])),
        )
    return Image(sequence, klass, firmware, tuple(files.items()))


def _remember(db: Database, device: str, act: Callable[[Database, str, bytes], None]) -> None:
    (sequence,) = db.connection.execute(
        "SELECT sequence FROM update_device JOIN device ON device.id = device_id WHERE device = ?", (device,)
    ).fetchone() or (None,)
    image = _image(db, "sequence", sequence)
    if image is not None:
        act(db, device, image.digest)


def _move(db: Database, states: tuple[State, ...], to: State, detail: str, now_ms: int) -> list[int]:
    moved = db.connection.execute(
        "UPDATE update_device SET state = ?, detail = ?, changed_ms = ? "
        f"WHERE state IN ({', '.join('?' * len(states))}) RETURNING device_id",
        (to, detail, now_ms, *states),
    )
    return [int(device_id) for (device_id,) in moved.fetchall()]


def _id(known: Mapping[str, devices.Device], device: str) -> int:
    if device not in known or known[device].revoked:
        raise StoreError(f"no device {device!r:.40} that may speak; `hearthgate devices list` shows them.")
    return known[device].id
