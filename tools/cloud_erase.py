"""Erasing at the stand-in cloud: events go, with the counts of what is held and the texts of what was turned away."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence

from tools.cloud_records import terms

__all__ = ["erase_grant", "erase_sources"]


def erase_grant(db: sqlite3.Connection, recipient: str, grant: str | None) -> int:
    """Delete what a recipient got under a grant, in a transaction. Returns how many events."""
    mine = (recipient, grant)
    erased = db.execute("DELETE FROM events WHERE recipient = ? AND grant_id = ?", mine).rowcount
    db.execute("DELETE FROM held WHERE recipient = ? AND grant_id = ?", mine)
    db.execute("UPDATE refused SET body = '' WHERE recipient = ? AND grant_id = ?", mine)
    return erased


def erase_sources(db: sqlite3.Connection, recipient: str, grant: str | None, sources: Sequence[str]) -> int:
    """Delete what it got of these devices, under one grant or under any, in a transaction. Returns how many events."""
    gone: Counter[tuple[str, ...]] = Counter()
    for source in sources:
        mine = (recipient, grant, source)
        for (body,) in db.execute(
            "DELETE FROM events WHERE recipient = ?1 AND (grant_id = ?2 OR ?2 IS NULL) AND source = ?3 RETURNING body",
            mine,
        ):
            gone[terms(json.loads(body))] += 1
        db.execute(
            "UPDATE refused SET body = '' WHERE recipient = ?1 AND (grant_id = ?2 OR ?2 IS NULL) AND instr(body, ?3)",
            mine,
        )
    db.executemany(
        "UPDATE held SET events = events - ? WHERE recipient = ? AND grant_id = ? AND purpose = ? "
        "AND granularity = ? AND expiry = ? AND category = ?",
        [(n, recipient, *agreed) for agreed, n in gone.items()],
    )
    db.execute("DELETE FROM held WHERE events = 0")
    return gone.total()
