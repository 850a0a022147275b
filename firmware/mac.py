"""COSE_Mac0 with HMAC 256/64 (RFC 9052 section 6.2, RFC 9053 section 3.1), untagged.

Message: [protected << {1: 4} >>, {}, payload, tag of 8 bytes]. The role (the last part of the topic) is the external
data, so an `up` frame can never be played back as a `cmd`.
"""

import hashlib

from cbor import head, put_head

PROTECTED = b"\xa1\x01\x04"
# Array of 4, the protected header, an empty unprotected map: the same first bytes in every message.
_PREFIX = b"\x84\x43" + PROTECTED + b"\xa0"
OVERHEAD = 17


class Mac0:
    """Seals and opens messages under one key (16 to 64 bytes). `old`: the Mac0 of the key before, while something on
    flash may be sealed with that, or with one before it (rekey.py); `inner` and `outer` are its padded key, as HMAC
    takes it."""

    old: "Mac0 | None" = None

    def __init__(self, key):
        if not 16 <= len(key) <= 64:
            raise ValueError("key: 16 to 64 bytes, not %d" % len(key))
        padded = bytes(key) + bytes(64 - len(key))
        self.inner = bytes(b ^ 0x36 for b in padded)
        self.outer = bytes(b ^ 0x5C for b in padded)

    def tag(self, role, payload):
        """The first 8 bytes of the HMAC-SHA-256 of RFC 9052's MAC_structure."""
        h = hashlib.sha256(self.inner)
        h.update(b"\x84\x64MAC0\x43" + PROTECTED + head(0x40, len(role)) + role + head(0x40, len(payload)))
        h.update(payload)
        outer = hashlib.sha256(self.outer)
        outer.update(h.digest())
        return outer.digest()[:8]

    def seal(self, role, payload):
        """The whole message for `payload` (bytes-like) in `role` (bytes)."""
        n = len(payload)
        message = bytearray(OVERHEAD + 7 + n)
        at = len(_PREFIX)
        message[:at] = _PREFIX
        at = put_head(message, at, 0x40, n)
        message[at : at + n] = payload
        at += n
        message[at] = 0x48
        message[at + 1 : at + 9] = self.tag(role, payload)
        return bytes(memoryview(message)[: at + 9])

    def open(self, role, message):
        """The payload, as bytes; ValueError if the form or the tag is wrong."""
        n = len(message)
        at = len(_PREFIX)
        if n < OVERHEAD or bytes(message[:at]) != _PREFIX:
            raise ValueError("mac: not a COSE_Mac0 of ours")
        first = message[at]
        if 0x40 <= first < 0x58:
            size = first - 0x40
            at += 1
        elif first == 0x58:
            size = message[at + 1]
            at += 2
        elif first == 0x59:
            size = message[at + 1] << 8 | message[at + 2]
            at += 3
        else:
            raise ValueError("mac: form")
        if size < (24 if first == 0x58 else 256 if first == 0x59 else 0):
            raise ValueError("mac: a length in a longer form than it needs")
        if at + size + 9 != n or message[at + size] != 0x48:
            raise ValueError("mac: lengths do not agree")
        payload = bytes(message[at : at + size])
        tag = self.tag(role, payload)
        differs = 0
        for i in range(8):  # every byte is looked at: the time taken tells nothing about the tag
            differs |= tag[i] ^ message[n - 8 + i]
        if differs:
            raise ValueError("mac: wrong tag")
        return payload
