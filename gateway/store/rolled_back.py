"""Which images each board went back from: it is not given one of them once more before a person says so."""

from gateway.store.database import Database

__all__ = ["forget", "holds", "note"]


def note(db: Database, device: str, digest: bytes) -> None:
    """A board went back from the image whose manifest.json has this SHA-256. In a transaction."""
    db.connection.execute(
        "INSERT OR IGNORE INTO update_rolled_back SELECT id, ? FROM device WHERE device = ?", (digest, device)
    )


def forget(db: Database, device: str, digest: bytes) -> None:
    """It has proved itself there after all. In a transaction."""
    db.connection.execute(
        "DELETE FROM update_rolled_back WHERE digest = ? AND device_id = (SELECT id FROM device WHERE device = ?)",
        (digest, device),
    )


def holds(db: Database, device_id: int, digest: bytes) -> bool:
    """Whether the board went back from it."""
    found = db.connection.execute(
        "SELECT 1 FROM update_rolled_back WHERE device_id = ? AND digest = ?", (device_id, digest)
    )
    return found.fetchone() is not None
