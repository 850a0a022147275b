"""Dead letters: what came in and could not be used, each with its reason, in a bounded number."""

import hashlib
from dataclasses import dataclass

from gateway.store.database import Database

MAX_DEAD_LETTERS = 10_000  # of each kind: with a right MAC, and of strangers
_STRAY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that could not be used."""

    topic: str
    payload: bytes
    reason: str
    detail: str
    received_ms: int


def set_aside(db: Database, item: DeadLetter, *, whole: bool) -> None:
    """Keep it (`whole`: all of its bytes); the same bytes again only count up. In a transaction."""
    db.count("dead_letters")
    db.count(f"dead_letters.{item.reason}")
    digest = hashlib.sha256(item.topic.encode() + b"\0" + item.payload).digest()
    db.connection.execute(
        "INSERT INTO dead_letter (digest, received_ms, topic, reason, detail, size, whole, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET times = times + 1, received_ms = excluded.received_ms",
        (
            digest,
            item.received_ms,
            item.topic[:128],
            item.reason,
            item.detail[:500],
            len(item.payload),
            whole,
            item.payload if whole else item.payload[:_STRAY_BYTES],
        ),
    )
    # Each kind for itself: a stranger on the broker cannot push out what a board of ours was acked for.
    db.connection.execute(
        "DELETE FROM dead_letter WHERE whole = ? AND id <= "
        "(SELECT id FROM dead_letter WHERE whole = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (whole, whole, MAX_DEAD_LETTERS),
    )
