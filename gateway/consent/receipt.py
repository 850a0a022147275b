"""Receipts: a signed copy of a consent record, for whoever gave the consent.

It holds the head of the ledger at that moment, so that whoever has it can show later that the ledger was not written
anew or cut off.
"""

import hashlib
from dataclasses import dataclass

from gateway.consent.canonical import CanonicalError, canonical, parse
from gateway.consent.ledger import Head
from gateway.consent.receipt_terms import CONTEXT, Node, checksum, moment, ref, text_in, urn
from gateway.consent.signing import SigningKey, key_id, open_signed
from gateway.errors import HearthgateError

CONTENT_TYPE = "application/ld+json"
RECEIPT_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#receipt"


class ReceiptError(HearthgateError, ValueError):
    """A receipt that does not hold together; the text says where."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was checked: the whole document, whose grant it is, and the ledger's head if it holds one."""

    document: Node
    grant_id: str
    head: Head | None


def receipt(record: Node, *, issued_ms: int, issuer: bytes, head: Head | None = None) -> Node:
    """The receipt for a record, as it is now. `issuer`: the household's public key."""
    document: Node = {
        "@context": CONTEXT,
        "@id": urn(f"{record['dct:identifier']} {record['schema:version']} {issued_ms} {issuer.hex()}"),
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": ref(RECEIPT_SCHEMA),
        "dct:created": moment(issued_ms),
        "dct:publisher": {"dct:identifier": key_id(issuer).hex(), "dct:title": text_in("the household's gateway")},
        "dpv:hasRecordOfActivity": {name: value for name, value in record.items() if name != "@context"},
    }
    document["dct:identifier"] = document["@id"].removeprefix("urn:uuid:")
    if head is not None:
        document["dct:provenance"] = {
            "@type": "dct:ProvenanceStatement",
            "dct:description": text_in("the last row of the household's ledger when this was issued"),
            "schema:position": head.n,
            "spdx:checksum": checksum(head.hash.hex()),
        }
    return document


def sealed_receipt(key: SigningKey, record: Node, *, issued_ms: int, head: Head | None = None) -> bytes:
    """The receipt as a COSE_Sign1 of the household over its canonical JSON."""
    return key.sign(CONTENT_TYPE, canonical(receipt(record, issued_ms=issued_ms, issuer=key.public, head=head)))


def open_receipt(public: bytes, sealed: bytes) -> Receipt:
    """A receipt that this household signed, checked in itself: each text has the digest that stands beside it.

    Raises SignatureError or ReceiptError."""
    try:
        document = parse(open_signed(public, CONTENT_TYPE, sealed))
    except CanonicalError as why:
        raise ReceiptError(f"the receipt cannot be read: {why}") from None
    try:
        return _checked(document)
    except ReceiptError:
        raise
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as why:
        raise ReceiptError(f"this is signed, and is no receipt: {why}") from None


def _checked(document: object) -> Receipt:
    if not isinstance(document, dict) or document["@type"] != "dpv:ConsentReceipt":
        raise ReceiptError("it is not a dpv:ConsentReceipt")
    if document["dct:conformsTo"] != ref(RECEIPT_SCHEMA):
        raise ReceiptError(f"its schema is {document['dct:conformsTo']}; this reads {RECEIPT_SCHEMA}")
    record = document["dpv:hasRecordOfActivity"]
    for notice in record["dpv:hasNotice"]:
        text = notice["dct:description"]["@value"]
        if notice["spdx:checksum"] != checksum(hashlib.sha256(text.encode()).hexdigest()):
            raise ReceiptError(f"the digest beside the text of version {notice['schema:version']} is not that text's")
    head = None
    if provenance := document.get("dct:provenance"):
        n, digest = provenance["schema:position"], bytes.fromhex(provenance["spdx:checksum"]["spdx:checksumValue"])
        head = Head(int(n), digest)
    return Receipt(document, str(record["dct:identifier"]), head)
