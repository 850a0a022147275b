"""The manifest of an update (gateway/wire/frame.cddl): whether it is one, and one for this board. Loaded by update.py.

What is read is bounded: a manifest that verified is of who has the board's key, and may be wrong all the same.
"""

import sys

import cbor
from micropython import const

_MANIFEST = const(1)
_MOST_FILES = const(64)
_MOST_BYTES = const(262144)
_MOST_NUMBER = const(1 << 36)
# The last file of every slot.
_LAST = const("manifest.json")


def find(slot):
    """What this board takes updates for: its board, which its slot names, and what .mpy files its MicroPython takes."""
    with open("/" + slot + "/" + _LAST, "rb") as file:
        return file.read(80).split(b'"')[3] + b" %d" % getattr(sys.implementation, "_mpy", 0)


def check(payload, model, highest, slot):
    """The number of a manifest, and where its files begin. The board takes updates for `model`, `slot` runs, and
    `highest` was the last update. ValueError says why it is refused."""
    head, first = row(payload, 0)
    if len(head) != 7 or head[:2] != [1, _MANIFEST] or not isinstance(head[2], int) or not isinstance(head[6], int):
        raise ValueError("form")
    if head[3:5] != [b"hearthgate", model]:
        raise ValueError("model")
    if not highest < head[2] < _MOST_NUMBER:
        raise ValueError("counter")
    if head[5] not in ("a", "b") or head[5] == slot:
        raise ValueError("slot")
    at = first
    name = None
    left = _MOST_BYTES
    for _ in range(head[6] if 0 < head[6] <= _MOST_FILES else 0):
        items, at = row(payload, at)
        if len(items) != 3:
            raise ValueError("form")
        name, size, digest = items
        if not isinstance(name, str) or not isinstance(size, int) or not isinstance(digest, bytes) or len(digest) != 32:
            raise ValueError("form")
        # No path, and nothing that is half written.
        if name[:1] == "." or len(name) > 48 or name.strip("abcdefghijklmnopqrstuvwxyz0123456789_."):
            raise ValueError("form")
        if not name.endswith((".mpy", ".py")) and name != _LAST:
            raise ValueError("form")
        if not 0 <= size <= left:
            raise ValueError("size")
        left -= size
    if name != _LAST or at != len(payload):
        raise ValueError("form")
    return head[2], first


def row(payload, at):
    """The array there, and where it ends."""
    try:
        items, at = cbor.get(payload, at, 2)
    except IndexError:
        items = None
    if not isinstance(items, list):
        raise ValueError("form")
    return items, at
