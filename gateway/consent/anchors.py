"""Anchors: documents of the household that somebody keeps, and that a ledger is later held against."""

from dataclasses import dataclass

from gateway.consent.canonical import parse
from gateway.consent.evidence import HEAD_TYPE, head_of
from gateway.consent.ledger import EMPTY, Head
from gateway.consent.receipt import CONTENT_TYPE, open_receipt
from gateway.consent.signing import SignatureError, open_signed, read_unverified

_NONE = Head(-1, b"")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of the ledger at some moment, and which kind of document says so."""

    head: Head
    what: str


def anchor(public: bytes, document: bytes) -> Anchor:
    """What a signed head (`hearthgate audit head`) or a signed receipt says, its signature checked with this key.

    Raises SignatureError or ReceiptError."""
    content_type = read_unverified(document).content_type
    if content_type == HEAD_TYPE:
        return Anchor(open_head(public, document)[0], "signed head")
    if content_type != CONTENT_TYPE:
        raise SignatureError(f"it is a {content_type}, and neither a signed head nor a receipt")
    receipt = open_receipt(public, document)
    if receipt.head is None:
        raise SignatureError(f"the receipt of {receipt.grant_id} holds no head of the ledger")
    _check(receipt.head)
    return Anchor(receipt.head, f"receipt of {receipt.grant_id}")


def open_head(public: bytes, document: bytes) -> tuple[Head, int]:
    """(the head, when it was signed as Unix ms) of a signed head. Raises SignatureError."""
    payload = open_signed(public, HEAD_TYPE, document)
    try:
        said = parse(payload)
        head, at_ms = (head_of(said), int(said["at_ms"])) if isinstance(said, dict) else (_NONE, 0)
    except (KeyError, OverflowError, TypeError, ValueError):
        head, at_ms = _NONE, 0
    _check(head)
    return head, at_ms


def _check(head: Head) -> None:
    if head.n < 0 or len(head.hash) != len(EMPTY.hash):
        raise SignatureError("this is signed, and is no head of a ledger")
