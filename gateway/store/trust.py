"""Whom each board trusts over TLS, as far as it was told so from here: who would be left behind is known before the
broker goes over to another authority."""

import hashlib
import re

import cbor2

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.devices import Device
from gateway.update.manifest import AUTHORITY

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_CABLE = "cable"  # a board that is spoken to over one trusts nobody, and needs nobody


def note_flashed(db: Database, device: str, ca: bytes | None, *, cable: bool = False) -> None:
    """A board was flashed. ca: PEM, or None; cable: it is linked by one."""
    with db.transaction():
        _note(db, device, _CABLE if cable else _authorities(ca or b""))


def note_updated(db: Database, device: str) -> None:
    """A board runs the image of its order. In a transaction."""
    row = db.connection.execute(
        "SELECT class, files FROM update_image JOIN update_device USING (sequence) "
        "JOIN device ON device.id = device_id WHERE device = ?",
        (device,),
    ).fetchone()
    if row is None:
        return
    said = _CABLE if "+serial " in row[0] else _of_image(row[1])
    if said is not None:  # else it goes on with what it was flashed with
        _note(db, device, said)


def left_behind(db: Database, ca: bytes) -> list[Device]:
    """The boards that are not known to trust these authorities (PEM), all of them; without those that need none."""
    fits = (_CABLE, _authorities(ca))
    known = {
        device_id
        for device_id, authorities in db.connection.execute("SELECT device_id, authorities FROM board_trust")
        if authorities in fits
    }
    return [board for board in devices.registry(db).values() if not board.revoked and board.id not in known]


def outdated(db: Database, ca: bytes) -> bool:
    """Whether boards are being updated to images that hold other authorities than these (PEM)."""
    images = db.connection.execute("SELECT files FROM update_image").fetchall()
    return any(_of_image(files) not in (None, _authorities(ca)) for (files,) in images)


def _of_image(files: bytes) -> str | None:
    found = dict(cbor2.loads(files)).get(AUTHORITY)
    return None if found is None else _authorities(found)


def _authorities(data: bytes) -> str:
    """One text for the same certificates in the same order, whatever stands around them."""
    return hashlib.sha256(b"\n".join(_CERTIFICATE.findall(data))).hexdigest()


def _note(db: Database, device: str, authorities: str) -> None:
    db.connection.execute(
        "INSERT OR REPLACE INTO board_trust SELECT id, ? FROM device WHERE device = ?", (authorities, device)
    )
