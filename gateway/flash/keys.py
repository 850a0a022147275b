"""What a board is told of the keys that it had before, so that it can seal anew what lies on its flash. Pure.

A board that took its next key by command keeps that in a file beside board.json (firmware/rekey.py): the key of
board.json that it follows, the key, and the one before while frames of earlier boots may be sealed with it. Flashing
writes board.json with the key that holds now; without such a file, frames under another key would open nothing, and
what was sealed later would wait behind them for ever. What was a board's key it says itself: the gateway's database
may have given it up, or may never have known it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["before", "beside"]

_KEY_BYTES: Final = 32
_MOST: Final = 8
"""Keys in a row whose frames never reached a gateway: nobody flashes so often in vain. Each takes memory of a board."""


def before(key: bytes, stored: Mapping[str, Any], kept: bytes | None, former: Iterable[bytes] = ()) -> list[bytes]:
    """The keys other than `key` with which something on the board may be sealed, the newest first.

    stored: the board.json on the board, or {}; kept: the file beside it, if there is one. former: what was its key
    before by the gateway's database, where the board does not know.
    """
    flashed, table = _hex(stored.get("key")), _table(kept)
    present, follows, older = flashed, table.get("for"), _keys(table.get("old"))
    if flashed is not None and follows == _name(flashed):
        present = _hex(table.get("key")) or flashed
    elif follows != _name(key):  # which it is where flashing was interrupted before board.json was written
        older = []
    known = [*former] if present is None else [present]
    return [one for one in dict.fromkeys((*known, *older)) if one != key][:_MOST]


def beside(key: bytes, keys: Iterable[bytes]) -> bytes | None:
    """What the file beside a board.json with `key` is to hold, after those keys; None: there need be none."""
    old = b"".join(keys).hex()
    return json.dumps({"for": _name(key), "key": key.hex(), "old": old}).encode() if old else None


def _name(key: bytes) -> str:
    """By which a board knows a key without holding it."""
    return hashlib.sha256(key).digest()[:8].hex()


def _hex(text: object) -> bytes | None:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None


def _keys(text: object) -> list[bytes]:
    """The keys in `old`, one behind the other."""
    size = 2 * _KEY_BYTES
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if isinstance(text, str) else []
    return [key for key in map(_hex, pieces) if key is not None]


def _table(kept: bytes | None) -> dict[str, Any]:
    try:
        table = json.loads(kept or b"{}")
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}
