"""Frames on flash, oldest first: the part of the journal that outlives a power cut.

A segment is a file `<folder>/<number>`. Its records, and those of the segments after it, are in (boot, seq) order. It
is added to while it stays within one erase block, and never after a restart. littlefs makes every closing of a file
one step that happens or does not, so a cut leaves whole records. Bits that rot cut a segment at the record they are in.

When all is confirmed the newest file stays, and the next segment is written over it: one step instead of three, which
are to remove a file, make another and close it. A restart finds what it held; the gateway then confirms that again.
"""

import binascii
import os
import struct
import sys

from micropython import const

SEGMENT_BYTES = const(4096)  # the erase block of the flash, and what a file takes of it at least
OVERHEAD = const(15)  # of a record: length, boot, seq, flags (1: it matters), CRC-32 of these 11 and of the payload
_ENOENT = const(2)
_ENOSPC = const(28)
# A segment that could not be read so often in a row is given up.
_TRIES = const(4)
# How many boots are remembered as confirmed while they lie behind an older one. Of others it is heard again.
_BOOTS_MOST = const(32)


def record(boot, seq, payload, keep):
    """The bytes that hold a frame, in memory as on flash. Without a payload it stands for a frame that is gone, the
    last of what is: it has to be told (upkeep.py)."""
    head = struct.pack("<HIIB", len(payload), boot, seq, 1 if keep else 0)
    return head + struct.pack("<I", binascii.crc32(payload, binascii.crc32(head))) + payload


class Segments:
    """At most `limit_bytes` of flash, in whole blocks, and no more than is free.

    `boot` is the highest boot that was found at the start, 0 if none. `count` is how many segments there are (a file
    that only waits to be written over is none), `limit` how many there may be, `frames` how many frames in them are
    not confirmed. Counted since the start: `acked` frames confirmed of this boot, `dropped` frames that went because
    flash was full, `flash_writes` files written or removed, `flash_errors` what flash refused, `cut` bad records that
    were found then; and `failures` to write, in a row. The other attributes are for upkeep.py. Names are shared with
    other modules: each that is new takes heap."""

    def __init__(self, path="frames", limit_bytes=262144):
        self.path = path + "/"
        self.limit = limit_bytes // SEGMENT_BYTES
        self.count = self.frames = self.acked = self.dropped = self.flash_writes = self.flash_errors = self.cut = 0
        self.failures = 0
        # Numbers of the oldest and the newest segment; some between them may be gone.
        self.first = 1
        self.last = 0
        # Where in the oldest the first record begins that is not confirmed, and its position if that is known.
        self.base = 0
        self.head = None
        self.highest = (0, 0)  # position of the newest record
        self.marks: dict = {}  # boot -> its newest confirmed frame
        # Bytes in the newest; as if it were full where the next record is to begin a new one.
        self.size = SEGMENT_BYTES
        # Before these no neighbours fit into one, and there is nothing but what matters.
        self.compact = [0, 0]
        # The position that was read last, and the segment and offset where the next record is.
        self.at = None
        self._next = (1, 0)
        self._tried = 0
        import upkeep

        upkeep.find(self, path)
        del sys.modules["upkeep"]
        self.boot = self.highest[0]

    def append(self, buf, at, most):
        """Writes the records in `buf` (bytes-like) between the offsets `at` and `most`, as many as one segment takes,
        in one commit. Returns the offset behind them, and how many they were: none if flash is full or broken, or
        memory short."""
        size, end, frames = self.size, at, 0
        mode = "ab"
        try:
            if size + OVERHEAD + struct.unpack_from("<H", buf, at)[0] > SEGMENT_BYTES:
                if self.count >= self.limit:
                    import upkeep

                    del sys.modules["upkeep"]
                    if not upkeep.compact(self):
                        return at, 0
                size = 0
                mode = "wb"  # whatever was confirmed there, or was left by a write that failed
                self.count += 1
                self.last += 1
            while end < most:
                length, boot, seq = struct.unpack_from("<HII", buf, end)
                if size and size + OVERHEAD + length > SEGMENT_BYTES:
                    break
                top = (boot, seq)
                size += OVERHEAD + length
                end += OVERHEAD + length
                frames += 1
            with open(self.path + str(self.last), mode) as file:
                file.write(memoryview(buf)[at:end])
        except (OSError, MemoryError, ImportError) as error:
            self.size = SEGMENT_BYTES  # what the file holds now is not known
            if not isinstance(error, MemoryError):
                self.flash_errors += 1
                self.failures += 1
            if _ENOSPC in error.args:
                self.limit = min(self.limit, max(1, self.count - 1))
            if mode == "wb":
                self.last -= 1
                if not self.remove(str(self.last + 1)):
                    self.count -= 1
            return at, 0
        self.size, self.highest = size, top
        self.frames += frames
        self.flash_writes += 1
        self.failures = 0
        return end, frames

    def after(self, boot, seq):
        """The first frame beyond that position that is not confirmed: (boot, seq, payload), or None. The payload is
        empty if it is gone. Raises OSError while it cannot be read, and MemoryError."""
        position = (boot, seq)
        if position >= self.highest:
            return None
        segment, end = self._next if position == self.at else (self.first, self.base)
        records = self.read(segment, end, self.last)
        for segment, end, b, s, _, payload in records:
            if (b, s) > position and s > self.marks.get(b, 0):
                records.close()  # its file too, and now
                self.at, self._next = (b, s), (segment, end)
                return b, s, payload
        self.at, self._next = position, (segment, end)
        return None

    def ack(self, boot, seq):
        """Forgets everything of `boot` up to `seq`; what lies behind an older frame stays on flash until that goes."""
        head, marks = self.head, self.marks
        if not self.count or boot > self.highest[0] or (head is not None and boot < head[0]):
            return
        marks[boot] = max(seq, marks.get(boot, 0))
        if len(marks) > _BOOTS_MOST:
            del marks[max(marks)]
        if head is not None and head[1] > marks.get(head[0], 0):
            return
        self.head = None
        try:
            records = self.read(self.first, self.base, self.last)
            for segment, end, b, s, _, _ in records:
                self._clean(segment)
                if s > marks.get(b, 0):
                    records.close()
                    self.head = (b, s)
                    break
                self.base = end
                self.frames = max(0, self.frames - 1)  # a few may have been found twice
                self.acked += b > self.boot
            else:
                # What an earlier life wrote does go: else it would be found, and sent again, after every restart.
                self._clean(self.last + (self.boot >= self.highest[0]))
                self.last = self.first - 1
                self.at = None  # where the reader was, other records will be
                self.size = SEGMENT_BYTES
                self.base = self.count = self.frames = 0
            for b in list(marks):
                if self.head is None or b < self.head[0]:
                    del marks[b]
        except (OSError, MemoryError):
            pass  # the next ack looks again

    def _clean(self, first):
        """All segments before `first` are done with."""
        while self.first < first:
            self.remove(str(self.first))
            self.first += 1
            self.base = 0

    def read(self, first, at, last):
        """The records of the segments `first` to `last`, from offset `at` of the first on: (segment, offset of the next
        record, boot, seq, keep, payload). Raises OSError where a segment cannot be read."""
        while first <= last:
            try:
                with open(self.path + str(first), "rb") as file:
                    end = file.seek(0, 2)
                    file.seek(at)
                    while at + OVERHEAD <= end:
                        head = file.read(OVERHEAD)
                        size, boot, seq, keep, crc = struct.unpack("<HIIBI", head)
                        if at + OVERHEAD + size > end:
                            break
                        payload = file.read(size)
                        if binascii.crc32(payload, binascii.crc32(head[:11])) != crc:
                            break
                        at += OVERHEAD + size
                        self._tried = 0
                        yield first, at, boot, seq, keep, payload
            except OSError as error:
                if error.errno != _ENOENT:
                    self.flash_errors += 1
                    self._tried += 1
                    if self._tried < _TRIES:
                        raise
                    self.remove(str(first))
            first += 1
            at = 0

    def remove(self, name):
        """Whether there was such a file, and now there is none."""
        try:
            os.remove(self.path + name)
        except OSError as error:
            self.flash_errors += error.errno != _ENOENT
            return False
        self.flash_writes += 1
        self.count -= 1
        return True
