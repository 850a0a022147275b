"""Fuzz targets that are proofs brought back from outside: signed documents, receipts, exported ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tools import fuzz_mutate
from tools.fuzz_target import Broken, Parse, Target

__all__ = ["TARGETS"]

_NOW_MS = 1_780_000_100_000
_SEED = bytes(range(32))


def _errors() -> tuple[type[Exception], ...]:
    from gateway.consent.ledger_file import LedgerFileError
    from gateway.consent.receipt import ReceiptError
    from gateway.consent.signing import SignatureError

    return (LedgerFileError, ReceiptError, SignatureError)


@contextmanager
def _signed() -> Iterator[Parse]:
    """A document as it comes: nothing but what this key signed may be taken."""
    from gateway.consent.anchors import anchor
    from gateway.consent.signing import SigningKey

    public = SigningKey(_SEED).public
    whole = set(_signed_seeds())

    def parse(data: bytes) -> None:
        anchor(public, data)
        if data not in whole:
            raise Broken("a document was taken that this key did not sign")

    yield parse


@contextmanager
def _payload() -> Iterator[Parse]:
    """What stands in a document that is rightly signed: the first byte says as which kind."""
    from gateway.consent.anchors import anchor
    from gateway.consent.evidence import HEAD_TYPE
    from gateway.consent.receipt import CONTENT_TYPE
    from gateway.consent.signing import SigningKey

    key = SigningKey(_SEED)

    def parse(data: bytes) -> None:
        kind = HEAD_TYPE if data[:1] == b"h" else CONTENT_TYPE
        found = anchor(key.public, key.sign(kind, data[1:]))
        if found.head.n < 0:
            raise Broken(f"a head of {found.head.n} rows")

    yield parse


@contextmanager
def _ledger() -> Iterator[Parse]:
    """A file of `hearthgate audit export`."""
    from gateway.consent import ledger, ledger_file

    def parse(data: bytes) -> None:
        lines = data.splitlines(keepends=True)
        ledger.verify(ledger_file.rows(lines))
        ledger_file.end(lines[-1] if lines else b"")

    yield parse


def _documents() -> tuple[bytes, bytes]:
    """(a signed head, a sealed receipt)."""
    from gateway.consent.canonical import canonical
    from gateway.consent.evidence import HEAD_TYPE
    from gateway.consent.grants import Grant
    from gateway.consent.ledger import Head
    from gateway.consent.receipt import sealed_receipt
    from gateway.consent.record import Act, ConsentEvent, consent_record
    from gateway.consent.signing import SigningKey
    from gateway.consent.vocabulary import Granularity, Vocabulary

    key = SigningKey(_SEED)
    grant = Grant(
        id="g-00000000000000aa",
        subject="Ada",
        devices=("*",),
        category="temperature",
        recipient="manufacturer",
        purpose="research",
        granularity=Granularity.HOUR,
        hours=None,
        start_ms=_NOW_MS,
        expiry_ms=_NOW_MS + 86_400_000,
        text="I agree.",
        language="en",
        created_ms=_NOW_MS,
    )
    record = consent_record(
        [grant], [ConsentEvent(Act.GIVEN, _NOW_MS, "Ada", 1)], Vocabulary.standard(), now_ms=_NOW_MS
    )
    head = Head(7, bytes(32))
    signed = key.sign(HEAD_TYPE, canonical({"n": 7, "hash": head.hash.hex(), "at_ms": _NOW_MS}))
    return signed, sealed_receipt(key, record, issued_ms=_NOW_MS, head=head)


def _signed_seeds() -> Iterator[bytes]:
    yield from _documents()


def _payload_seeds() -> Iterator[bytes]:
    from gateway.consent.signing import read_unverified

    for mark, document in zip((b"h", b"r"), _documents(), strict=True):
        yield mark + read_unverified(document).payload


def _ledger_seeds() -> Iterator[bytes]:
    from gateway.consent import ledger, ledger_file
    from gateway.consent.canonical import canonical
    from gateway.consent.evidence import HEAD_TYPE
    from gateway.consent.signing import SigningKey

    key, head = SigningKey(_SEED), ledger.EMPTY
    rows = []
    for n in range(4):
        rows.append(ledger.next_row(head, _NOW_MS + n, "sending", {"sink": "cloud", "events": n}))
        head = ledger.Head(rows[-1].n, rows[-1].hash)
    signed = key.sign(HEAD_TYPE, canonical({"n": head.n, "hash": head.hash.hex(), "at_ms": _NOW_MS}))
    yield b"".join(ledger_file.lines(rows)) + ledger_file.last_line(signed, key.public)
    yield b"".join(ledger_file.lines(rows[:1]))


TARGETS = (
    Target(
        "signed", "documents that a person brings back", _signed, _signed_seeds, fuzz_mutate.octets, 10, 60, _errors,
        max_bytes=8192,
    ),
    Target(
        "receipt", "what is in a signed receipt or head", _payload, _payload_seeds, fuzz_mutate.text, 5, 200, _errors,
        text=True, max_bytes=8192,
    ),
    Target(
        "ledger", "an exported ledger", _ledger, _ledger_seeds, fuzz_mutate.text, 5, 100, _errors, text=True,
        max_bytes=8192,
    ),
)  # fmt: skip
