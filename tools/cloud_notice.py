"""Erasure notices as the stand-in cloud reads them: CloudEvents that the household signed, or nothing is erased.

A COSE_Sign1 (RFC 9052 section 4.2, Ed25519) is read here with libraries of others, so that what the gateway signs is
judged by code that shares nothing with the gateway.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tools.cloud_body import BadBodyError
from tools.cloud_check import is_text
from tools.cloud_times import unix_s

__all__ = ["Notice", "read_notice"]

ERASURE: Final = "io.hearthgate.erasure.v1"
SIGNED_TYPE: Final = "application/vnd.hearthgate.erasure+json"

COSE_SIGN1: Final = 18
EDDSA: Final = -8
ALGORITHM, CONTENT_TYPE, KEY_ID = 1, 3, 4  # header parameters, RFC 9052 section 3.1
KEY_ID_BYTES: Final = 8
MAX_SOURCES: Final = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be erased: what came under `grant` (None: under any), of all devices or only of `sources`."""

    grant: str | None
    sources: tuple[str, ...] | None


def read_notice(event: object, recipient: str, key: bytes | None) -> Notice:
    """The notice to `recipient` that a decoded body is; raises BadBodyError unless its signature is right.

    `key`: the household's public key for this recipient, where it is known; otherwise the notice's own, which proves
    no more than that nobody changed it on its way.
    """
    if not isinstance(event, dict):
        raise BadBodyError("a notice must be a JSON object")
    for name in ("id", "source"):
        if not is_text(event.get(name)):
            raise BadBodyError(f"a notice's {name} must be a text that is not empty")
    if event.get("specversion") != "1.0" or event.get("type") != ERASURE or unix_s(event.get("time")) is None:
        raise BadBodyError(f"a notice must be a CloudEvent 1.0 of type {ERASURE} with a time")
    data, grant = event.get("data"), event.get("grant")
    if not isinstance(data, dict) or not (grant is None or is_text(grant)):
        raise BadBodyError('a notice\'s data must be a JSON object, and its "grant", if any, a text')
    sources = data.get("sources")
    if sources is not None and not _are_sources(sources):
        raise BadBodyError(f"data.sources must be null or a list of 1 to {MAX_SOURCES} texts")
    if grant is None and sources is None:
        raise BadBodyError("a notice must name a grant, or sources")
    said = {
        "id": event["id"],
        "recipient": recipient,
        "grant": grant,
        "reason": data.get("reason"),
        "sources": sources,
        "from": data.get("from"),
        "to": data.get("to"),
        "at": event["time"],
    }
    if _signed(data.get("signed"), _key(data.get("key"), key)) != said:
        raise BadBodyError("what the notice says is not what was signed")
    return Notice(grant, None if sources is None else tuple(sources))


def _are_sources(sources: object) -> bool:
    return isinstance(sources, list) and 0 < len(sources) <= MAX_SOURCES and all(map(is_text, sources))


def _key(shown: object, known: bytes | None) -> bytes:
    try:
        key = bytes.fromhex(shown) if isinstance(shown, str) else b""
    except ValueError:
        key = b""
    if known is not None and key != known:
        raise BadBodyError("data.key is not this household's")
    return key


def _signed(text: object, key: bytes) -> object:
    """What was signed with this key, decoded; raises BadBodyError."""
    try:
        message = io.BytesIO(base64.b64decode(text if isinstance(text, str) else "", validate=True))
        tagged = cbor2.load(message)
        protected, _, payload, signature = tagged.value
        if tagged.tag != COSE_SIGN1 or message.read(1):
            raise BadBodyError("data.signed is not one COSE_Sign1")
        _check_headers(cbor2.loads(protected), key)
        to_be_signed = cbor2.dumps(["Signature1", protected, b"", payload])
        Ed25519PublicKey.from_public_bytes(key).verify(signature, to_be_signed)
        return json.loads(payload)
    except InvalidSignature:
        raise BadBodyError("the signature does not fit: the notice was changed, or another key signed it") from None
    except (cbor2.CBORDecodeError, AttributeError, TypeError, ValueError, OverflowError, RecursionError):
        raise BadBodyError("data.signed is no base64 of a COSE_Sign1, or data.key no Ed25519 key in hex") from None


def _check_headers(headers: Mapping[object, object], key: bytes) -> None:
    wanted = {ALGORITHM: EDDSA, CONTENT_TYPE: SIGNED_TYPE, KEY_ID: hashlib.sha256(key).digest()[:KEY_ID_BYTES]}
    if headers != wanted:
        raise BadBodyError("data.signed is a COSE_Sign1 of something else, or names another key")
