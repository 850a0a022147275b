"""What a person or a recipient can be handed as proof: receipts of grants, and the head of the ledger, signed."""

from collections.abc import Mapping

from gateway.consent import audit, household_people, register
from gateway.consent.canonical import canonical
from gateway.consent.ledger import Head
from gateway.consent.receipt import receipt, sealed_receipt
from gateway.consent.receipt_terms import Node
from gateway.consent.record import consent_record
from gateway.consent.vocabulary import Vocabulary
from gateway.store.database import Database

HEAD_TYPE = "application/vnd.hearthgate.ledger-head+json"


def receipt_of(
    db: Database, grant_id: str, now_ms: int, vocabulary: Vocabulary, names: Mapping[str, str] | None = None
) -> tuple[Node, bytes]:
    """(JSON-LD, the same as a COSE_Sign1) of a grant with its whole history and the ledger's head. Raises GrantError.

    `names`: what the household calls its devices."""
    versions = register.versions(db, grant_id)
    record = consent_record(
        versions,
        register.history(db, grant_id),
        vocabulary,
        now_ms=now_ms,
        person=household_people.find(db, versions[-1].subject),
        names=names,
    )
    key, head = audit.signing_key(db), audit.head(db)
    anchor = head if head.n else None
    return (
        receipt(record, issued_ms=now_ms, issuer=key.public, head=anchor),
        sealed_receipt(key, record, issued_ms=now_ms, head=anchor),
    )


def signed_head(db: Database, now_ms: int) -> bytes:
    """The ledger's head as a COSE_Sign1 over canonical JSON {n, hash, at_ms}: for somebody else to keep."""
    head = audit.head(db)
    said = {"n": head.n, "hash": head.hash.hex(), "at_ms": now_ms}
    return audit.signing_key(db).sign(HEAD_TYPE, canonical(said))


def head_of(said: Mapping[str, object]) -> Head:
    """The anchor that a document of `signed_head` holds. Raises KeyError or ValueError."""
    return Head(int(str(said["n"])), bytes.fromhex(str(said["hash"])))
