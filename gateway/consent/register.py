"""The register of grants in the database: given, changed, at rest, taken back; each act with its row in the ledger.

What waits to be sent under a grant goes in the same transaction in which the grant no longer allows it.
"""

import json
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.consent import audit, household_people
from gateway.consent.decide import GrantIndex
from gateway.consent.giving import check_bundle, check_giving
from gateway.consent.grants import Grant, GrantError, changed
from gateway.consent.people import check_person
from gateway.consent.record import Act, ConsentEvent
from gateway.consent.vocabulary import Vocabulary
from gateway.store.database import Database

log = logging.getLogger(__name__)

_GRANT = "SELECT record, revoked_ms, paused_ms, resumed_ms FROM consent_grant"
_ACTS = {
    "grant": Act.GIVEN,
    "change": Act.CHANGED,
    "pause": Act.PAUSED,
    "resume": Act.RESUMED,
    "revoke": Act.WITHDRAWN,
}


def new_id() -> str:
    """An id that no grant has."""
    return "g-" + secrets.token_hex(8)


def give(db: Database, given: Grant | Sequence[Grant], vocabulary: Vocabulary | None = None) -> None:
    """Record a grant, or several that one person agreed to in one act; they count from the next decision on.

    Without a vocabulary the words are not checked: what another gateway of the household took is taken here too.
    Raises GrantError."""
    grants_ = [given] if isinstance(given, Grant) else list(given)
    with db.transaction() as sql:
        for name in {grant.subject for grant in grants_}:
            somebody = household_people.find(db, name)
            theirs = [grant for grant in grants_ if grant.subject == name]
            if vocabulary is not None:
                check_giving(theirs, somebody, vocabulary)
                continue
            for grant in theirs:
                check_person(grant, somebody, Vocabulary.standard())
        if vocabulary is not None:
            check_bundle(grants_, vocabulary)
        for grant in grants_:
            if sql.execute("SELECT 1 FROM consent_grant WHERE id = ?", (grant.id,)).fetchone():
                raise GrantError(f"{grant.id} was given before; a change of it is `hearthgate consent change`")
            sql.execute(
                "INSERT INTO consent_grant (id, record, created_ms) VALUES (?, ?, ?)",
                (grant.id, grant.to_json(), grant.created_ms),
            )
            _keep_version(db, grant)
            _note(db, grant.created_ms, "grant", grant, grant.subject, _agreed(grant))
        db.revise("grants")


def change(db: Database, grant_id: str, now_ms: int, vocabulary: Vocabulary, *, text: str, **fields: Any) -> Grant:
    """The grant's next version (see `grants.changed`). Where other data would leave than before, what waits under the
    old one is dropped. Raises GrantError."""
    with db.transaction() as sql:
        old = find(db, grant_id)
        new = changed(old, now_ms, text=text, **fields)
        check_giving([new], household_people.find(db, new.subject), vocabulary)
        sql.execute("UPDATE consent_grant SET record = ? WHERE id = ?", (new.to_json(), grant_id))
        _keep_version(db, new)
        dropped = 0
        if (new.devices, new.granularity, new.hours) != (old.devices, old.granularity, old.hours):
            dropped = _drop_waiting(db, grant_id)
        _note(db, now_ms, "change", new, new.subject, {**_agreed(new), "dropped": dropped})
        db.revise("grants")
    return new


def pause(db: Database, grant_id: str, now_ms: int, by: str = "") -> Grant:
    """Let a grant rest: nothing leaves under it until it is resumed, and what waits is dropped. Raises GrantError."""
    with db.transaction() as sql:
        old = _alive(db, grant_id, now_ms)
        if old.paused_ms is None:
            sql.execute("UPDATE consent_grant SET paused_ms = ? WHERE id = ?", (now_ms, grant_id))
            _note(db, now_ms, "pause", old, by, {"dropped": _drop_waiting(db, grant_id)})
            db.revise("grants")
    return find(db, grant_id)


def resume(db: Database, grant_id: str, now_ms: int, vocabulary: Vocabulary | None = None, by: str = "") -> Grant:
    """Let it work again, for what is measured from now on. Raises GrantError."""
    with db.transaction() as sql:
        old = _alive(db, grant_id, now_ms)
        somebody = household_people.find(db, by or old.subject)
        check_person(old, somebody, vocabulary or Vocabulary.standard())
        if old.paused_ms is not None:
            # A clock that was set back meanwhile must not let out what was measured before the pause.
            from_ms = max(now_ms, old.paused_ms)
            sql.execute("UPDATE consent_grant SET paused_ms = NULL, resumed_ms = ? WHERE id = ?", (from_ms, grant_id))
            _note(db, now_ms, "resume", old, by, {})
            db.revise("grants")
    return find(db, grant_id)


def take_back(db: Database, grant_id: str, now_ms: int, by: str = "") -> Grant:
    """Revoke a grant, for good: what is queued under it is dropped in the same transaction. Raises GrantError."""
    with db.transaction() as sql:
        old = find(db, grant_id)
        if old.revoked_ms is None:
            sql.execute("UPDATE consent_grant SET revoked_ms = ? WHERE id = ?", (now_ms, grant_id))
            dropped = _drop_waiting(db, grant_id)
            db.count("revoked_before_sending", dropped)
            _note(db, now_ms, "revoke", old, by, {"dropped": dropped})
            db.revise("grants")
    return find(db, grant_id)


def take_in(db: Database, known: Sequence[Grant], now_ms: int) -> bool:
    """Take the versions of a grant from another gateway of the household; True if it is new here. A later version wins,
    and so does the side on which it was taken back, or rests. Raises GrantError."""
    theirs = known[-1]
    row = db.connection.execute(f"{_GRANT} WHERE id = ?", (theirs.id,)).fetchone()
    with db.transaction() as sql:
        if row is None:
            sql.execute(
                "INSERT INTO consent_grant (id, record, created_ms, revoked_ms, paused_ms, resumed_ms) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    theirs.id, theirs.to_json(), known[0].created_ms, theirs.revoked_ms, theirs.paused_ms,
                    theirs.resumed_ms,
                ),
            )  # fmt: skip
            _note(db, now_ms, "grant", theirs, theirs.subject, {**_agreed(theirs), "taken_in": True})
        else:
            ours = Grant.from_json(*row)
            if theirs.version > ours.version:
                sql.execute("UPDATE consent_grant SET record = ? WHERE id = ?", (theirs.to_json(), theirs.id))
                dropped = _drop_waiting(db, theirs.id)
                _note(db, now_ms, "change", theirs, theirs.subject, {**_agreed(theirs), "dropped": dropped})
            if theirs.resumed_ms is not None:
                sql.execute(
                    "UPDATE consent_grant SET resumed_ms = max(coalesce(resumed_ms, 0), ?) WHERE id = ?",
                    (theirs.resumed_ms, theirs.id),
                )
        for version in known:
            sql.execute(
                "INSERT OR IGNORE INTO grant_version VALUES (?, ?, ?)", (version.id, version.version, version.to_json())
            )
        db.revise("grants")
    if theirs.revoked_ms is not None:
        take_back(db, theirs.id, now_ms)
    elif theirs.paused_ms is not None and find(db, theirs.id).revoked_ms is None and now_ms < theirs.expiry_ms:
        pause(db, theirs.id, now_ms)
    return row is None


def find(db: Database, grant_id: str) -> Grant:
    """The newest version of a grant. Raises GrantError."""
    row = db.connection.execute(f"{_GRANT} WHERE id = ?", (grant_id,)).fetchone()
    if row is None:
        raise GrantError(f"no grant {grant_id!r}; `hearthgate consent list` shows them")
    return Grant.from_json(*row)


def grants(db: Database) -> list[Grant]:
    """Every grant ever given, oldest first, each in its newest version; revoked ones too."""
    return [Grant.from_json(*row) for row in db.connection.execute(f"{_GRANT} ORDER BY created_ms, id")]


def versions(db: Database, grant_id: str) -> list[Grant]:
    """What was agreed to in turn, oldest first; the last is as it stands now. Raises GrantError."""
    newest = find(db, grant_id)
    kept = db.connection.execute(
        "SELECT record FROM grant_version WHERE grant_id = ? AND version < ? ORDER BY version",
        (grant_id, newest.version),
    )
    return [*(Grant.from_json(record, None) for (record,) in kept), newest]


def history(db: Database, grant_id: str) -> list[ConsentEvent]:
    """Who did what with a grant, in order. Raises GrantError."""
    known = versions(db, grant_id)
    names = dict(db.connection.execute("SELECT id, name FROM person"))
    found = []
    for (entry,) in db.connection.execute(
        "SELECT entry FROM ledger WHERE kind NOT IN ('sending', 'delivered', 'refused', 'aborted') "
        "AND kind IN ('grant', 'change', 'pause', 'resume', 'revoke') ORDER BY n"
    ):
        try:
            said = json.loads(entry)
            if said["grant"] != grant_id:
                continue
            who = names.get(said["by"], known[-1].subject if not said["by"] else "somebody whose name was erased")
            found.append(ConsentEvent(_ACTS[said["kind"]], said["at_ms"], who, said["version"]))
        except (KeyError, TypeError, ValueError):
            continue  # somebody has edited it: `audit.verify` says so
    if not found or found[0].act is not Act.GIVEN:
        # It was given before there was a ledger.
        found.insert(0, ConsentEvent(Act.GIVEN, known[0].created_ms, known[0].subject, known[0].version))
    return found


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
        for id_, *kept in self._db.connection.execute(
            "SELECT id, record, revoked_ms, paused_ms, resumed_ms FROM consent_grant"
        ):
            try:
                yield Grant.from_json(*kept)
            except GrantError as why:
                log.warning("grant %s counts as not given: %s", id_, why)


def _alive(db: Database, grant_id: str, now_ms: int) -> Grant:
    grant = find(db, grant_id)
    if grant.revoked_ms is not None or now_ms >= grant.expiry_ms:
        raise GrantError(f"{grant_id} is {'revoked' if grant.revoked_ms is not None else 'over'}")
    return grant


def _keep_version(db: Database, grant: Grant) -> None:
    db.connection.execute("INSERT INTO grant_version VALUES (?, ?, ?)", (grant.id, grant.version, grant.to_json()))


def _drop_waiting(db: Database, grant_id: str) -> int:
    """Nothing that waits leaves under a grant that no longer allows it. In a transaction; how many went."""
    sql = db.connection
    dropped = sql.execute("DELETE FROM outbox WHERE grant_id = ?", (grant_id,)).rowcount
    return int(dropped + sql.execute("DELETE FROM bucket WHERE grant_id = ?", (grant_id,)).rowcount)


def _agreed(grant: Grant) -> dict[str, Any]:
    """What the ledger says of an agreement: no names, and the text as its digest, so that both can be erased."""
    return {
        "recipient": grant.recipient,
        "purpose": grant.purpose,
        "category": grant.category,
        "granularity": grant.granularity.value,
        "devices": "all" if grant.devices == ("*",) else len(grant.devices),
        "from_ms": grant.agreed_from_ms,
        "expiry_ms": grant.expiry_ms,
        "explicit": grant.explicit,
        "language": grant.language,
        "text_sha256": grant.text_sha256,
    }


def _note(db: Database, at_ms: int, kind: str, grant: Grant, by: str, more: Mapping[str, Any]) -> None:
    who = household_people.person_id(db, by, at_ms)
    audit.append(db, at_ms, kind, {"grant": grant.id, "version": grant.version, "by": who, **more})
