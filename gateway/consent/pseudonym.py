"""Names that leave the house in place of device ids: one set a recipient, keyed with the household's secret.

Two recipients cannot join what they got: neither the pseudonym nor an event's id is the same for both, and neither
tells the device, its boot or its sequence numbers. On request a recipient's names are new ones from then on.
"""

import hmac

from gateway.consent import audit
from gateway.store.database import Database


class Pseudonyms:
    """The pseudonyms of one recipient. `epoch` counts how often they were made anew."""

    def __init__(self, household_secret: bytes, recipient: str, epoch: int = 0) -> None:
        self.epoch = epoch
        asked = b"recipient\0" + recipient.encode()
        if epoch:
            asked += b"\0" + str(epoch).encode()
        self._key = hmac.digest(household_secret, asked, "sha256")
        self._devices: dict[str, str] = {}  # a household has a few, and each is asked for with every event

    def device(self, device: str) -> str:
        """24 hex digits that stand for a device."""
        name = self._devices.get(device)
        if name is None:
            name = self._devices[device] = hmac.digest(self._key, b"device\0" + device.encode(), "sha256")[:12].hex()
        return name

    def event(self, *parts: str | int) -> str:
        """32 hex digits: the same for the same parts, for ever (CloudEvents `id`)."""
        return hmac.digest(self._key, b"event\0" + "\0".join(map(str, parts)).encode(), "sha256")[:16].hex()


def epoch(db: Database, recipient: str) -> int:
    """How often a recipient's names were made anew."""
    found = db.connection.execute("SELECT epoch FROM pseudonym WHERE recipient = ?", (recipient,)).fetchone()
    return 0 if found is None else int(found[0])


def rotate(db: Database, recipient: str, now_ms: int) -> int:
    """Give the household's devices new names for this recipient, for all that is queued from now on; what waits leaves
    under the old ones. Returns the new epoch."""
    with db.transaction() as sql:
        following = epoch(db, recipient) + 1
        sql.execute(
            "INSERT INTO pseudonym VALUES (?, ?) ON CONFLICT (recipient) DO UPDATE SET epoch = excluded.epoch",
            (recipient, following),
        )
        audit.append(db, now_ms, "rotate", {"recipient": recipient, "epoch": following})
        db.revise("grants")
    return following
