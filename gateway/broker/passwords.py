"""Mosquitto's password file, written here: a password given to another program as an argument is in the process list.

A line is `user:$7$rounds$salt$hash`: PBKDF2 with HMAC-SHA-512 (RFC 8018), salt and hash in Base64.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

# Ours are 256 random bits, which no number of rounds makes harder to guess. Mosquitto goes through them for every
# client that is connected at each reload.
_ROUNDS = 101
_MOST_ROUNDS = 100_000
_SALT_BYTES = 12  # the only other length that Mosquitto takes is 64
_HASH_BYTES = 64


def password_line(user: str, password: str) -> str:
    """A line of the file, without its end."""
    salt = secrets.token_bytes(_SALT_BYTES)
    spelt = (base64.b64encode(part).decode() for part in (salt, _hash(password, salt, _ROUNDS)))
    return f"{user}:$7${_ROUNDS}${'$'.join(spelt)}"


def fits(line: str, user: str, password: str) -> bool:
    """Whether the line lets this user in with this password."""
    name, _, stored = line.partition(":")
    try:
        nothing, form, rounds, salt, said = stored.split("$")
        if (name, nothing, form) != (user, "", "7") or not 0 < int(rounds) <= _MOST_ROUNDS:
            return False
        found = _hash(password, base64.b64decode(salt, validate=True), int(rounds))
        return hmac.compare_digest(found, base64.b64decode(said, validate=True))
    except (ValueError, binascii.Error):
        return False


def password_file(before: str, wanted: Mapping[str, str]) -> str:
    """The file for the users and passwords in `wanted`. Lines of `before` that fit stay as they are, so that nothing is
    written where nothing changed."""
    lines = {line.partition(":")[0]: line for line in before.splitlines()}
    kept = []
    for user, password in sorted(wanted.items()):
        line = lines.get(user, "")
        kept.append(line if fits(line, user, password) else password_line(user, password))
    return "".join(f"{line}\n" for line in kept)


def _hash(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, _HASH_BYTES)
