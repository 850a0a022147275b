"""The frames that a board holds on its flash."""

from __future__ import annotations

import struct
import zlib

from gateway.flash.held import frames, in_order, opens
from gateway.wire.cose import seal

KEY, OTHER = bytes(range(32)), bytes(32)


def record(frame: bytes, seq: int = 1) -> bytes:
    """As firmware/segments.py says."""
    head = struct.pack("<HIIB", len(frame), 7, seq, 0)
    return head + struct.pack("<I", zlib.crc32(head + frame)) + frame


def file(key: bytes, count: int) -> bytes:
    return b"".join(record(seal(key, "up", bytes([seq])), seq) for seq in range(count))


def test_whether_a_key_opens_one_of_them() -> None:
    sealed = frames(file(KEY, 20))
    assert len(sealed) == 20
    assert opens(sealed, [OTHER, KEY])
    assert opens([*frames(file(OTHER, 20)), *frames(file(KEY, 1))], [KEY])
    assert not opens(sealed, [OTHER])
    assert not opens(sealed, [])
    assert not opens([], [KEY])
    assert not opens(frames(record(seal(KEY, "birth", b""))), [KEY])


def test_what_is_no_frame_is_none() -> None:
    assert frames(b"") == frames(record(b"")) == frames(file(KEY, 1)[:-1]) == frames(bytes(4096)) == []
    assert frames(record(b"") + file(KEY, 1)) == frames(file(KEY, 1))
    assert not opens(frames(record(b"\xff" * 40)), [KEY])


def test_files_are_in_the_order_in_which_they_were_made() -> None:
    assert in_order(["/frames/10", "/frames/9", "/frames/x.new", "/frames/101"]) == [
        "/frames/9", "/frames/10", "/frames/101",
    ]  # fmt: skip
