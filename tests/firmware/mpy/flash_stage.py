"""A board's flash for cases: littlefs on a file, put back to how it was as often as needed."""

import gc
import os

import sim_flash
import vfs
from segments import record

_HOST = os.getcwd()
_IMAGE = _HOST + "/flash.img"
_BEFORE = _HOST + "/before.img"
_BLOCK = 4096


class Flash(sim_flash.Flash):
    """Dies quietly: a case goes on where a board would be off, and must get errors only. `puts` is the lengths of all
    that was written, negative for erased, if it is a list; `read` counts bytes."""

    def __init__(self, blocks):
        super().__init__(_IMAGE, blocks)
        self.cut = self.died
        self.puts = None
        self.read = 0

    def died(self):
        pass

    def readblocks(self, block, buffer, offset=0):
        self.read += len(buffer)
        return super().readblocks(block, buffer, offset)

    def _put(self, data, programmed):
        if self.puts is not None:
            self.puts.append(len(data) if programmed else -len(data))
        return super()._put(data, programmed)


def power_on(blocks=24):
    """Mounts the flash at /flash and goes there."""
    flash = Flash(blocks)
    if not flash.formatted():
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    os.chdir("/flash")
    return flash


def power_off(flash):
    os.chdir(_HOST)
    vfs.umount("/flash")
    flash.close()


def _copy(source, target):
    """Writes only what differs: most of a flash is as it was."""
    block, there = bytearray(_BLOCK), bytearray(_BLOCK)
    open(target, "ab").close()
    with open(source, "rb") as old, open(target, "r+b") as new:
        while old.readinto(block):
            at = new.seek(0, 1)
            if new.readinto(there) != _BLOCK or there != block:
                new.seek(at)
                new.write(block)


def keep():
    """What the flash holds now (powered off) is what put_back() brings back."""
    _copy(_IMAGE, _BEFORE)


def put_back():
    _copy(_BEFORE, _IMAGE)


def walk(held):
    """All frames of a Journal or of Segments, one after the other."""
    entry = held.after(0, 0)
    while entry is not None:
        if entry[1] % 16 == 0:
            gc.collect()  # else what a case remembers of them lies scattered, and splits up the heap
        yield entry
        entry = held.after(entry[0], entry[1])


def payload(boot, seq, size=60):
    return bytes((boot & 255, seq & 255, seq >> 8)) + bytes([(7 * seq + boot) & 255]) * (size - 3)


def ring(boot, first, last, kept=(), size=60):
    """Records as a journal holds them; `kept` are the numbers that matter."""
    records = bytearray()
    for seq in range(first, last + 1):
        records.extend(record(boot, seq, payload(boot, seq, size), seq in kept))
    return records


def put(segments, records):
    """Writes all, as a journal does. Returns in how many files."""
    at = files = 0
    while at < len(records):
        end, frames = segments.append(records, at, len(records))
        assert frames, "flash took nothing"
        at = end
        files += 1
    return files


def put_many(segments, boot, first, last):
    """Series, so many that they do not fit in memory."""
    for begin in range(first, last + 1, 50):
        put(segments, ring(boot, begin, min(last, begin + 49)))


def positions(segments):
    """Of all frames, which are looked at, in order."""
    found = []
    for boot, seq, data in walk(segments):
        assert data == payload(boot, seq, len(data)), (boot, seq)
        found.append((boot, seq))
    assert found == sorted(found)
    return found


def numbers(segments):
    return [seq for _, seq in positions(segments)]
