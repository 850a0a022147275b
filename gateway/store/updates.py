"""Updates over the air in the database: what was ordered for which board, the images, and how far each board is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cbor2

from gateway.store import devices
from gateway.store.database import Database, StoreError
from gateway.update.rollout import BAD, DONE, Place, State

__all__ = [
    "Image",
    "Row",
    "allow",
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


def order(db: Database, stages: Mapping[str, int], now_ms: int, *, ask: bool) -> None:
    """Let these devices be updated, in these stages; what was ordered before is forgotten. Raises StoreError."""
    known = devices.registry(db)
    with db.transaction() as sql:
        sql.execute("DELETE FROM update_device")
        for device, stage in stages.items():
            sql.execute(
                "INSERT INTO update_device (device_id, stage, state, begun_ms, changed_ms) VALUES (?, ?, ?, ?, ?)",
                (_id(known, device), stage, State.ASK if ask else State.WAIT, now_ms, now_ms),
            )
        sql.execute("DELETE FROM update_image")


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


def note(
    db: Database,
    device: str,
    now_ms: int,
    state: State,
    *,
    sequence: int | None = None,
    done: int | None = None,
    size: int | None = None,
    detail: str = "",
) -> None:
    """A board is so far; what is None stays as it was. A row that is over stays as it is."""
    with db.transaction() as sql:
        sql.execute(
            "UPDATE update_device SET state = ?, detail = ?, changed_ms = ?, sequence = coalesce(?, sequence), "
            "done = coalesce(?, done), size = coalesce(?, size) "
            "WHERE device_id = (SELECT id FROM device WHERE device = ?) AND state NOT IN (?, ?, ?, ?, ?)",
            (state, detail, now_ms, sequence, done, size, device, *DONE, *BAD, State.STOPPED),
        )
        if state is State.UPDATED:
            db.count("boards_updated")
        elif state is State.ROLLED_BACK:
            db.count("boards_rolled_back")


def allow(db: Database, now_ms: int) -> int:
    """The household says yes. How many boards waited for that."""
    with db.transaction() as sql:
        done = sql.execute(
            "UPDATE update_device SET state = ?, changed_ms = ? WHERE state = ?", (State.WAIT, now_ms, State.ASK)
        )
    return done.rowcount


def decline(db: Database, now_ms: int) -> int:
    """The household says no. How many boards waited for a yes: nothing happens to them."""
    with db.transaction() as sql:
        done = sql.execute(
            "UPDATE update_device SET state = ?, detail = ?, changed_ms = ? WHERE state = ?",
            (State.STOPPED, "the household said no", now_ms, State.ASK),
        )
    return done.rowcount


def stop(db: Database, now_ms: int) -> int:
    """Begin nothing more. A board that was started on trial goes on: it decides itself. How many were stopped."""
    with db.transaction() as sql:
        done = sql.execute(
            "UPDATE update_device SET state = ?, changed_ms = ? WHERE state IN (?, ?, ?, ?)",
            (State.STOPPED, now_ms, State.ASK, State.WAIT, State.LOADING, State.HELD),
        )
    return done.rowcount


def find_image(db: Database, klass: str) -> Image | None:
    """The image of this order for a class; None if none was made yet."""
    row = db.connection.execute(
        "SELECT sequence, class, firmware, files FROM update_image WHERE class = ?", (klass,)
    ).fetchone()
    if row is None:
        return None
    sequence, klass, firmware, files = row
    return Image(sequence, klass, firmware, tuple((name, data) for name, data in cbor2.loads(files)))


def firmware(db: Database) -> str | None:
    """The version of this order's newest image; None if none was made yet."""
    row = db.connection.execute("SELECT firmware FROM update_image ORDER BY sequence DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


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


def _id(known: Mapping[str, devices.Device], device: str) -> int:
    if device not in known or known[device].revoked:
        raise StoreError(f"no device {device!r:.40} that may speak; `hearthgate devices list` shows them.")
    return known[device].id
