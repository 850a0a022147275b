"""Anchors: signed heads and receipts that somebody kept."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent import audit
from gateway.consent.anchors import anchor
from gateway.consent.evidence import HEAD_TYPE, receipt_of, signed_head
from gateway.consent.signing import SignatureError, SigningKey
from gateway.consent.vocabulary import Vocabulary


def test_a_signed_head_and_a_receipt_hold_the_head_of_their_moment(household: Any):
    grant = household.grant()
    key, then = audit.signing_key(household.db), audit.head(household.db)
    head = signed_head(household.db, household.now_ms)
    _, receipt = receipt_of(household.db, grant.id, household.now_ms, Vocabulary.standard())
    household.revoke(grant)
    for document, what in ((head, "signed head"), (receipt, f"receipt of {grant.id}")):
        held = anchor(key.public, document)
        assert (held.head, held.what) == (then, what)
        assert audit.verify(household.db, [held.head]).ok
        with pytest.raises(SignatureError, match="names the key"):
            anchor(SigningKey(bytes(32)).public, document)
        with pytest.raises(SignatureError):
            anchor(key.public, document[:-1] + bytes([document[-1] ^ 1]))


_FEWER = b'{"at_ms":1,"hash":"%s","n":-3}' % (b"00" * 32)


@pytest.mark.parametrize("payload", [b"{}", b"[]", b"1", b'{"at_ms":1,"hash":"x","n":1}', b"\xff", b'{"n": 1}', _FEWER])
def test_what_is_signed_and_is_no_head_is_said_to_be_so(payload: bytes):
    key = SigningKey(bytes(32))
    with pytest.raises(SignatureError, match="no head"):
        anchor(key.public, key.sign(HEAD_TYPE, payload))
    with pytest.raises(SignatureError, match="neither"):
        anchor(key.public, key.sign("text/plain", payload))
    with pytest.raises(SignatureError):
        anchor(key.public, payload)
