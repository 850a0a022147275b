"""Request bodies of the stand-in cloud: gzip and JSON from a sender that nobody vouches for, within bounds."""

from __future__ import annotations

import json
import zlib
from typing import NoReturn

__all__ = ["BadBodyError", "TooLargeError", "UnsupportedError", "decode_json", "unpack"]


class BadBodyError(Exception):
    """The body is not what its headers say; the message is for the sender, `status` the answer's (RFC 9110)."""

    status = 400


class TooLargeError(BadBodyError):
    """The body, or what it unpacks to, is larger than the bound."""

    status = 413


class UnsupportedError(BadBodyError):
    """The content type or coding is none that the cloud reads."""

    status = 415


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """Undo a content coding, gzip or identity, to at most `limit` bytes; raises BadBodyError."""
    if coding == "gzip":
        return _inflate(body, limit)
    if coding == "identity":
        return body
    raise UnsupportedError("the content encoding must be gzip or identity")


def _inflate(body: bytes, limit: int) -> bytes:
    """Unpack one gzip member (RFC 1952) and stop as soon as it has more than `limit` bytes."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadBodyError("the body is not valid gzip") from error
    if len(plain) > limit:
        raise TooLargeError(f"the body unpacks to more than {limit} bytes")
    if not unpacker.eof:
        raise BadBodyError("the gzip body is cut short")
    if unpacker.unused_data:
        raise BadBodyError("there are bytes after the end of the gzip body")
    return plain


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def decode_json(body: bytes) -> object:
    """Decode JSON (RFC 8259, UTF-8); a member named twice, NaN or hopeless depth raises BadBodyError."""
    try:
        decoded: object = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadBodyError(f"the body is not valid JSON: {str(error)[:200]}") from error
    return decoded
