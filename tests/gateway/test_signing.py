"""The household's signatures against code and bytes that are not ours: pycose, and RFC 8032's own key."""

from __future__ import annotations

import hashlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message

from gateway.consent.signing import (
    MAX_SIGNED_BYTES,
    SignatureError,
    SigningKey,
    key_id,
    open_signed,
    read_unverified,
)

SEED = bytes(range(32))
KEY = SigningKey(SEED)
OTHER = SigningKey(bytes(32))
TYPE = "application/ld+json"
SIZES = (1, 23, 24, 255, 256, 65_535, 65_536, 100_000)


def with_pycose(payload: bytes, content_type: str = TYPE, **headers: object) -> Sign1Message:
    protected = {Algorithm: EdDSA, ContentType: content_type, KID: KEY.id}
    message = Sign1Message(phdr=protected, uhdr=headers.get("uhdr", {}), payload=payload)
    message.key = OKPKey(crv=Ed25519, x=KEY.public, d=SEED)
    return message


def test_the_key_is_that_of_its_seed():
    # RFC 8032 section 7.1, test 1
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert SigningKey(seed).public == public
    assert SigningKey(seed).id == key_id(public) == hashlib.sha256(public).digest()[:8]
    for wrong in (b"", seed[:-1], seed + b"\0"):
        with pytest.raises(SignatureError, match="32 bytes"):
            SigningKey(wrong)


@pytest.mark.parametrize("size", (0, *SIZES))
def test_what_we_sign_we_open(size: int):
    payload = bytes(i & 0xFF for i in range(size))
    message = KEY.sign(TYPE, payload)
    assert open_signed(KEY.public, TYPE, message) == payload
    assert KEY.sign(TYPE, payload) == message
    said = read_unverified(message)
    assert (said.content_type, said.key_id, said.payload) == (TYPE, KEY.id, payload)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("content_type", [TYPE, "a", "application/" + "x" * 300])
def test_pycose_opens_what_we_sign_and_signs_the_same(size: int, content_type: str):
    payload = bytes(size)
    message = KEY.sign(content_type, payload)
    assert message[:1] == b"\xd2"  # tag 18: COSE_Sign1
    theirs = Sign1Message.from_cose_obj(cbor2.loads(message[1:]), allow_unknown_attributes=False)
    assert theirs.phdr == {Algorithm: EdDSA, ContentType: content_type, KID: KEY.id}
    assert theirs.uhdr == {}
    assert theirs.payload == payload
    theirs.key = OKPKey(crv=Ed25519, x=KEY.public)
    assert theirs.verify_signature()
    theirs.key = OKPKey(crv=Ed25519, x=OTHER.public)
    assert not theirs.verify_signature()
    assert with_pycose(payload, content_type).encode() == message


def test_another_key_another_type_and_nobody_are_refused():
    message = KEY.sign(TYPE, b"receipt")
    with pytest.raises(SignatureError, match="names the key"):
        open_signed(OTHER.public, TYPE, message)
    with pytest.raises(SignatureError, match="not a application/json"):
        open_signed(KEY.public, "application/json", message)
    forged = OTHER.sign(TYPE, b"receipt").replace(OTHER.id, KEY.id)
    with pytest.raises(SignatureError, match="does not fit"):
        open_signed(KEY.public, TYPE, forged)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_byte_that_was_changed_is_seen(at: int, by: int):
    message = bytearray(KEY.sign(TYPE, b'{"grant":"g-0000000000000000"}'))
    message[at % len(message)] ^= by
    with pytest.raises(SignatureError):
        open_signed(KEY.public, TYPE, bytes(message))


def test_a_message_that_was_cut_or_went_on_is_refused():
    message = KEY.sign(TYPE, b"receipt")
    for n in range(len(message)):
        with pytest.raises(SignatureError):
            open_signed(KEY.public, TYPE, message[:n])
    with pytest.raises(SignatureError):
        open_signed(KEY.public, TYPE, message + b"\0")


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes):
    for message in (data, b"\xd2\x84" + data, b"\xd2\x84\x58\x22\xa3\x01\x27\x03" + data):
        with pytest.raises(SignatureError):
            open_signed(KEY.public, TYPE, message)


class TestOneForm:
    """The same content in another spelling is not what we sign, though a lax reader would take it."""

    def other(self, **changes: object) -> bytes:
        ours = cbor2.loads(KEY.sign(TYPE, b"receipt")).value
        protected, unprotected, payload, signature = ours
        parts = {"protected": protected, "unprotected": unprotected, "payload": payload, "signature": signature}
        return cbor2.dumps(cbor2.CBORTag(18, list((parts | changes).values())))

    def test_the_same_parts_are_the_same_message(self):
        assert self.other() == KEY.sign(TYPE, b"receipt")

    @pytest.mark.parametrize(
        "changes",
        [
            {"unprotected": {4: b"else"}},
            {"payload": None},
            {"payload": "receipt"},
            {"signature": b""},
            {"protected": b""},
            {"protected": cbor2.dumps({1: -8})},
            {"protected": cbor2.dumps({1: -8, 4: KEY.id, 3: TYPE})},
            {"protected": cbor2.dumps({1: -7, 3: TYPE, 4: KEY.id})},
            {"protected": cbor2.dumps({1: -8, 3: 60, 4: KEY.id})},
        ],
    )
    def test_other_parts_are_refused(self, changes: dict[str, object]):
        with pytest.raises(SignatureError):
            open_signed(KEY.public, TYPE, self.other(**changes))

    def test_lengths_are_in_their_shortest_form(self):
        message = KEY.sign(TYPE, b"receipt")
        at = message.index(b"\x47receipt")
        for head in (b"\x58\x07", b"\x59\x00\x07", b"\x5a\x00\x00\x00\x07", b"\x5b" + bytes(7) + b"\x07", b"\x5f\x47"):
            longer = message[:at] + head + message[at + 1 :]
            with pytest.raises(SignatureError):
                open_signed(KEY.public, TYPE, longer)

    def test_it_is_tagged(self):
        with pytest.raises(SignatureError):
            open_signed(KEY.public, TYPE, KEY.sign(TYPE, b"receipt")[1:])


def test_what_is_too_long_is_neither_signed_nor_read():
    with pytest.raises(SignatureError, match="at most"):
        KEY.sign(TYPE, bytes(MAX_SIGNED_BYTES))
    with pytest.raises(SignatureError, match="at most"):
        read_unverified(bytes(MAX_SIGNED_BYTES + 1))
