"""What the stand-in cloud holds, in one SQLite file: events once each, refusals, erasure notices and counts.

Every request is one transaction, committed before `CloudStore` returns. An instance belongs to one thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from tools.cloud_body import BadBodyError
from tools.cloud_check import Refusal, refusal
from tools.cloud_erase import erase_grant, erase_sources
from tools.cloud_notice import Notice
from tools.cloud_records import CloudStats, Counts, Holding, Kept, Refused, Report, terms

__all__ = ["CloudStore"]

APPLICATION_ID: Final = 0x48474331  # "HGC1": tells the cloud's file from the gateway's

SCHEMA_VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE events (
    source    TEXT NOT NULL,
    id        TEXT NOT NULL,
    recipient TEXT NOT NULL,
    grant_id  TEXT NOT NULL,
    arrived_s REAL NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;
CREATE INDEX events_by_grant ON events (recipient, grant_id);
CREATE INDEX events_by_recipient ON events (recipient);
CREATE TABLE refused (
    arrival   INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL,
    grant_id  TEXT,
    arrived_s REAL NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('consent', 'format')),
    reason    TEXT NOT NULL,
    body      TEXT NOT NULL
) STRICT;
CREATE TABLE erasures (
    arrival   INTEGER PRIMARY KEY,
    recipient TEXT NOT NULL,
    grant_id  TEXT,  -- NULL where only some devices' data was meant, and the grant lives on
    arrived_s REAL NOT NULL,
    body      TEXT NOT NULL,
    UNIQUE (recipient, body)
) STRICT;
CREATE TABLE tally (
    recipient TEXT NOT NULL,
    name      TEXT NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (recipient, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
    recipient   TEXT NOT NULL,
    grant_id    TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    granularity TEXT NOT NULL,
    expiry      TEXT NOT NULL,
    category    TEXT NOT NULL,
    events      INTEGER NOT NULL,
    PRIMARY KEY (recipient, grant_id, purpose, granularity, expiry, category)
) STRICT, WITHOUT ROWID;
"""

SELECT_EVENTS: Final = "SELECT recipient, arrived_s, body FROM events"
BUSY_TIMEOUT_S: Final = 10.0
REFUSED_KEPT: Final = 10_000  # the newest are enough to find a fault by; the counts keep the rest
REFUSED_BODY_CHARS: Final = 65_536  # of one refused event; a whole one of ours has under 2,000


# One text for one meaning, whatever the order of members; ASCII, so that any JSON string fits. Made once,
# because json.dumps would make it anew for every event.
_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _grant(body: object) -> str | None:
    grant = body.get("consentgrant") if isinstance(body, dict) else None
    return grant[:1024].encode("utf-8", "replace").decode() if isinstance(grant, str) else None


class CloudStore:
    """Opens or makes the file; raises sqlite3.Error where it cannot, or where it is not the cloud's."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._migrate()
            self._db.execute("PRAGMA synchronous = FULL")  # an answer of 2xx must outlast a power cut
        except BaseException:
            self._db.close()
            raise

    def _migrate(self) -> None:
        application, version = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
        )
        if (application, version) == (APPLICATION_ID, SCHEMA_VERSION):
            return
        if application or version or self._db.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None:
            raise sqlite3.DatabaseError("the file is another program's, or a newer stand-in cloud's")
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            for statement in SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._db.close()

    def take(
        self,
        recipient: str,
        events: list[object],
        *,
        size: int,
        now_s: float,
        grants: Collection[str] | None,
    ) -> Report:
        """Judge and keep one batch, whole or not at all; `size` is what the request had in bytes."""
        report = Report()
        held: Counter[tuple[str, ...]] = Counter()
        with self._transaction():
            erased = self._erased(recipient)
            for index, event in enumerate(events):
                why = refusal(event, recipient=recipient, now_s=now_s, grants=grants, erased=erased)
                if why is not None:
                    report.refuse(index, event, why)
                    self._refuse(recipient, event, why, now_s)
                elif isinstance(event, dict) and self._insert(recipient, event, now_s, report):
                    held[terms(event)] += 1
            for agreed, n in held.items():
                self._db.execute(
                    "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET events = events + excluded.events",
                    (recipient, *agreed, n),
                )
            if report.refused:
                self._db.execute(
                    "DELETE FROM refused WHERE arrival <= (SELECT max(arrival) FROM refused) - ?",
                    (REFUSED_KEPT,),
                )
            counts = {name: getattr(report, name) for name in ("duplicates", "conflicts", "refused", "leaked")}
            self._add(recipient, {**counts, "requests": 1, "bytes_received": size})
        return report

    def _insert(self, recipient: str, event: Mapping[str, object], now_s: float, report: Report) -> bool:
        body = _canonical(event)
        identity = (event["source"], event["id"])
        row = self._db.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (*identity, recipient, event["consentgrant"], now_s, body),
        )
        if row.rowcount == 1:
            report.stored += 1
            return True
        report.duplicates += 1
        before = self._db.execute("SELECT body FROM events WHERE source = ? AND id = ?", identity).fetchone()
        report.conflicts += before[0] != body
        return False

    def _refuse(self, recipient: str, event: object, why: Refusal, now_s: float) -> None:
        try:
            body = _canonical(event)
        except RecursionError as error:  # writing goes less deep than reading
            raise BadBodyError("the body is nested too deep") from error
        self._db.execute(
            "INSERT INTO refused (recipient, grant_id, arrived_s, kind, reason, body) VALUES (?, ?, ?, ?, ?, ?)",
            (
                recipient,
                _grant(event),
                now_s,
                why.kind,
                why.reason.encode("utf-8", "replace").decode(),
                body[:REFUSED_BODY_CHARS],
            ),
        )

    def _erased(self, recipient: str) -> set[str]:
        query = "SELECT grant_id FROM erasures WHERE recipient = ? AND grant_id IS NOT NULL"
        return {row[0] for row in self._db.execute(query, (recipient,))}

    def erase(self, recipient: str, notice: Notice, body: object, *, size: int, now_s: float) -> int:
        """Keep an erasure notice, and delete what it asks for; `body` is what it came as. Returns how many."""
        with self._transaction():
            fresh = self._db.execute(
                "INSERT OR IGNORE INTO erasures (recipient, grant_id, arrived_s, body) VALUES (?, ?, ?, ?)",
                (recipient, notice.grant if notice.sources is None else None, now_s, _canonical(body)),
            ).rowcount
            if notice.sources is None:
                erased = erase_grant(self._db, recipient, notice.grant)
            else:
                erased = erase_sources(self._db, recipient, notice.grant, notice.sources)
            counts = {"erasures": fresh, "erased": erased, "requests": 1, "bytes_received": size}
            self._add(recipient, counts)
        return erased

    def count(self, recipient: str, counts: Mapping[str, int]) -> None:
        """Count a request that changes nothing else."""
        with self._transaction():
            self._add(recipient, counts)

    def _add(self, recipient: str, counts: Mapping[str, int]) -> None:
        self._db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(recipient, name, n) for name, n in counts.items() if n],
        )

    def stats(self) -> CloudStats:
        """All the counts; the cost grows with recipients and grants, not with events."""
        by_recipient: dict[str, Counter[str]] = {}
        by_purpose: Counter[str] = Counter()
        for recipient, name, n in self._db.execute("SELECT recipient, name, n FROM tally ORDER BY recipient"):
            by_recipient.setdefault(recipient, Counter())[name] = n
        for recipient, purpose, n in self._db.execute("SELECT recipient, purpose, events FROM held"):
            by_recipient.setdefault(recipient, Counter())["events"] += n
            by_purpose[purpose] += n
        each = {recipient: Counts(**counts) for recipient, counts in by_recipient.items()}
        total = {f.name: sum(asdict(counts)[f.name] for counts in each.values()) for f in fields(Counts)}
        return CloudStats(**total, by_recipient=each, by_purpose=dict(by_purpose))

    def holdings(self, recipient: str) -> list[Holding]:
        """What is held for a recipient, by grant."""
        query = "SELECT grant_id, purpose, granularity, expiry, category, events FROM held WHERE recipient = ?"
        return [Holding(*row) for row in self._db.execute(query, (recipient,))]

    def events(self, recipient: str | None, limit: int) -> list[Kept]:
        """The events that came last, of one recipient or of all (None), newest first."""
        if recipient is None:
            rows = self._db.execute(f"{SELECT_EVENTS} ORDER BY rowid DESC LIMIT ?", (limit,))
        else:
            rows = self._db.execute(
                f"{SELECT_EVENTS} WHERE recipient = ? ORDER BY rowid DESC LIMIT ?", (recipient, limit)
            )
        return [Kept(who, when, json.loads(body)) for who, when, body in rows]

    def erasures(self, recipient: str | None, limit: int) -> list[Kept]:
        """The erasure notices that came last, of one recipient or of all (None), newest first."""
        rows = self._db.execute(
            "SELECT recipient, arrived_s, body FROM erasures "
            "WHERE recipient = ?1 OR ?1 IS NULL ORDER BY arrival DESC LIMIT ?2",
            (recipient, limit),
        )
        return [Kept(who, when, json.loads(body)) for who, when, body in rows]

    def refused(self, recipient: str | None, limit: int) -> list[Refused]:
        """The refusals that came last, of one recipient or of all (None), newest first."""
        rows = self._db.execute(
            "SELECT recipient, arrived_s, kind, reason, body FROM refused "
            "WHERE recipient = ?1 OR ?1 IS NULL ORDER BY arrival DESC LIMIT ?2",
            (recipient, limit),
        )
        return [Refused(*row) for row in rows]
