"""What a board is told of the key that it had before, so that it can seal anew what lies on its flash. Pure.

A board that took its next key by command keeps that in a file beside board.json (firmware/rekey.py): the key of
board.json that it follows, the key, and the one before while frames of earlier boots may be sealed with it. Flashing
writes board.json with the key that holds now; without such a file, frames under another key would open nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["beside"]

_KEY_BYTES: Final = 32


def beside(key: bytes, stored: Mapping[str, Any], kept: bytes | None, *, rotated: bool) -> bytes | None:
    """What the file beside a board.json with `key` is to hold; None: there need be none.

    stored: the board.json on the board, or {}; kept: the file on the board, if there is one. rotated: the board had no
    other key but by `hearthgate devices rotate`. A board whose key was given up otherwise tells nothing of that time.
    """
    present, before = _hex(stored.get("key")), None
    table = _table(kept)
    if present is not None and table.get("for") == _name(present):
        before = _hex(table.get("old"))
        present = _hex(table.get("key")) or present
    if present != key:
        before = present if rotated else None
    if before is None:
        return None
    return json.dumps({"for": _name(key), "key": key.hex(), "old": before.hex()}).encode()


def _name(key: bytes) -> str:
    """By which a board knows a key without holding it."""
    return hashlib.sha256(key).digest()[:8].hex()


def _hex(text: object) -> bytes | None:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None


def _table(kept: bytes | None) -> dict[str, Any]:
    try:
        table = json.loads(kept or b"{}")
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}
