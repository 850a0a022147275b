"""The ledger in the database: what happened to grants, and every disclosure, in the chain of ledger.py."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.consent import ledger
from gateway.consent.ledger import EMPTY, Head, Row, Verdict
from gateway.consent.signing import SigningKey
from gateway.store.database import Database

_ROWS_A_LOOK = 1000


def append(db: Database, at_ms: int, kind: str, happened: Mapping[str, Any]) -> Row:
    """Add a row. In the transaction that does what it tells of, so that neither is there without the other."""
    row = ledger.next_row(head(db), at_ms, kind, happened)
    db.connection.execute(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)", (row.n, row.at_ms, row.kind, row.entry, row.prev, row.hash)
    )
    return row


def head(db: Database) -> Head:
    """The last row's number and hash: to anchor, and to go on from."""
    row = db.connection.execute("SELECT n, hash FROM ledger ORDER BY n DESC LIMIT 1").fetchone()
    return EMPTY if row is None else Head(int(row[0]), bytes(row[1]))


def rows(db: Database, first_n: int = 1) -> Iterator[Row]:
    """The rows from a number on, as they are kept. In steps: no reader holds up the log for long."""
    while True:
        found = db.connection.execute(
            "SELECT n, at_ms, kind, entry, prev, hash FROM ledger WHERE n >= ? ORDER BY n LIMIT ?",
            (first_n, _ROWS_A_LOOK),
        ).fetchall()
        if not found:
            return
        for n, at_ms, kind, entry, prev, hash_ in found:
            # Whoever edits a database may put a text where bytes were: that is for `verify` to say.
            yield Row(n, at_ms, str(kind), _bytes(entry), _bytes(prev), _bytes(hash_))
        first_n = found[-1][0] + 1


def verify(db: Database, anchors: Iterable[Head] = ()) -> Verdict:
    """Check the whole chain, against the heads that receipts and exports hold where there are any."""
    return ledger.verify(rows(db), anchors)


def signing_key(db: Database, recipient: str | None = None) -> SigningKey:
    """The household's own key; or the one that it shows to a recipient: another for each, or it would be a name by
    which two of them could join what they have."""
    asked = b"signing" if recipient is None else b"signing\0" + recipient.encode()
    return SigningKey(hmac.digest(db.secret, asked, "sha256"))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode()
