"""The register of grants in the database: give, take back, list."""

import logging
import secrets
from collections.abc import Iterator

from gateway.consent.decide import GrantIndex
from gateway.consent.grants import Grant, GrantError
from gateway.store.database import Database

log = logging.getLogger(__name__)


def new_id() -> str:
    """An id that no grant has."""
    return "g-" + secrets.token_hex(8)


def give(db: Database, grant: Grant) -> None:
    """Record a grant; it counts from the next decision on."""
    with db.transaction() as sql:
        sql.execute("INSERT INTO consent_grant VALUES (?, ?, ?, NULL)", (grant.id, grant.to_json(), grant.created_ms))
        db.revise("grants")


def take_back(db: Database, grant_id: str, now_ms: int) -> Grant:
    """Revoke a grant: what is queued under it is dropped in the same transaction. Raises GrantError."""
    with db.transaction() as sql:
        found = sql.execute("SELECT revoked_ms FROM consent_grant WHERE id = ?", (grant_id,)).fetchone()
        if found is None:
            raise GrantError(f"no grant {grant_id!r}; `hearthgate consent list` shows them")
        if found[0] is None:
            sql.execute("UPDATE consent_grant SET revoked_ms = ? WHERE id = ?", (now_ms, grant_id))
            dropped = sql.execute("DELETE FROM outbox WHERE grant_id = ?", (grant_id,)).rowcount
            dropped += sql.execute("DELETE FROM bucket WHERE grant_id = ?", (grant_id,)).rowcount
            db.count("revoked_before_sending", dropped)
            db.revise("grants")
    return next(g for g in grants(db) if g.id == grant_id)


def grants(db: Database) -> list[Grant]:
    """Every grant ever given, oldest first; revoked ones too."""
    rows = db.connection.execute("SELECT record, revoked_ms FROM consent_grant ORDER BY created_ms, id")
    return [Grant.from_json(record, revoked_ms) for record, revoked_ms in rows]


class Register:
    """The grants in memory, read again as soon as anybody has changed them (this process or a command beside it)."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._revision = -1
        self._index = GrantIndex(())

    def index(self) -> GrantIndex:
        """The index of the grants as they are on disk at this moment."""
        revision = self._db.revision("grants")
        if revision != self._revision:
            self._index = GrantIndex(self._readable())
            self._revision = revision
        return self._index

    def _readable(self) -> Iterator[Grant]:
        """One record that cannot be read (a time zone that this machine no longer knows) is a no, and stops nothing."""
        for id_, record, revoked_ms in self._db.connection.execute("SELECT id, record, revoked_ms FROM consent_grant"):
            try:
                yield Grant.from_json(record, revoked_ms)
            except GrantError as why:
                log.warning("grant %s counts as not given: %s", id_, why)
