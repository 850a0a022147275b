"""What segments need rarely, and memory should not hold meanwhile: finding out what there is, and making room."""

import os

from micropython import const
from segments import OVERHEAD, SEGMENT_BYTES, record

# Blocks that stay free: one for a segment that is written anew, the others for directories that grow.
_SPARE_BLOCKS = const(4)
_ENOSPC = const(28)
# What to keep: all; what matters; nothing of the oldest segment but that it was there; not even that.
_ALL = const(0)
_WHAT_MATTERS = const(1)
_NOTHING = const(2)
_FORGET = const(3)


def find(segments, path):
    """Finds out what there is in the folder `path`, and makes it if there is none. Reads every record."""
    try:
        os.mkdir(path)
    except OSError:
        pass  # it is there; where not, the next line tells
    try:
        stale = []
        for entry in os.ilistdir(path):
            if entry[0].isdigit():
                segment = int(entry[0])
                segments.count += 1
                segments.first = segment if segments.count == 1 else min(segment, segments.first)
                segments.last = max(segment, segments.last)
            else:
                stale.append(entry[0])
        for name in stale:
            os.remove(segments.path + name)
        stat = os.statvfs(path)
        segments.limit = min(segments.limit, segments.count + stat[0] * stat[3] // SEGMENT_BYTES - _SPARE_BLOCKS)
    except OSError:
        segments.flash_errors += 1
    for segment in range(segments.first, segments.last + 1):
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
            pass  # a number that is not used; or read() has counted it


def compact(segments):
    """Frees a block at least; False if that cannot be. First the oldest neighbours that fit into one segment become
    one; else series go, oldest first, and what matters moves together; at last the oldest segment goes whole.

    A frame that goes is missed when a later one of its boot comes. Where none is left, the last one stays as a record
    without a payload, so that its loss can be told."""
    segments.at = segments.head = None  # where the reader was, and the oldest, may be other records then
    if segments.count < 2:
        return False
    for keep in (_ALL, _WHAT_MATTERS, _NOTHING, _FORGET):
        try:
            if _thin(segments, keep):
                return True
        except OSError as error:
            # Where nothing can be written anew, something may still be removed.
            segments.flash_errors += 1
            if error.errno != _ENOSPC:
                return False
    return False


def _thin(segments, keep):
    """Goes through the segments from the oldest on, until one is freed."""
    before = size = loose = past = 0
    # To find a file by its name takes a board milliseconds. Only what is newer can have changed since the last time.
    known = 0 if keep >= _NOTHING or len(segments.marks) > 1 else segments.compact[keep]
    for segment in range(max(segments.first, known), segments.last + 1):
        try:
            left = os.stat(segments.path + str(segment))[6]
        except OSError:
            continue  # the number is not used
        # How many records go, and how many frames that were not confirmed.
        count = [0, 0]
        # Sizes tell enough, if only the very first records can be confirmed.
        if keep != _ALL or size + left <= SEGMENT_BYTES or len(segments.marks) > 1:
            left = 0
            for entry in _keep(segments, segment, keep, count):
                left += OVERHEAD + len(entry[2])
        done, gone = count
        fits = size + left <= SEGMENT_BYTES
        joined = before and (left or keep == _NOTHING) and (fits or gone + loose)
        if joined:
            # A cut between these steps leaves records twice, or some that were to go; none is missing.
            highest, _ = _fold(segments, segment if fits else before, (before, segment), keep, (0, 0))
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
            _, left = _fold(segments, segment, (segment,), keep, highest)
        if keep < _NOTHING:
            segments.compact[keep] = segment
        before, size, loose, past = segment, left, gone, done
    return False


def _keep(segments, at, keep, count):
    """What stays of segment `at`: (boot, seq, payload, matters). Adds to `count` how many records do not stay, and how
    many frames go that were not confirmed."""
    last = None  # the frame that went last, if nothing of its boot came behind it yet
    records = segments.read(at, segments.base if at == segments.first else 0, at)
    try:
        for _, _, boot, seq, matters, payload in records:
            count[0] += 1
            if last is not None and last[0] != boot:
                count[0] -= 1
                yield last
            last = None
            if seq > segments.marks.get(boot, 0):
                if keep == _ALL or (keep == _WHAT_MATTERS and matters and payload):
                    count[0] -= 1
                    yield boot, seq, payload, matters
                else:
                    count[1] += len(payload) > 0
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
        for segment in items:
            records = _keep(segments, segment, keep, [0, 0])
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
