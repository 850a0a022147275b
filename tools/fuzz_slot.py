"""What a fuzz worker and its supervisor share: the input under way and the counts, in a mapped file.

The worker writes it before and after each input. So the supervisor knows which input it was, however the worker ends:
by an exception, in a loop without end, or killed by the system from inside somebody's C code.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MAX_INPUT", "Seen", "Slot", "resident"]

MAX_INPUT = 1 << 16

_HEAD = struct.Struct("<QQQII")  # done, accepted, slowest input in nanoseconds, length, 1 while an input is under way
_WEIGHT = struct.Struct("<QQ")  # inputs done, and bytes of resident memory then
_WEIGHTS = 64
_STEP = 1.4  # so much later in a run it is weighed again: often enough for a short one, and a long one still fits
_DATA = _HEAD.size + _WEIGHTS * _WEIGHT.size
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Seen:
    """The slot at one moment. `under_way` is the input that the worker is busy with, or None between two. `weights`:
    (inputs done, bytes of resident memory then), early and late in the run."""

    done: int
    accepted: int
    slowest_ns: int
    under_way: bytes | None
    weights: list[tuple[int, int]]


class Slot:
    """The mapped file; the supervisor makes it, the worker opens it."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        if new:
            path.write_bytes(bytes(_DATA + MAX_INPUT))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._done = self._accepted = self._slowest_ns = self._weights = 0
        self._next = 1.0

    def begin(self, data: bytes) -> None:
        """The worker takes up an input of at most MAX_INPUT bytes."""
        n = len(data)
        self._map[_DATA : _DATA + n] = data
        _HEAD.pack_into(self._map, 0, self._done, self._accepted, self._slowest_ns, n, 1)

    def end(self, *, accepted: bool, took_ns: int) -> None:
        """The worker is done with it. `accepted`: the parser took it for what it should be."""
        self._done += 1
        self._accepted += accepted
        self._slowest_ns = max(took_ns, self._slowest_ns)
        if self._done >= self._next and self._weights < _WEIGHTS:
            self._next = self._done * _STEP
            at = _HEAD.size + self._weights * _WEIGHT.size
            self._weights += 1
            _WEIGHT.pack_into(self._map, at, self._done, resident())
        _HEAD.pack_into(self._map, 0, self._done, self._accepted, self._slowest_ns, 0, 0)

    def read(self) -> Seen:
        """What the worker wrote last."""
        done, accepted, slowest_ns, length, busy = _HEAD.unpack_from(self._map)
        data = bytes(self._map[_DATA : _DATA + length]) if busy else None
        table = _WEIGHT.iter_unpack(self._map[_HEAD.size : _DATA])
        return Seen(done, accepted, slowest_ns, data, [(n, weight) for n, weight in table if n])

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()


def resident(process: str | int = "self") -> int:
    """Bytes of memory that a process has. Raises OSError; IndexError or ValueError where it is about to end."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
