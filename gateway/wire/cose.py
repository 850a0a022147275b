"""COSE_Mac0 with HMAC 256/64 (RFC 9052 section 6.2, RFC 9053 section 3.1), untagged: the envelope of every message.

The envelope is read by hand, not by a CBOR library: only one form is right, and nothing of a stranger's bytes is
interpreted before the MAC has been checked.
"""

import hmac

from gateway.wire.errors import MacError, SizeError

MAX_MESSAGE_BYTES = 65_536
TAG_BYTES = 8
OVERHEAD_BYTES = 17  # of a payload of 24 to 255 bytes; one less below, one more above

_PROTECTED = b"\xa1\x01\x04"
_PREFIX = b"\x84\x43" + _PROTECTED + b"\xa0"
_LEAST_BYTES = len(_PREFIX) + 1 + 1 + TAG_BYTES
_STRUCTURE = b"\x84\x64MAC0\x43" + _PROTECTED


def _byte_string(data: bytes) -> bytes:
    n = len(data)
    if n < 24:
        return bytes((0x40 + n,)) + data
    if n < 256:
        return bytes((0x58, n)) + data
    if n < 65_536:
        return b"\x59" + n.to_bytes(2, "big") + data
    return b"\x5a" + n.to_bytes(4, "big") + data


def _tag(key: bytes, role: str, payload: bytes) -> bytes:
    external = _byte_string(role.encode())
    return hmac.digest(key, _STRUCTURE + external + _byte_string(payload), "sha256")[:TAG_BYTES]


def seal(key: bytes, role: str, payload: bytes) -> bytes:
    """The message that carries `payload` in `role` (the last part of its topic)."""
    return _PREFIX + _byte_string(payload) + b"\x48" + _tag(key, role, payload)


def open_sealed(key: bytes, role: str, message: bytes) -> bytes:
    """The payload of `message`. Raises SizeError or MacError; reads only the envelope before the MAC is right."""
    payload = split(message)
    if not hmac.compare_digest(message[-TAG_BYTES:], _tag(key, role, payload)):
        raise MacError(f"the MAC does not fit this device's key and the role {role!r}")
    return payload


def split(message: bytes) -> bytes:
    """The payload of a message whose MAC was checked before (a stored frame). Raises SizeError or MacError."""
    n = len(message)
    if n > MAX_MESSAGE_BYTES:
        raise SizeError(f"{n} bytes; at most {MAX_MESSAGE_BYTES} are read")
    if n < _LEAST_BYTES or not message.startswith(_PREFIX):
        raise MacError("not a COSE_Mac0 with HMAC 256/64")
    first = message[6]
    if 0x40 <= first < 0x58:
        at, size = 7, first - 0x40
    elif first == 0x58:
        at, size = 8, message[7]
    elif first == 0x59:
        at, size = 9, message[7] << 8 | message[8]
    else:
        raise MacError("the envelope's payload is not a short byte string")
    if size < (0, 24, 256)[at - 7]:
        # The MAC does not cover this head: a second form of it would be a second message with the same MAC.
        raise MacError("the envelope's payload has a length that is not in its shortest form")
    if at + size + 1 + TAG_BYTES != n or message[at + size] != 0x48:
        raise MacError("the envelope's lengths do not agree")
    return message[at : at + size]
