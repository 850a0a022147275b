"""The frames that a board holds on its flash, as its files have them (firmware/segments.py). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.wire.cose import open_sealed
from gateway.wire.errors import WireError

__all__ = ["FOLDER", "frames", "in_order", "opens"]

FOLDER: Final = "/frames/"
_HEAD: Final = struct.Struct("<HIIBI")
"""Of a record: the length of its frame, boot, seq, flags, CRC-32."""


def in_order(paths: Iterable[str]) -> list[str]:
    """Those of the paths in FOLDER that are files of frames, the oldest first."""
    return sorted((path for path in paths if path.rpartition("/")[2].isdecimal()), key=lambda path: (len(path), path))


def frames(data: bytes) -> list[bytes]:
    """The sealed frames in a file."""
    found, at = [], 0
    while at + _HEAD.size <= len(data):
        begin = at + _HEAD.size
        at = begin + _HEAD.unpack_from(data, at)[0]
        if begin < at <= len(data):  # an empty one only says that a frame is gone
            found.append(data[begin:at])
    return found


def opens(sealed: Iterable[bytes], keys: Sequence[bytes]) -> bool:
    """Whether one of these frames was sealed with one of these keys."""
    return any(_opens(frame, key) for frame in sealed for key in keys)


def _opens(frame: bytes, key: bytes) -> bool:
    try:
        open_sealed(key, "up", frame)
    except WireError:
        return False
    return True
