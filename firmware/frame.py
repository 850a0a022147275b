"""Frames: what a board says in one message, as a CBOR sequence (RFC 8742; gateway/wire/frame.cddl).

columns: 1, boot, seq, time_s or null, uptime_ms, step_ms, rows, packed; a lone row leaves out step and rows;
thinned: 1, boot, seq, time_s or null, uptime_ms, step_ms, rows, each, packed: lows, means and highs of `each` rows;
events:  1, boot, seq, time_s or null, uptime_ms, [channel, offset_ms, value, ...];
gap:     1, boot, seq, time_s or null, uptime_ms, gap_boot, first, last: frames that the board no longer holds.
`time_s` is whole Unix seconds; its milliseconds are those of `uptime_ms` (clock.py keeps the two in step).
"""

from cbor import put_head, put_int
from micropython import const
from packing import HEADROOM, MISSING, Columns, Packer

MAX_EVENTS = const(256)
MAX_EACH = const(65535)
_VERSION = const(1)

__all__ = ("MISSING", "Columns", "Framer", "events_frame", "gap_frame")


def _put_origin(buf, boot, seq, time_s, uptime_ms):
    at = put_int(buf, put_int(buf, put_int(buf, 0, _VERSION), boot), seq)
    if time_s is None:
        buf[at] = 0xF6
        at += 1
    else:
        at = put_int(buf, at, time_s)
    return put_int(buf, at, uptime_ms)


class Framer:
    """Encodes the columns of one appliance; its buffers are taken once."""

    def __init__(self, channels, capacity=60):
        self._packer = Packer(channels, capacity)
        self._head = bytearray(HEADROOM)

    def columns(self, boot, seq, time_s, uptime_ms, step_ms, columns, each=1):
        """The frame as a view that holds until the next call; `uptime_ms` and `time_s` are the first row's.

        With `each` > 1 it is thinned: a row of `columns` holds, of `each` measured rows, the lowest value of every
        channel, then the (rounded) mean of every channel, then the highest; all three missing where one is.
        """
        if columns.rows == 0:
            raise ValueError("frame: no row")
        if each != 1 and (columns.channels % 3 or not 2 <= each <= MAX_EACH):
            raise ValueError("frame: thinned, three columns a channel, 2 to 65535 rows each")
        n = self._packer.pack(columns)
        head = self._head
        at = _put_origin(head, boot, seq, time_s, uptime_ms)
        if columns.rows > 1 or each > 1:
            at = put_int(head, put_int(head, at, step_ms), columns.rows)
        if each > 1:
            at = put_int(head, at, each)
        at = put_head(head, at, 0x40, n)
        # The head goes right before the packed bits, so that the frame lies in one piece without a second buffer.
        buf = self._packer.buf
        buf[HEADROOM - at : HEADROOM] = head[:at]
        return memoryview(buf)[HEADROOM - at : HEADROOM + n]


def events_frame(boot, seq, time_s, uptime_ms, events):
    """A frame of 1 to 256 events (channel index, offset_ms >= 0 after uptime_ms, value), as bytes."""
    if not 1 <= len(events) <= MAX_EVENTS:
        raise ValueError("frame: 1 to 256 events")
    buf = bytearray(HEADROOM + 15 * len(events))
    at = put_head(buf, _put_origin(buf, boot, seq, time_s, uptime_ms), 0x80, 3 * len(events))
    for event in events:
        for number in event:
            at = put_int(buf, at, number)
    return bytes(memoryview(buf)[:at])


def gap_frame(boot, seq, time_s, uptime_ms, gap_boot, first, last):
    """A frame, as bytes, that says: this board no longer holds frames `first` to `last` of `gap_boot`."""
    if not 1 <= first <= last <= 0xFFFFFFFF or not 1 <= gap_boot <= boot or (gap_boot == boot and last >= seq):
        raise ValueError("frame: a gap is of numbers given out before")
    buf = bytearray(HEADROOM)
    at = _put_origin(buf, boot, seq, time_s, uptime_ms)
    for number in (gap_boot, first, last):
        at = put_int(buf, at, number)
    return bytes(memoryview(buf)[:at])
