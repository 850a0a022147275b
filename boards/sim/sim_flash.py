"""A board's flash on this machine: a file that littlefs takes for a chip, counts what it costs, and can lose power.

    micropython -X heapsize=128k sim_flash.py IMAGE CODE_FOLDER BOARD_JSON [BLOCKS]

runs the firmware in CODE_FOLDER on the flash in IMAGE, after putting BOARD_JSON there as board.json.
"""

import os
import sys

import vfs
from micropython import const

_EIO = const(-5)


def power_cut():
    """Ends this process as a power cut does: at once, and with nothing done afterwards. The unix port can only ask a
    shell for that."""
    os.system("kill -9 $PPID")
    while True:
        pass


class Flash:
    """A MicroPython block device over the file `path`, which is made, erased, if there is none.

    `programmed` and `erased` count bytes and blocks. After `cut_after(n)` the flash takes n more bytes, whether
    programmed or erased, then calls `cut()`. If that returns (a test's own may), the flash is dead: all fails."""

    def __init__(self, path, blocks=128, block_bytes=4096):
        self.blocks = blocks
        self.block_bytes = block_bytes
        self.programmed = self.erased = 0
        self.cut = power_cut
        self.dead = False
        self._pending = None
        # The board has little memory for what is not of the board.
        self._empty = b"\xff" * 256
        try:
            # The port's files keep nothing back: what was written outlives this process.
            self._stream = open(path, "r+b")
        except OSError:
            self._stream = open(path, "w+b")
        while self._stream.seek(0, 2) < blocks * block_bytes:
            self._stream.write(self._empty)

    def formatted(self):
        """Whether there is a littlefs: its name stands in the first block, and in the second."""
        found = []
        for block in (0, 1):
            self._stream.seek(block * self.block_bytes + 8)
            found.append(self._stream.read(8))
        return b"littlefs" in found

    def cut_after(self, count):
        """Loses power `count` bytes from now, in the middle of a write as a rule."""
        self._pending = count

    def close(self):
        self._stream.close()

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
            return _EIO
        self._stream.seek(block * self.block_bytes + offset)
        self._stream.readinto(buffer)
        return 0

    def writeblocks(self, block, buffer, offset=0):
        self._stream.seek(block * self.block_bytes + offset)
        return self._put(buffer, len(buffer))

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.block_bytes
        if op == 6:
            self.erased += 1
            self._stream.seek(arg * self.block_bytes)
            for _ in range(self.block_bytes // len(self._empty)):
                if self._put(self._empty, 0):
                    return _EIO
        return 0

    def _put(self, data, programmed):
        if self.dead:
            return _EIO
        left = self._pending
        if left is not None and left < len(data):
            self._stream.write(memoryview(data)[:left])
            self.dead = True
            self.cut()
            return _EIO
        self._stream.write(data)
        self.programmed += programmed
        if left is not None:
            self._pending = left - len(data)
        return 0


def mount(path, at="/flash", blocks=128):
    """Mounts the flash in `path` as an ESP32 mounts its own, formatted if it never was, and goes there. Returns it."""
    flash = Flash(path, blocks)
    if not flash.formatted():
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), at)
    os.chdir(at)
    return flash


def _copy(source, target):
    """Only if they differ, as flashing a board does."""
    with open(source, "rb") as file:
        text = file.read()
    try:
        with open(target, "rb") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(target, "wb") as file:
        file.write(text)


if __name__ == "__main__":
    mount(sys.argv[1], blocks=int(sys.argv[4]) if len(sys.argv) > 4 else 128)
    sys.path.insert(0, sys.argv[2])
    _copy(sys.argv[3], "board.json")
    __import__("main")
