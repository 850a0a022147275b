"""One spelling of a JSON value: RFC 8785, of the values that receipts and the ledger are made of.

Two machines that say the same write the same bytes, so a digest or a signature is of what was said. Numbers are whole:
times are milliseconds, and RFC 8785 spells a fraction as JavaScript does. Names are ASCII, so that they sort alike
everywhere.
"""

import json
from collections.abc import Mapping

from gateway.errors import HearthgateError

MAX_INTEGER = 2**53 - 1  # beyond it a reader in JavaScript no longer sees the same number (RFC 7493 section 2.2)


class CanonicalError(HearthgateError, ValueError):
    """A value or bytes that have no canonical form; the text says why."""


def canonical(value: object) -> bytes:
    """The canonical JSON of `value`: maps with text names, lists, texts, whole numbers, true, false and null.

    Raises CanonicalError."""
    try:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_as_map)
        data = text.encode()
    except (RecursionError, TypeError, ValueError) as why:
        raise CanonicalError(f"it cannot be written as JSON: {why}") from None
    _check(value)
    return data


def parse(data: bytes) -> object:
    """The value of canonical JSON; any other spelling of it is refused. Raises CanonicalError."""
    try:
        value: object = json.loads(data.decode())
    except (ValueError, RecursionError) as why:
        raise CanonicalError(f"it is not JSON: {why}") from None
    if canonical(value) != data:
        raise CanonicalError("it is JSON, and not in its canonical form")
    return value


def _as_map(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _check(value: object) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            if wrong := [name for name in item if not (isinstance(name, str) and name.isascii())]:
                raise CanonicalError(f"{wrong[0]!r} cannot be a name: names are ASCII texts")
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, int):
            if abs(item) > MAX_INTEGER:
                raise CanonicalError(f"{item} is too large: whole numbers go to {MAX_INTEGER}")
        elif not isinstance(item, str | None):
            raise CanonicalError(f"{type(item).__name__} has no canonical form; write numbers as whole ones")
