"""The board's flash: 2 MiB of the emulated machine's second memory, which a reset leaves as it is.

It is outside the heap, as flash is; what lies there is lost when the machine ends."""

import os

import uctypes
import vfs
from micropython import const

_START = const(0x21000000)
_BLOCK_BYTES = const(4096)
_BLOCKS = const(512)


class RamFlash:
    """A block device as vfs.VfsLfs2 takes one; `erases` and `writes` count."""

    def __init__(self):
        self.erases = self.writes = 0

    def _at(self, block, offset, size):
        return uctypes.bytearray_at(_START + block * _BLOCK_BYTES + offset, size)

    def readblocks(self, block, buf, offset=0):
        buf[:] = self._at(block, offset, len(buf))

    def writeblocks(self, block, buf, offset=None):
        self.writes += 1
        self._at(block, offset or 0, len(buf))[:] = buf

    def ioctl(self, operation, argument):
        if operation == 4:
            return _BLOCKS
        if operation == 5:
            return _BLOCK_BYTES
        if operation == 6:
            self.erases += 1
        return 0


def mount():
    """Its files at `/`; it is formatted if it holds none."""
    device = RamFlash()
    try:
        vfs.mount(device, "/")
    except OSError:
        vfs.VfsLfs2.mkfs(device)
        vfs.mount(device, "/")
    os.chdir("/")
    return device
