"""What segments need rarely, and memory should not hold meanwhile: finding out what there is, and making room."""

import os

from micropython import const
from segments import HEAD_BYTES, SEGMENT_BYTES, record

# Blocks that stay free: one for a segment that is written anew, the others for directories that grow.
_SPARE_BLOCKS = const(4)
_ENOSPC = const(28)
# What is to stay: all of it, what matters, nothing of the oldest segment.
_ALL = const(0)
_WHAT_MATTERS = const(1)
_NOTHING = const(2)


def recover(segments, folder):
    """Finds out what there is in `folder`, and makes it if there is none. Reads every record."""
    try:
        os.mkdir(folder)
    except OSError:
        pass  # it is there; where not, the next line tells
    try:
        stale = []
        for entry in os.ilistdir(folder):
            if entry[0].isdigit():
                number = int(entry[0])
                segments.count += 1
                segments.first = number if segments.count == 1 else min(number, segments.first)
                segments.last = max(number, segments.last)
            else:
                stale.append(entry[0])
        for name in stale:
            os.remove(segments.folder + name)
        stat = os.statvfs(folder)
        segments.limit = min(segments.limit, segments.count + stat[0] * stat[3] // SEGMENT_BYTES - _SPARE_BLOCKS)
    except OSError:
        segments.errors += 1
    for number in range(segments.first, segments.last + 1):
        try:
            size = os.stat(segments.folder + str(number))[6]
            end = 0
            for entry in segments.records(number, 0, number):
                end = entry[1]
                # A cut while segments were written anew leaves some records twice.
                if entry[2:4] > segments.top:
                    segments.top = entry[2:4]
                    segments.frames += 1
            segments.cut += end != size
            if end == 0:
                segments.remove(str(number))
        except OSError:
            pass  # a number that is not used; or records() has counted it


def make_room(segments):
    """Frees a block at least; False if that cannot be. First the oldest neighbours that fit into one segment become
    one; else series go, oldest first, and what matters moves together; at last the oldest segment goes whole."""
    segments.at = segments.head = None
    segments.size = SEGMENT_BYTES
    if segments.count < 2:
        return False
    for stays in (_ALL, _WHAT_MATTERS, _NOTHING):
        try:
            if _make_room(segments, stays):
                return True
        except OSError as error:
            # Where nothing can be written anew, something may still be removed.
            segments.errors += 1
            if error.errno != _ENOSPC:
                return False
    return False


def _make_room(segments, stays):
    before = size = loose = past = 0
    for number in range(segments.first, segments.last + 1):
        kept = gone = done = 0
        start = segments.offset if number == segments.first else 0
        for _, _, boot, seq, keep, payload in segments.records(number, start, number):
            if seq <= segments.upto.get(boot, 0):
                done += 1
            elif stays == _ALL or (stays == _WHAT_MATTERS and keep):
                kept += HEAD_BYTES + len(payload)
            else:
                gone += 1
        if not kept:
            if not segments.remove(str(number)):
                continue  # the number is not used
            _account(segments, gone, done)
            return True
        fits = size + kept <= SEGMENT_BYTES
        if before and (fits or gone + loose):
            # A cut between these steps leaves records twice, or some that were to go; none is missing.
            top, _ = _rewrite(segments, before, (before, number), stays, (0, 0))
            if before == segments.first:
                segments.offset = 0
            _account(segments, gone + loose, done + past)
            if fits:
                return segments.remove(str(number))
            _, kept = _rewrite(segments, number, (number,), stays, top)
            gone = done = 0
        before, size, loose, past = number, kept, gone, done
    return False


def _account(segments, gone, done):
    segments.frames -= gone + done
    segments.dropped += gone


def _rewrite(segments, number, sources, stays, top):
    """Makes segment `number` anew from what stays of `sources` beyond `top`, as far as one block goes. Returns the
    position of the last record that found room, and the size."""
    path = segments.folder + str(number)
    size = 0
    with open(path + ".new", "wb") as file:
        for source in sources:
            records = segments.records(source, 0, source)
            for _, _, boot, seq, keep, payload in records:
                if (boot, seq) > top and seq > segments.upto.get(boot, 0) and (keep or stays == _ALL):
                    if size and size + HEAD_BYTES + len(payload) > SEGMENT_BYTES:
                        records.close()
                        break
                    file.write(record(boot, seq, payload, keep))
                    size += HEAD_BYTES + len(payload)
                    top = (boot, seq)
    os.rename(path + ".new", path)
    segments.writes += 1
    return top, size
