"""Signatures of the household: COSE_Sign1 with Ed25519 (RFC 9052 section 4.2, RFC 9053 section 2.2), tagged.

Read by hand, as the boards' envelopes are: of one payload, key and content type there is one right message, and nothing
in it is interpreted before the signature has been checked. The content type is under the signature, so that one kind of
document is never taken for another.
"""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import HearthgateError

SEED_BYTES = 32
KEY_BYTES = 32
KEY_ID_BYTES = 8
SIGNATURE_BYTES = 64
MAX_SIGNED_BYTES = 1_048_576

_TAG_AND_ARRAY = b"\xd2\x84"
# {1: -8 (EdDSA), 3: content type, 4: key id}, in the order of deterministic CBOR
_ALGORITHM = b"\xa3\x01\x27\x03"
_KEY_ID = b"\x04\x48"
_NO_HEADERS = b"\xa0"


class SignatureError(HearthgateError, ValueError):
    """A message that is not signed by this key, or not one that we sign; the text says which."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a message says of itself: nothing of it is true before `open_signed` has checked it."""

    content_type: str
    key_id: bytes
    payload: bytes


class SigningKey:
    """The household's key, from the 32 bytes of its seed (RFC 8032 section 5.1.5)."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise SignatureError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, content_type: str, payload: bytes) -> bytes:
        """The message that carries `payload`, a document of this media type. Raises SignatureError if it is too big."""
        protected = _protected(content_type, self.id)
        signature = self._key.sign(_to_be_signed(protected, payload))
        message = b"".join(
            (_TAG_AND_ARRAY, _head(2, len(protected)), protected, _NO_HEADERS, _head(2, len(payload)), payload)
        )
        if len(message) + 2 + SIGNATURE_BYTES > MAX_SIGNED_BYTES:
            raise SignatureError(f"at most {MAX_SIGNED_BYTES} bytes are signed")
        return message + _head(2, SIGNATURE_BYTES) + signature


def key_id(public: bytes) -> bytes:
    """The first 8 bytes of the SHA-256 of a public key: names it, and proves nothing."""
    return hashlib.sha256(public).digest()[:KEY_ID_BYTES]


def open_signed(public: bytes, content_type: str, message: bytes) -> bytes:
    """The payload of a message that this key signed as a document of this media type. Raises SignatureError."""
    signed = read_unverified(message)
    if signed.content_type != content_type:
        raise SignatureError(f"it is a {signed.content_type}, not a {content_type}")
    if signed.key_id != key_id(public):
        raise SignatureError(f"it names the key {signed.key_id.hex()}, and this is the key {key_id(public).hex()}")
    to_be_signed = _to_be_signed(_protected(content_type, signed.key_id), signed.payload)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(message[-SIGNATURE_BYTES:], to_be_signed)
    except (InvalidSignature, ValueError):
        raise SignatureError("the signature does not fit: this was changed, or another key signed it") from None
    return signed.payload


def read_unverified(message: bytes) -> Signed:
    """What a message says of itself, to look up the key that it names. Raises SignatureError."""
    if len(message) > MAX_SIGNED_BYTES:
        raise SignatureError(f"{len(message)} bytes; at most {MAX_SIGNED_BYTES} are read")
    at = _expect(message, 0, _TAG_AND_ARRAY)
    size, at = _read_head(message, at, 2)
    end = at + size
    at = _expect(message, at, _ALGORITHM)
    size, at = _read_head(message, at, 3)
    content_type, at = message[at : at + size], at + size
    at = _expect(message, at, _KEY_ID)
    named, at = message[at : at + KEY_ID_BYTES], at + KEY_ID_BYTES
    if at != end:
        raise SignatureError("the protected headers do not end where they say")
    size, at = _read_head(message, _expect(message, at, _NO_HEADERS), 2)
    payload, at = message[at : at + size], at + size
    size, at = _read_head(message, at, 2)
    if size != SIGNATURE_BYTES or at + size != len(message):
        raise SignatureError("it does not end with one Ed25519 signature")
    try:
        return Signed(content_type.decode(), named, payload)
    except UnicodeDecodeError:
        raise SignatureError("its content type is not a text") from None


def _protected(content_type: str, named: bytes) -> bytes:
    text = content_type.encode()
    return _ALGORITHM + _head(3, len(text)) + text + _KEY_ID + named


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure (RFC 9052 section 4.4), without external data."""
    return b"".join(
        (b"\x84\x6aSignature1", _head(2, len(protected)), protected, b"\x40", _head(2, len(payload)), payload)
    )


def _head(major: int, n: int) -> bytes:
    """The head of a byte string (2) or text (3), in its shortest form."""
    if n < 24:
        return bytes((major << 5 | n,))
    size = 1 if n < 256 else 2 if n < 65_536 else 4
    return bytes((major << 5 | {1: 24, 2: 25, 4: 26}[size],)) + n.to_bytes(size, "big")


def _read_head(message: bytes, at: int, major: int) -> tuple[int, int]:
    """(length, where the string begins). Only the shortest form is read."""
    first = message[at] if at < len(message) else 0xFF
    size = {24: 1, 25: 2, 26: 4}.get(first & 31, 0)
    n = int.from_bytes(message[at + 1 : at + 1 + size], "big") if size else first & 31
    head = _head(major, n)
    if message[at : at + len(head)] != head:
        raise SignatureError("it is not a COSE_Sign1 of the form that we sign")
    return n, at + len(head)


def _expect(message: bytes, at: int, these: bytes) -> int:
    if message[at : at + len(these)] != these:
        raise SignatureError("it is not a COSE_Sign1 of the form that we sign")
    return at + len(these)
