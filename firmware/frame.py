"""Frames: what a board says in one message, as a CBOR sequence (RFC 8742; gateway/wire/frame.cddl).

columns: 1, boot, seq, time_s or null, uptime_ms, step_ms, rows, packed; a lone row leaves out step and rows;
events:  1, boot, seq, time_s or null, uptime_ms, [channel, offset_ms, value, ...].
`time_s` is whole Unix seconds; its milliseconds are those of `uptime_ms` (clock.py keeps the two in step).
"""

from micropython import const

import cbor
from packing import MISSING, Columns, Packer

VERSION = const(1)
MAX_EVENTS = const(256)
_HEADER_MAX = const(48)

__all__ = ("MISSING", "Columns", "Framer", "events_frame")


def _header(w, boot, seq, time_s, uptime_ms):
    w.int(VERSION)
    w.int(boot)
    w.int(seq)
    if time_s is None:
        w.null()
    else:
        w.int(time_s)
    w.int(uptime_ms)


class Framer:
    """Encodes the columns of one appliance; its buffers are taken once."""

    def __init__(self, channels, capacity=60):
        self._packer = Packer(channels, capacity)
        self._buf = bytearray(_HEADER_MAX + len(self._packer.buf))

    def columns(self, boot, seq, time_s, uptime_ms, step_ms, columns):
        """The frame as a view that holds until the next call; `uptime_ms` and `time_s` are the first row's."""
        if columns.rows == 0:
            raise ValueError("frame: no row")
        n = self._packer.pack(columns)
        w = cbor.Writer(self._buf)
        _header(w, boot, seq, time_s, uptime_ms)
        if columns.rows > 1:
            w.int(step_ms)
            w.int(columns.rows)
        w.bytes(memoryview(self._packer.buf)[:n])
        return memoryview(self._buf)[: w.pos]


def events_frame(boot, seq, time_s, uptime_ms, events):
    """A frame of 1 to 256 events (channel index, offset_ms >= 0 after uptime_ms, value), as bytes."""
    if not 1 <= len(events) <= MAX_EVENTS:
        raise ValueError("frame: 1 to 256 events")
    buf = bytearray(_HEADER_MAX + 27 * len(events))
    w = cbor.Writer(buf)
    _header(w, boot, seq, time_s, uptime_ms)
    w.array(3 * len(events))
    for channel, offset_ms, value in events:
        w.int(channel)
        w.int(offset_ms)
        w.int(value)
    return bytes(memoryview(buf)[: w.pos])
