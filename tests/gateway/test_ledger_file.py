"""The ledger in a file: what is written can be checked by anybody, and what was done to it is found."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.consent import audit, ledger, ledger_file
from gateway.consent.evidence import signed_head
from gateway.consent.ledger import Row
from gateway.consent.ledger_file import LedgerFileError
from gateway.consent.signing import SignatureError


@pytest.fixture
def exported(household: Any) -> list[bytes]:
    """The lines of a ledger with a few rows."""
    for _ in range(3):
        household.revoke(household.grant())
    key = audit.signing_key(household.db).public
    rows = list(ledger_file.lines(audit.rows(household.db)))
    return [*rows, ledger_file.last_line(signed_head(household.db, household.now_ms), key)]


def verdict(lines: list[bytes]) -> ledger.Verdict:
    return ledger.verify(ledger_file.rows(io.BytesIO(b"".join(lines))), [ledger_file.end(lines[-1]).head])


def test_what_is_written_is_read_again_and_verifies(household: Any, exported: list[bytes]):
    assert list(ledger_file.rows(exported)) == list(audit.rows(household.db))
    found = verdict(exported)
    assert (found.ok, found.rows, found.head) == (True, 7, audit.head(household.db))
    end = ledger_file.end(exported[-1])
    assert (end.head, end.at_ms) == (found.head, household.now_ms)
    assert end.key == audit.signing_key(household.db).public


def test_it_can_be_checked_without_this_program(exported: list[bytes]):
    before = bytes(32)
    for line in exported[:-1]:
        row = json.loads(line)
        assert bytes.fromhex(row["prev"]) == before
        before = hashlib.sha256(before + row["entry"].encode()).digest()
        assert before == bytes.fromhex(row["hash"])
    last = json.loads(exported[-1])
    assert last["head"]["hash"] == before.hex()
    protected, _, payload, signature = cbor2.loads(base64.b64decode(last["signed"])).value
    assert json.loads(payload) == last["head"]
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(last["key"]))
    key.verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))


def test_an_edited_removed_or_moved_line_is_found(exported: list[bytes]):
    edited = [line.replace(b'\\"version\\":1', b'\\"version\\":2') for line in exported]
    moved = [exported[0], exported[2], exported[1], *exported[3:]]
    for lines, word in ((edited, "edited"), (moved, "reordered"), (exported[:3] + exported[4:], "removed")):
        assert word in " ".join(map(str, verdict(lines).faults))
    assert "truncated" in " ".join(map(str, verdict(exported[:4] + exported[-1:]).faults))


def test_bytes_that_are_no_text_are_written_all_the_same():
    row = Row(1, 5, "grant", b"\xff\x00", bytes(32), bytes(32))
    (line,) = ledger_file.lines([row])
    assert list(ledger_file.rows([line])) == [row]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"n":"x"}', b"[" * 100_000], ids=lambda line: repr(line[:8])
)
def test_what_is_no_ledger_is_said_to_be_so(line: bytes):
    with pytest.raises(LedgerFileError, match="line 1"):
        list(ledger_file.rows([line]))
    with pytest.raises(LedgerFileError):
        ledger_file.end(line)


def test_a_head_that_was_not_signed_is_not_believed(exported: list[bytes]):
    last = json.loads(exported[-1])
    for name, value in (("n", 3), ("hash", "00" * 32)):
        changed = {**last, "head": {**last["head"], name: value}}
        with pytest.raises(SignatureError):
            ledger_file.end(json.dumps(changed).encode())
    with pytest.raises(SignatureError):
        ledger_file.end(json.dumps({**last, "key": "00" * 32}).encode())
