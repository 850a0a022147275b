"""A recipient's pseudonyms as they are at this moment, and as they were: events are sent under the name they got."""

from gateway.consent.pseudonym import Pseudonyms, epoch
from gateway.store.database import Database


class Names:
    """The names that one recipient knows the household's devices by; read again when they were made anew."""

    def __init__(self, db: Database, recipient: str) -> None:
        self._db = db
        self._recipient = recipient
        self._secret = db.secret
        self._known: dict[int, Pseudonyms] = {}
        self._revision = -1
        self._epoch = 0
        self.refresh()

    def refresh(self) -> None:
        """See whether they were made anew."""
        revision = self._db.revision("grants")
        if revision != self._revision:
            self._epoch, self._revision = epoch(self._db, self._recipient), revision

    @property
    def newest(self) -> Pseudonyms:
        """For what is queued now."""
        return self.of_epoch(self._epoch)

    def of_epoch(self, epoch_: int) -> Pseudonyms:
        """For what was queued then."""
        if epoch_ not in self._known:
            self._known[epoch_] = Pseudonyms(self._secret, self._recipient, epoch_)
        return self._known[epoch_]
