"""The device registry: who may speak, and with which key."""

import secrets
from dataclasses import dataclass

from gateway.store.database import Database, StoreError
from gateway.wire.birth import Birth, decode_birth
from gateway.wire.topics import DEVICE

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Device:
    """One enrolled device. `key` is the secret of its COSE_Mac0; `revoked` devices are refused; of a `quiet` one
    somebody held the button: it says nothing of what it measures."""

    id: int
    device: str
    name: str
    key: bytes
    revoked: bool
    online: bool
    seen_ms: int | None
    quiet: bool = False

    def __repr__(self) -> str:
        return f"Device({self.device}, {self.name!r})"  # the key stays out of logs


def enrol(db: Database, device: str, name: str, now_ms: int, key: bytes | None = None) -> Device:
    """Add a device, or give an enrolled one a new name and key. Raises StoreError."""
    if not DEVICE.fullmatch(device):
        raise StoreError(f"{device!r} is not a device id: 12 lower-case hex digits, as the board prints at start.")
    key = secrets.token_bytes(KEY_BYTES) if key is None else key
    if not 16 <= len(key) <= 64:
        raise StoreError("a device key has 16 to 64 bytes.")
    with db.transaction() as sql:
        sql.execute(
            "INSERT INTO device (device, key, name, enrolled_ms) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (device) DO UPDATE SET key = excluded.key, name = excluded.name, revoked_ms = NULL",
            (device, key, name, now_ms),
        )
        db.revise("devices")
    return registry(db)[device]


def revoke(db: Database, device: str, now_ms: int) -> None:
    """Refuse everything from a device from now on; what it sent is kept. Raises StoreError."""
    with db.transaction() as sql:
        done = sql.execute("UPDATE device SET revoked_ms = ?, online = 0 WHERE device = ?", (now_ms, device))
        if done.rowcount == 0:
            raise StoreError(f"no device {device!r}; `hearthgate devices list` shows them.")
        db.revise("devices")


def registry(db: Database) -> dict[str, Device]:
    """Every enrolled device by its id."""
    db.windows.refresh()
    heard_ms = {device_id: boot.seen_ms for device_id, boot in db.windows.newest().items()}
    rows = db.connection.execute(
        "SELECT id, device, name, key, revoked_ms, online, seen_ms, quiet FROM device ORDER BY device"
    )
    return {
        device: Device(
            id_,
            device,
            name,
            key,
            revoked_ms is not None,
            bool(online),
            max(seen_ms or 0, heard_ms.get(id_, 0)) or None,
            bool(quiet),
        )
        for id_, device, name, key, revoked_ms, online, seen_ms, quiet in rows
    }


def missing(db: Database) -> dict[str, int]:
    """How many frames each device said are gone before they came, where there are any."""
    rows = db.connection.execute(
        "SELECT device.device, sum(missing) FROM window JOIN device ON device.id = device_id GROUP BY device_id "
        "HAVING sum(missing) > 0"
    )
    return dict(rows)


def next_command(db: Database, device_id: int, now_s: int) -> int:
    """A command counter that was never used before: it is on disk before the command is sent. It counts in seconds
    where it can, as a board remembers the highest that it ever obeyed, and this database may be new, or an old copy."""
    with db.transaction() as sql:
        row = sql.execute(
            "UPDATE device SET command_counter = max(command_counter + 1, ?) WHERE id = ? RETURNING command_counter",
            (now_s, device_id),
        ).fetchone()
    return int(row[0])


def newest_birth(db: Database, device_id: int) -> Birth | None:
    """What a device last said it is."""
    row = db.connection.execute(
        "SELECT birth FROM boot WHERE device_id = ? ORDER BY boot DESC LIMIT 1", (device_id,)
    ).fetchone()
    return decode_birth(row[0]) if row else None
