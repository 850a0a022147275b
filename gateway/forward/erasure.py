"""Erasing: what is kept here of a device or a person goes, and whoever was sent some of it is asked to erase it too.

The ledger stays whole: it holds no names, no device ids and no readings, only what was done, and digests.
"""

import hmac
from dataclasses import dataclass, replace

from gateway.consent import audit, register
from gateway.consent.grants import Grant, GrantError
from gateway.forward import notices
from gateway.store.database import Database, StoreError

ERASED_NAME = "(erased)"


@dataclass(frozen=True, slots=True)
class Erased:
    """What went: frames of readings, grants whose names and texts went, and recipients' notices that are under way."""

    frames: int = 0
    grants: int = 0
    notices: int = 0


def erase_device(db: Database, device: str, now_ms: int, *, forget: bool = False) -> Erased:
    """Erase every reading of a device. It stays enrolled, and what it measures from now on is kept, unless it is to be
    forgotten: then its name and key go too. Raises StoreError."""
    sql = db.connection
    sql.execute("PRAGMA secure_delete=ON")  # what goes is overwritten, whatever that costs
    try:
        with db.transaction():
            found = sql.execute("SELECT id FROM device WHERE device = ?", (device,)).fetchone()
            if found is None:
                raise StoreError(f"no device {device!r}; `hearthgate devices list` shows them.")
            (device_id,) = found
            db.windows.refresh()
            # From these frames the windows would be read again: what they tell is saved before they go.
            db.windows.save_changes(at_once=True)
            made = notices.of_device(db, device, now_ms)
            parked = "DELETE FROM parked WHERE frame_id IN (SELECT id FROM frame WHERE device_id = ?)"
            sql.execute(parked, (device_id,))
            frames = sql.execute("DELETE FROM frame WHERE device_id = ?", (device_id,)).rowcount
            sql.execute("DELETE FROM outbox WHERE device = ?", (device,))
            sql.execute("DELETE FROM dead_letter WHERE topic LIKE ?", (f"hg/_/{device}/%",))
            sql.execute("DELETE FROM bucket WHERE device_id = ?", (device_id,))
            sql.execute("DELETE FROM crash WHERE device_id = ?", (device_id,))
            # Which numbers were here is no reading, and keeps a board from sending again what was erased.
            sql.execute("UPDATE window SET last_id = 0, wait_id = NULL WHERE device_id = ?", (device_id,))
            sql.execute("DELETE FROM disclosure WHERE device = ?", (device,))
            if forget:
                for table in ("horizon", "boot", "window"):
                    sql.execute(f"DELETE FROM {table} WHERE device_id = ?", (device_id,))  # noqa: S608 - one of three
                sql.execute("DELETE FROM local_use WHERE device = ?", (device,))
                sql.execute("DELETE FROM device WHERE id = ?", (device_id,))
                db.revise("devices")
            named = hmac.digest(db.secret, b"erased\0" + device.encode(), "sha256")[:8].hex()
            audit.append(db, now_ms, "erase", {"device": named, "frames": frames, "notices": made, "forgotten": forget})
    finally:
        sql.execute("PRAGMA secure_delete=FAST")
    _forget_the_log(db)
    return Erased(frames=frames, notices=made)


def erase_person(db: Database, name: str, now_ms: int) -> Erased:
    """Take back all that a person agreed to, ask the recipients to erase what came under it, and erase the name and the
    words from the records. Raises GrantError."""
    theirs = [grant for grant in register.grants(db) if any(v.subject == name for v in register.versions(db, grant.id))]
    known = db.connection.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()
    if not theirs and known is None:
        raise GrantError(f"nobody of the name {name!r} has agreed to anything, or is named in this household")
    for grant in theirs:
        register.take_back(db, grant.id, now_ms)
    sql = db.connection
    sql.execute("PRAGMA secure_delete=ON")
    made = 0
    try:
        with db.transaction():
            for grant in theirs:
                made += notices.of_grant(db, grant.id, now_ms, notices.ERASED)
                _blot(db, grant, name)
            sql.execute("DELETE FROM person WHERE name = ?", (name,))
            who = "" if known is None else known[0]
            audit.append(db, now_ms, "erase", {"person": who, "grants": len(theirs), "notices": made})
            db.revise("grants")
    finally:
        sql.execute("PRAGMA secure_delete=FAST")
    _forget_the_log(db)
    return Erased(grants=len(theirs), notices=made)


def _blot(db: Database, grant: Grant, name: str) -> None:
    """The name and the words leave every version of a record; the digest of the words stays in the ledger."""
    for version in register.versions(db, grant.id):
        if version.subject != name:
            continue
        record = replace(version, subject=ERASED_NAME, text=ERASED_NAME).to_json()
        db.connection.execute(
            "UPDATE grant_version SET record = ? WHERE grant_id = ? AND version = ?",
            (record, grant.id, version.version),
        )
        if version.version == grant.version:
            db.connection.execute("UPDATE consent_grant SET record = ? WHERE id = ?", (record, grant.id))


def _forget_the_log(db: Database) -> None:
    """What was erased stands in the log until that is begun anew. (Where somebody reads, that waits for them.)"""
    db.windows.forget()
    db.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
