"""What segments need rarely, and memory should not hold meanwhile: finding out what there is, and making room."""

import os

from micropython import const
from segments import OVERHEAD, SEGMENT_BYTES, record

# Blocks that stay free: one for a segment that is written anew, the others for directories that grow.
_SPARE_BLOCKS = const(4)
_ENOSPC = const(28)
# What to keep: all; what matters; of the oldest no more than that it was there; not even that.
_ALL = const(0)
_WHAT_MATTERS = const(1)
_NOTHING = const(2)
_FORGET = const(3)
_ANY = const(1 << 24)  # more bytes than there are


def find(segments, path):
    """Finds out what there is in the folder `path`, and makes it if there is none. Reads every record."""
    items = []
    try:
        os.mkdir(path)
    except OSError:
        pass  # it is there; where not, the next line tells
    try:
        for name in os.listdir(path):
            if name.isdigit():
                items.append(int(name))
            else:
                segments.remove(name)
        items.sort()
        segments.count = len(items)
        if items:
            segments.first, segments.last = items[0], items[-1]
        stat = os.statvfs(path)
        free = stat[0] * stat[3] // SEGMENT_BYTES - _SPARE_BLOCKS
        segments.limit = max(0, min(segments.limit, segments.count + free))
    except OSError:
        segments.flash_errors += 1
    for segment in items:
        try:
            size = os.stat(segments.path + str(segment))[6]
            end = 0
            for entry in segments.read(segment, 0, segment):
                end = entry[1]
                # A cut while segments were written anew leaves some records twice.
                if entry[2:4] > segments.highest:
                    segments.highest = entry[2:4]
                    segments.frames += 1
            segments.cut += end != size
            if end == 0:
                segments.remove(str(segment))
        except OSError:
            pass  # read() has counted it


def compact(segments):
    """Frees a block at room; False if that cannot be. First the oldest neighbours that fit into one segment become
    one; else series go, oldest first, and what matters moves together; then the oldest segment goes whole, and of the
    next no more than it takes.

    A frame that goes is missed when a later one of its boot comes. Where none is left, the last one stays as a record
    without a payload, so that its loss can be told. Only a segment full of such records is forgotten.

    Where others have filled the flash, no block is free to write to. What fits in a directory still finds room, which
    is eight such records; so then both of the oldest go, or nothing does until the gateway has confirmed something."""
    segments.at = segments.head = None  # where the reader was, and the oldest, may be other records then
    if segments.count < 2:
        return False
    keep = least = 0
    while keep + least <= _FORGET:
        try:
            if _thin(segments, keep, least):
                return True
        except OSError as error:
            segments.flash_errors += 1
            if error.errno != _ENOSPC:
                return False
            keep -= not least  # once more
            least = 1
        keep += 1
    return False


def _thin(segments, keep, least):
    """Goes through the segments from the oldest on, until one is freed. With `least`, what is written anew is as little
    as it can be: no block is free for it."""
    before = size = loose = past = 0
    most = _ANY if keep >= _NOTHING else 0
    # To find a file by its name takes a board milliseconds. Only what is newer can have changed since the last time.
    known = 0 if keep >= _NOTHING or len(segments.marks) > 1 else segments.compact[keep]
    for segment in range(max(segments.first, known), segments.last + 1):
        try:
            left = os.stat(segments.path + str(segment))[6]
        except OSError:
            continue  # the number is not used
        # How many bytes have to go; of the oldest, all.
        room = size + left + OVERHEAD - SEGMENT_BYTES if before and most and not least else most
        count = [0, 0, room]
        # Sizes tell enough, if only the very first records can be confirmed.
        if keep != _ALL or size + left <= SEGMENT_BYTES or len(segments.marks) > 1:
            left = 0
            for entry in _keep(segments, segment, keep, count):
                left += OVERHEAD + len(entry[2])
        done, gone, _ = count
        fits = size + left <= SEGMENT_BYTES
        joined = before and (left or most) and (fits or gone + loose)
        if joined:
            # A cut between these steps leaves records twice, or some that were to go; none is missing.
            highest, _ = _fold(segments, segment if fits else before, ((before, most), (segment, room)), keep, (0, 0))
            gone += loose
            done += past
        if joined or not left:
            segments.frames -= done
            segments.dropped += gone
            gone = done = 0
            if fits or not left:
                return segments.remove(str(before if joined else segment))
            if before == segments.first:
                segments.base = 0
            _, left = _fold(segments, segment, ((segment, room),), keep, highest)
        if keep < _NOTHING:
            segments.compact[keep] = segment
        before, size, loose, past = segment, left, gone, done
    return False


def _keep(segments, at, keep, count):
    """What stays of segment `at`: (boot, seq, payload, matters). Adds to `count` how many records do not stay, and how
    many frames go that were not confirmed; takes from its third how many bytes that frees. While some are left, what
    matters goes too."""
    last = None  # the frame that went last, if nothing of its boot came behind it yet
    records = segments.read(at, segments.base if at == segments.first else 0, at)
    try:
        for _, _, boot, seq, matters, payload in records:
            count[0] += 1
            if last is not None and last[0] != boot:
                count[0] -= 1
                count[2] += OVERHEAD
                yield last
            last = None
            if seq > segments.marks.get(boot, 0):
                if keep == _ALL or (matters and payload and count[2] <= 0):
                    count[0] -= 1
                    yield boot, seq, payload, matters
                else:
                    count[1] += len(payload) > 0
                    count[2] -= OVERHEAD + len(payload)
                    if keep != _FORGET:
                        last = (boot, seq, b"", 1)
    finally:
        records.close()  # its file too, and now
    if last is not None:
        records = segments.read(at + 1, 0, segments.last)
        for entry in records:
            records.close()
            if entry[2] == last[0]:
                return
            break
        count[0] -= 1
        yield last


def _fold(segments, first, items, keep, highest):
    """Makes segment `first` anew from what stays of the segments `items` beyond the position `highest`, as far as one
    block goes. Returns the position of the last record that found room, and the size."""
    path = segments.path + str(first)
    size = 0
    with open(path + ".new", "wb") as file:
        for segment, most in items:
            records = _keep(segments, segment, keep, [0, 0, most])
            for boot, seq, payload, matters in records:
                if (boot, seq) > highest:
                    if size and size + OVERHEAD + len(payload) > SEGMENT_BYTES:
                        records.close()
                        break
                    file.write(record(boot, seq, payload, matters))
                    size += OVERHEAD + len(payload)
                    highest = (boot, seq)
    os.rename(path + ".new", path)
    segments.flash_writes += 1
    return highest, size
