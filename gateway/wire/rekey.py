"""A board's next key on its way to it, inside a command that is sealed with the key it has.

The argument is nonce || (next key XOR HMAC-SHA-256(key, context || device || nonce)) in hex. A key has 32 bytes, as
many as one HMAC gives, and each nonce is used once: that is a one-time pad from a pseudorandom function. It needs
nothing on the board that is not there anyway, and the command's own MAC protects it from being changed. What the key
seals begins with other bytes (RFC 9052's MAC_structure), so no tag on the wire is a part of a pad.

It keeps the next key from who reads the link or the broker. It does not keep it from who has the present key and hears
the command: a board whose key is known to others is revoked, and gets its next key by cable.
"""

import hmac

from gateway.wire.errors import FrameError

VERB = "rekey"
KEY_BYTES = 32
NONCE_BYTES = 16

_CONTEXT = b"hearthgate/1 next key"


def wrap(key: bytes, device: str, nonce: bytes, next_key: bytes) -> str:
    """The command's one argument. `nonce` must never be used twice under a key. Raises FrameError."""
    if len(nonce) != NONCE_BYTES or len(next_key) != KEY_BYTES:
        raise FrameError(f"a nonce has {NONCE_BYTES} bytes and a board's key {KEY_BYTES}")
    return (nonce + _xor(_pad(key, device, nonce), next_key)).hex()


def unwrap(key: bytes, device: str, argument: str) -> bytes:
    """The next key in a command's argument, as the board finds it. Raises FrameError."""
    try:
        said = bytes.fromhex(argument)
    except ValueError as why:
        raise FrameError(f"not hex digits: {why}") from why
    if len(said) != NONCE_BYTES + KEY_BYTES or said.hex() != argument:
        raise FrameError(f"a next key comes as {2 * (NONCE_BYTES + KEY_BYTES)} lower-case hex digits")
    nonce, wrapped = said[:NONCE_BYTES], said[NONCE_BYTES:]
    return _xor(_pad(key, device, nonce), wrapped)


def _pad(key: bytes, device: str, nonce: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + device.encode() + nonce, "sha256")


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
