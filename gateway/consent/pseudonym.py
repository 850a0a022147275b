"""Names that leave the house in place of device ids: one set a recipient, keyed with the household's secret.

Two recipients cannot join what they got: neither the pseudonym nor an event's id is the same for both, and neither
tells the device, its boot or its sequence numbers.
"""

import hmac


class Pseudonyms:
    """The pseudonyms of one recipient."""

    def __init__(self, household_secret: bytes, recipient: str) -> None:
        self._key = hmac.digest(household_secret, b"recipient\0" + recipient.encode(), "sha256")

    def device(self, device: str) -> str:
        """24 hex digits that stand for a device."""
        return hmac.digest(self._key, b"device\0" + device.encode(), "sha256")[:12].hex()

    def event(self, *parts: str | int) -> str:
        """32 hex digits: the same for the same parts, for ever (CloudEvents `id`)."""
        return hmac.digest(self._key, b"event\0" + "\0".join(map(str, parts)).encode(), "sha256")[:16].hex()
