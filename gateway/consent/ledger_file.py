"""The ledger in a file, for anybody to check without this program: JSON Lines, a row each, and the signed head last.

A row: {"n", "at_ms", "kind", "entry", "prev", "hash"}. `hash` is the SHA-256 of the 32 bytes of `prev` and of the UTF-8
bytes of `entry`; the next row's `prev` is this row's `hash`, and the first row's is 32 zero bytes (all in hex).
`entry` is canonical JSON (RFC 8785), and says everything again. The last line: {"head": {"n", "hash", "at_ms"},
"signed", "key"}: `signed` is base64 of a COSE_Sign1 (RFC 9052, Ed25519) over the canonical JSON of `head`, `key` the
household's public key in hex.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.consent.anchors import open_head
from gateway.consent.evidence import HEAD_TYPE
from gateway.consent.ledger import Head, Row
from gateway.consent.signing import SignatureError, open_signed
from gateway.errors import HearthgateError

__all__ = ["End", "LedgerFileError", "end", "last_line", "lines", "rows"]


class LedgerFileError(HearthgateError, ValueError):
    """A file that is no export of a ledger; the text says which line, and what is wrong."""


@dataclass(frozen=True, slots=True)
class End:
    """What the last line says, its signature checked with `key` (the one that it names)."""

    head: Head
    at_ms: int
    key: bytes


def lines(ledger: Iterable[Row]) -> Iterator[bytes]:
    """The rows' lines. A row that was edited is written as it is kept."""
    for row in ledger:
        yield _line({"n": row.n, "at_ms": row.at_ms, "kind": row.kind, **_entry(row.entry),
                     "prev": row.prev.hex(), "hash": row.hash.hex()})  # fmt: skip


def last_line(signed: bytes, key: bytes) -> bytes:
    """The last line. `signed`: the document of `evidence.signed_head`; `key`: the public key that it is signed with."""
    head = json.loads(open_signed(key, HEAD_TYPE, signed))
    return _line({"head": head, "signed": base64.b64encode(signed).decode(), "key": key.hex()})


def rows(text: Iterable[bytes]) -> Iterator[Row]:
    """The rows of a file's lines. Raises LedgerFileError."""
    for number, line in enumerate(text, start=1):
        said = _object(line, number)
        if "head" in said:
            return
        try:
            entry = bytes.fromhex(said["entry_hex"]) if "entry_hex" in said else str(said["entry"]).encode()
            prev, hash_ = (bytes.fromhex(said[name]) for name in ("prev", "hash"))
            yield Row(_whole(said["n"]), _whole(said["at_ms"]), str(said["kind"]), entry, prev, hash_)
        except (KeyError, TypeError, ValueError):
            raise LedgerFileError(f"line {number} is no row of a ledger: {line[:60]!r}") from None


def end(line: bytes) -> End:
    """What a file's last line says. Raises LedgerFileError or SignatureError."""
    said = _object(line, None)
    try:
        key, signed = bytes.fromhex(said["key"]), base64.b64decode(said["signed"], validate=True)
        plain = Head(_whole(said["head"]["n"]), bytes.fromhex(said["head"]["hash"]))
    except (KeyError, TypeError, ValueError):
        raise LedgerFileError("it does not end with a signed head: it is cut off, or no export of a ledger") from None
    head, at_ms = open_head(key, signed)
    if head != plain:
        raise SignatureError("the head that was signed is another one than its last line says")
    return End(head, at_ms, key)


def _entry(entry: bytes) -> dict[str, str]:
    try:
        return {"entry": entry.decode()}
    except UnicodeDecodeError:  # nothing that we wrote: whoever checks the file sees that its hash does not fit
        return {"entry_hex": entry.hex()}


def _whole(n: object) -> int:
    if not isinstance(n, int):
        raise TypeError("not a whole number")
    return n


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _object(line: bytes, number: int | None) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        where = "its last line" if number is None else f"line {number}"
        raise LedgerFileError(f"{where} is not JSON as an export of a ledger has it")
    return said
