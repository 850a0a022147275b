"""Frames on flash, oldest first: the part of the journal that outlives a power cut.

A segment is a file `<folder>/<number>`. Its records, and those of the segments after it, are in (boot, seq) order. It
is added to while it stays within one erase block, and never after a restart. littlefs makes every closing of a file
one step that happens or does not, so a cut leaves whole records. Bits that rot cut a segment at the record they are in.
"""

import binascii
import os
import struct
import sys

from micropython import const

SEGMENT_BYTES = const(4096)  # the erase block of the flash, and what a file takes of it at least
HEAD_BYTES = const(15)  # of a record: length, boot, seq, flags (1: it matters), CRC-32 of these 11 and of the payload
_ENOENT = const(2)
_ENOSPC = const(28)
# A segment that could not be read so often in a row is given up.
_TRIES = const(4)
# How many boots are remembered as confirmed while they lie behind an older one. Of others it is heard again.
_BOOTS_MOST = const(32)


def record(boot, seq, payload, keep):
    """The bytes that hold a frame, in memory as on flash."""
    head = struct.pack("<HIIB", len(payload), boot, seq, 1 if keep else 0)
    return head + struct.pack("<I", binascii.crc32(payload, binascii.crc32(head))) + payload


class Segments:
    """At most `limit_bytes` of flash, in whole blocks, and no more than is free.

    `boot` is the highest boot that was found at the start, 0 if none. `count` is how many segments there are, `limit`
    how many there may be, `frames` how many frames in them are not confirmed. Counted since the start: `acked` frames
    confirmed of this boot, `dropped` frames that went because flash was full, `writes` files written or removed,
    `errors` what flash refused, `cut` bad records that were found then. `failing` says that the last write failed.
    The other attributes are for upkeep.py."""

    def __init__(self, folder="frames", limit_bytes=262144):
        self.folder = folder + "/"
        self.limit = limit_bytes // SEGMENT_BYTES
        self.count = self.frames = self.acked = self.dropped = self.writes = self.errors = self.cut = 0
        self.failing = False
        # Numbers of the oldest and the newest segment; some between them may be gone.
        self.first = 1
        self.last = 0
        # Where in the oldest the first record is that is not confirmed, and its position if that is known.
        self.offset = 0
        self.head = None
        self.top = (0, 0)  # position of the newest record
        self.upto: dict = {}  # boot -> its newest confirmed frame
        # Bytes in the newest; as if it were full where the next record is to begin a new one.
        self.size = SEGMENT_BYTES
        # The position that was read last, and the segment and offset where the next record is.
        self.at = None
        self._next = (1, 0)
        self._tries = 0
        import upkeep

        upkeep.recover(self, folder)
        del sys.modules["upkeep"]
        self.boot = self.top[0]

    def append(self, ring, at, to):
        """Writes the records in `ring` (bytes-like) between the offsets `at` and `to`, as many as one segment takes, in
        one commit. Returns the offset behind them, and how many they were: none if flash is full or broken, or memory
        short."""
        size, end, frames = self.size, at, 0
        fresh = False
        try:
            if size + HEAD_BYTES + struct.unpack_from("<H", ring, at)[0] > SEGMENT_BYTES:
                if self.count >= self.limit:
                    import upkeep

                    del sys.modules["upkeep"]
                    if not upkeep.make_room(self):
                        return at, 0
                size = 0
                fresh = True
                self.count += 1
                self.last += 1
            while end < to:
                length, boot, seq = struct.unpack_from("<HII", ring, end)
                if size and size + HEAD_BYTES + length > SEGMENT_BYTES:
                    break
                top = (boot, seq)
                size += HEAD_BYTES + length
                end += HEAD_BYTES + length
                frames += 1
            with open(self.folder + str(self.last), "ab") as file:
                file.write(memoryview(ring)[at:end])
        except (OSError, MemoryError, ImportError) as error:
            self.size = SEGMENT_BYTES  # what the file holds now is not known
            if not isinstance(error, MemoryError):
                self.errors += 1
                self.failing = True
            if isinstance(error, OSError) and error.errno == _ENOSPC:
                self.limit = min(self.limit, max(1, self.count - 1))
            if fresh and not self.remove(str(self.last)):
                self.count -= 1
            return at, 0
        self.size, self.top = size, top
        self.frames += frames
        self.writes += 1
        self.failing = False
        return end, frames

    def after(self, boot, seq):
        """The first frame beyond that position that is not confirmed: (boot, seq, payload), or None. Raises OSError
        while it cannot be read, and MemoryError."""
        position = (boot, seq)
        if position >= self.top:
            return None
        number, end = self._next if position == self.at else (self.first, self.offset)
        records = self.records(number, end, self.last)
        for number, end, b, s, _, payload in records:
            if (b, s) > position and s > self.upto.get(b, 0):
                records.close()  # its file too, and now
                self.at, self._next = (b, s), (number, end)
                return b, s, payload
        self.at, self._next = position, (number, end)
        return None

    def ack(self, boot, seq):
        """Forgets everything of `boot` up to `seq`; what lies behind an older frame stays on flash until that goes."""
        head, upto = self.head, self.upto
        if not self.count or boot > self.top[0] or (head is not None and boot < head[0]):
            return
        upto[boot] = max(seq, upto.get(boot, 0))
        if len(upto) > _BOOTS_MOST:
            del upto[max(upto)]
        if head is not None and head[1] > upto.get(head[0], 0):
            return
        self.head = None
        try:
            records = self.records(self.first, self.offset, self.last)
            for number, end, b, s, _, _ in records:
                self._pass(number)
                if s > upto.get(b, 0):
                    records.close()
                    self.head = (b, s)
                    break
                self.offset = end
                self.frames -= 1
                self.acked += b > self.boot
            else:
                self._pass(self.last + 1)
                self.size = SEGMENT_BYTES
                self.frames = 0
            for b in list(upto):
                if self.head is None or b < self.head[0]:
                    del upto[b]
        except (OSError, MemoryError):
            pass  # the next ack looks again

    def _pass(self, number):
        """All segments before `number` are done with."""
        while self.first < number:
            self.remove(str(self.first))
            self.first += 1
            self.offset = 0

    def records(self, number, offset, last):
        """The records from there to the end of segment `last`: (segment, where the next record begins, boot, seq, keep,
        payload). Raises OSError where a segment cannot be read."""
        while number <= last:
            try:
                with open(self.folder + str(number), "rb") as file:
                    end = file.seek(0, 2)
                    file.seek(offset)
                    while offset + HEAD_BYTES <= end:
                        head = file.read(HEAD_BYTES)
                        size, boot, seq, keep, crc = struct.unpack("<HIIBI", head)
                        if offset + HEAD_BYTES + size > end:
                            break
                        payload = file.read(size)
                        if binascii.crc32(payload, binascii.crc32(head[:11])) != crc:
                            break
                        offset += HEAD_BYTES + size
                        self._tries = 0
                        yield number, offset, boot, seq, keep, payload
            except OSError as error:
                if error.errno != _ENOENT:
                    self.errors += 1
                    self._tries += 1
                    if self._tries < _TRIES:
                        raise
                    self.remove(str(number))
            number += 1
            offset = 0

    def remove(self, name):
        """Whether there was such a file, and now there is none."""
        try:
            os.remove(self.folder + name)
        except OSError as error:
            self.errors += error.errno != _ENOENT
            return False
        self.writes += 1
        self.count -= 1
        return True
