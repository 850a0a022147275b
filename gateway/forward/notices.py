"""Erasure notices: what a recipient is asked to erase, signed, and told again until it says that it has it.

A notice is a CloudEvent (type io.hearthgate.erasure.v1) with the attribute `grant`, where it is about one grant. Its
data: `reason` (revoked, erased), `sources` (the names of the devices whose data it is, or null: all under the grant),
`from` and `to` (times of the readings), `signed` (base64 of a COSE_Sign1 over the canonical JSON of all of this) and
`key` (the public key, hex: another one for every recipient).
"""

import base64
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.consent import audit
from gateway.consent.canonical import canonical
from gateway.consent.pseudonym import Pseudonyms
from gateway.forward import cloudevent
from gateway.store.database import Database

SIGNED_TYPE = "application/vnd.hearthgate.erasure+json"
REVOKED = "revoked"
ERASED = "erased"
_HOMELESS = "SELECT id, recipient FROM notice WHERE NOT EXISTS (SELECT 1 FROM notice_sink WHERE notice_id = id)"


@dataclass(frozen=True, slots=True)
class Notice:
    """One that waits to be told at a sink."""

    id: str
    body: str


def owe(db: Database, sinks: Iterable[tuple[str, str]], now_ms: int) -> int:
    """Make the notices of every grant that was taken back since, and say which sinks are to tell what waits; `sinks`:
    (name, recipient) of those that the settings name. How many are new.

    What is owed is read from what is on disk, so a gateway that was off, or killed in the midst of it, owes the same.
    A recipient that was never sent anything is told nothing; one that no sink leads to is told as soon as one does."""
    revoked = db.connection.execute(
        "SELECT id FROM consent_grant WHERE revoked_ms IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM disclosure WHERE grant_id = id) "
        "AND NOT EXISTS (SELECT 1 FROM notice WHERE grant_id = consent_grant.id AND reason = ?)",
        (REVOKED,),
    ).fetchall()
    if not revoked and not db.connection.execute(_HOMELESS).fetchone():
        return 0
    made = 0
    with db.transaction() as sql:
        for (grant_id,) in revoked:
            made += of_grant(db, grant_id, now_ms)
        for id_, recipient in sql.execute(_HOMELESS).fetchall():
            told = [(id_, name) for name, theirs in sinks if theirs == recipient]
            sql.executemany("INSERT INTO notice_sink (notice_id, sink) VALUES (?, ?)", told)
    return made


def of_grant(db: Database, grant_id: str, now_ms: int, reason: str = REVOKED) -> int:
    """Ask every recipient that may have something under a grant to erase it. In a transaction; how many notices."""
    rows = db.connection.execute(
        "SELECT recipient, min(first_ms), max(last_ms) FROM disclosure WHERE grant_id = ? GROUP BY recipient",
        (grant_id,),
    ).fetchall()
    for recipient, first_ms, last_ms in rows:
        _make(db, recipient, grant_id, reason, None, (first_ms, last_ms), now_ms)
    return len(rows)


def of_device(db: Database, device: str, now_ms: int) -> int:
    """Ask every recipient that may have something of a device to erase it, under whichever grant it came. In a
    transaction; how many notices."""
    rows = db.connection.execute(
        "SELECT recipient, grant_id, group_concat(DISTINCT epoch), min(first_ms), max(last_ms) FROM disclosure "
        "WHERE device = ? GROUP BY recipient, grant_id",
        (device,),
    ).fetchall()
    for recipient, grant_id, epochs, first_ms, last_ms in rows:
        names = [Pseudonyms(db.secret, recipient, int(epoch)) for epoch in sorted(epochs.split(","), key=int)]
        sources = [cloudevent.source(name.device(device)) for name in names]
        _make(db, recipient, grant_id, ERASED, sources, (first_ms, last_ms), now_ms)
    return len(rows)


def waiting(db: Database, sink: str, most: int = 20) -> list[Notice]:
    """The notices that a sink is still to tell, oldest first."""
    rows = db.connection.execute(
        "SELECT id, body FROM notice_sink JOIN notice ON id = notice_id "
        "WHERE sink = ? AND acked_ms IS NULL ORDER BY created_ms, id LIMIT ?",
        (sink, most),
    )
    return [Notice(*row) for row in rows]


def tried(db: Database, sink: str, notice: Notice) -> None:
    """It was told, and no answer came."""
    with db.transaction() as sql:
        sql.execute("UPDATE notice_sink SET tries = tries + 1 WHERE sink = ? AND notice_id = ?", (sink, notice.id))


def acked(db: Database, sink: str, notice: Notice, now_ms: int) -> None:
    """The receiver says that it has it."""
    with db.transaction() as sql:
        sql.execute(
            "UPDATE notice_sink SET tries = tries + 1, acked_ms = ? WHERE sink = ? AND notice_id = ?",
            (now_ms, sink, notice.id),
        )
        audit.append(db, now_ms, "notice_acked", {"notice": notice.id, "sink": sink})
        db.count("notices_acked")


def _make(
    db: Database,
    recipient: str,
    grant_id: str,
    reason: str,
    sources: Sequence[str] | None,
    span_ms: tuple[int, int],
    now_ms: int,
) -> None:
    id_ = secrets.token_hex(16)
    key = audit.signing_key(db, recipient)
    said: dict[str, Any] = {
        "id": id_,
        "recipient": recipient,
        "grant": grant_id,
        "reason": reason,
        "sources": None if sources is None else list(sources),
        "from": cloudevent.timestamp(cloudevent.coarse(span_ms[0])),
        "to": cloudevent.timestamp(cloudevent.coarse(span_ms[1])),
        # Who is told of the same act at the same millisecond could find out that they speak of one household.
        "at": cloudevent.timestamp(cloudevent.coarse(now_ms)),
    }
    signed = key.sign(SIGNED_TYPE, canonical(said))
    body = json.dumps(
        {
            "specversion": "1.0",
            "id": id_,
            "source": "urn:hearthgate:household",
            "type": cloudevent.ERASURE,
            "time": said["at"],
            "datacontenttype": "application/json",
            "grant": grant_id,
            "data": {
                "reason": reason,
                "sources": said["sources"],
                "from": said["from"],
                "to": said["to"],
                "signed": base64.b64encode(signed).decode(),
                "key": key.public.hex(),
            },
        },
        separators=(",", ":"),
    )
    db.connection.execute(
        "INSERT INTO notice (id, recipient, grant_id, reason, created_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
        (id_, recipient, grant_id, reason, now_ms, body),
    )
    audit.append(db, now_ms, "notice", {"notice": id_, "recipient": recipient, "grant": grant_id, "reason": reason})
    db.count("notices")
