"""Sealed frames that the gateway has not confirmed yet, bounded in bytes, and the counters that outlive a restart.

Frames live in memory. They go to flash (segments.py) when the link is down or memory is short, and at once when they
matter. Whoever sends asks only for what comes after a position, and says what was confirmed.
"""

import os
import struct

from micropython import const
from segments import OVERHEAD, SEGMENT_BYTES, record

# Memory is taken in such steps. All frames lie in one piece: in many small ones they would split up the heap.
_STEP_BYTES = const(512)
# Frames stay in memory, to be sent from there, although they are on flash; but not more than this.
_COPIES_BYTES = const(2048)
# Without a good link so much is left to chance, and for so long, before it goes to flash.
_EXPOSED_BYTES = const(2048)
_SPILL_AFTER_MS = const(60000)


class Journal:
    """This boot's frames in memory, `limit_bytes` at most, and those of any boot in `segments` (a Segments; None where
    there is no flash). With `always`, every frame goes to flash at once.

    Flash always holds the oldest of what memory holds. When memory is full the rest goes there too, and what is in both
    leaves memory. Only where flash is absent, full or broken, frames are dropped: series first, oldest first.

    What there is: `held` frames not confirmed, of all boots; `size` bytes of them in memory, `exposed` of these nowhere
    else; `flash_bytes` in use; `fill` per cent of all the room. Counted since the start: `acked` frames of this boot
    confirmed; `dropped` frames; `flash_writes` files written or removed; `flash_errors` refused by flash; `cut` bad
    records that were found then."""

    def __init__(self, boot, segments=None, limit_bytes=16384, always=False):
        self.limit_bytes = limit_bytes
        self.size = self.exposed = self.held = self.fill = self.acked = self.dropped = 0
        self.flash_bytes = self.flash_writes = self.flash_errors = self.cut = 0
        self._boot = boot
        self._segments = segments
        self._keep = always
        self._raw = bytearray()  # `size` bytes of records, in order, and room for more
        self._high = 0  # number of the newest
        self._count = 0  # of the exposed: the records from `size - exposed` on
        # The number that was read last, and where the record behind it is.
        self._upto = self._next = 0
        # The newest number when the age of what is exposed began to count, and since when.
        self._pending = self._since_ms = 0
        self._next_ms = 0  # flash that failed is left alone until then
        self._note()

    def append(self, seq, payload, keep=False):
        """Takes the next frame of this boot. `keep` marks what matters: it is on flash before this returns, and is
        dropped only after the rest. Returns whether it is on flash. Raises MemoryError with nothing changed."""
        made = record(self._boot, seq, payload, keep)
        short = self.size + len(made) - len(self._raw)
        if short > 0:
            self._raw.extend(bytes(max(short, _STEP_BYTES)))
        self._raw[self.size : self.size + len(made)] = made
        self.size += len(made)
        self.exposed += len(made)
        self._count += 1
        self._high = seq
        try:
            if keep or self._keep:
                self.spill()
            while self.size > self.limit_bytes and (self._fold() or self._drop()):
                pass
            self._note()
        except MemoryError:
            pass  # it is taken, and the rest can wait
        return not self.exposed

    def after(self, boot, seq):
        """The first frame beyond that position, of whatever boot: (boot, seq, payload); or None if there is none, or
        none that can be read now. (0, 0) is before everything. Numbers that are missing are held no longer; with an
        empty payload, nor is this one, and nothing of its boot need come behind it."""
        if boot > self._boot:
            return None
        try:
            if self._segments is not None and (boot < self._boot or not self.size or seq + 1 < self._number(0)):
                found = self._segments.after(boot, seq)
                if found is not None:
                    return found
            if boot < self._boot:
                seq = 0
            at = self._next if seq == self._upto else 0
            while at < self.size and self._number(at) <= seq:
                at = self._end(at)
            if at < self.size:
                seq, end = self._number(at), self._end(at)
                payload = bytes(memoryview(self._raw)[at + OVERHEAD : end])
                self._upto, self._next = seq, end
                return self._boot, seq, payload
        except OSError:
            self._note()
        except MemoryError:
            self._clean(0, self.size - self.exposed)
        return None

    def ack(self, boot, seq):
        """Forgets everything of `boot` up to `seq`."""
        if self._segments is not None:
            self._segments.ack(boot, seq)
        if boot == self._boot:
            at = 0
            while at < self.size and self._number(at) <= seq:
                if at >= self.size - self.exposed:  # what is on flash is counted there
                    self._count -= 1
                    self.acked += 1
                at = self._end(at)
            self._clean(0, at)
        self._note()

    def spill(self):
        """Puts everything on flash that is not there. Returns whether it is."""
        segments = self._segments
        tries = 0 if segments is None else 2
        while tries and self.exposed:
            at = self.size - self.exposed
            if at and segments.count >= segments.limit:
                # Flash is about to give up frames, and none of them may live on in memory.
                self._clean(0, at)
                at = 0
            end, count = segments.append(self._raw, at, self.size)
            self.exposed = self.size - end
            self._count -= count
            if not count:
                tries -= 1
        if self.size - self.exposed > _COPIES_BYTES:
            self._clean(0, self.size - self.exposed)
        self._note()
        return not self.exposed

    def tend(self, now_ms, online):
        """To be called about once a second. While the link is not good (not `online`, or an ack is overdue), puts on
        flash what has been exposed for long, or is much."""
        if not self.exposed or self._pending < self._number(self.size - self.exposed):
            # Nothing is left of what there was then.
            self._pending, self._since_ms = self._high, now_ms
        if not online and now_ms >= self._next_ms:
            if self.exposed >= _EXPOSED_BYTES or (self.exposed and now_ms - self._since_ms >= _SPILL_AFTER_MS):
                if not self.spill():
                    self._next_ms = now_ms + _SPILL_AFTER_MS

    def release(self):
        """Memory is short: gives back what holds frames that are on flash, else a quarter. False if there is nothing
        but the newest frame."""
        gone = self._fold()
        least = 0 if gone else self.size * 3 // 4
        while least and self.size > least and self._drop():
            gone = True
        try:
            self._raw = bytearray(memoryview(self._raw)[: self.size])
        except MemoryError:
            pass  # what is left is in the way of itself
        self._note()
        return gone

    def _fold(self):
        """Takes out of memory what is on flash, if need be after putting it there. Whether there was any."""
        before = self.size
        if before == self.exposed:
            self.spill()
        self._clean(0, self.size - self.exposed)
        return self.size < before

    def _drop(self):
        """Drops the frame that matters least, but not the newest. Whether there was one."""
        for keep in (0, 1):
            at = 0
            while at < self.size and self._end(at) < self.size:
                if self._raw[at + 10] == keep:
                    self._clean(at, self._end(at))
                    self._count -= 1
                    self.dropped += 1
                    return True
                at = self._end(at)
        return False

    def _number(self, at):
        return struct.unpack_from("<I", self._raw, at + 6)[0]

    def _end(self, at):
        return at + OVERHEAD + struct.unpack_from("<H", self._raw, at)[0]

    def _clean(self, at, end):
        """Takes the records between these offsets out of memory."""
        self._raw[at:end] = b""
        copies = self.size - self.exposed
        if end > copies:
            self.exposed -= end - max(at, copies)
        self.size -= end - at
        if self._next > at:
            self._next = max(at, self._next - (end - at))
        if not self.size:
            self._raw = bytearray()

    def _note(self):
        """Brings what is told about it up to date."""
        segments = self._segments
        used, most = self.exposed, self.limit_bytes
        self.held = self._count
        if segments is not None:
            self.held += segments.frames
            self.acked += segments.acked
            self.dropped += segments.dropped
            segments.acked = segments.dropped = 0
            self.flash_bytes = segments.count * SEGMENT_BYTES
            self.flash_writes = segments.flash_writes
            self.flash_errors = segments.flash_errors
            self.cut = segments.cut
            if not segments.failures:
                used += self.flash_bytes
                most += segments.limit * SEGMENT_BYTES
        self.fill = min(100, 100 * used // most)


class Counter:
    """A number in a file that only grows. A cut at any moment leaves the old number or the new one."""

    def __init__(self, path):
        self._path = path
        # A cut between write and rename leaves both files; skipping a number is harmless, using one twice is not.
        self.value = max(_read(path), _read(path + ".new"))

    def store(self, value):
        """Makes `value` the number, on flash first. Raises OSError if the file cannot be written."""
        with open(self._path + ".new", "wb") as file:
            file.write(b"%d\n" % value)
        os.rename(self._path + ".new", self._path)
        self.value = value


def _read(path):
    try:
        with open(path, "rb") as file:
            text = file.read(32)
        # Without its end of line the file was cut while it was written.
        if text.endswith(b"\n"):
            return max(0, int(text))
    except (OSError, ValueError):
        pass
    return 0
