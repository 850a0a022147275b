"""The `hearthgate` command with a wall clock that somebody else can step.

`python -m tools.chaos_gateway CLOCK ARGUMENT…`: CLOCK is a file of two numbers of eight bytes: the seconds by which the
clock is off, and those by which it was off when the command last asked for the time. Only the wall clock steps: what
waits for a moment to pass asks the monotonic clock, as it does where NTP corrects the time.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Final

__all__ = ["main", "seen_offset", "set_offset"]

_OFFSET: Final = struct.Struct("<q")
_UNSEEN: Final = -(2**63)


def set_offset(path: Path, seconds: int) -> None:
    """Step the clock of whoever runs with that file. Eight bytes are written at once: nobody sees half of it."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(_OFFSET.pack(seconds) + _OFFSET.pack(_UNSEEN))


def seen_offset(path: Path) -> int | None:
    """By how many seconds the clock was off when the command last asked; None if it has not since it was stepped."""
    (seconds,) = _OFFSET.unpack_from(path.read_bytes(), _OFFSET.size)
    return None if seconds == _UNSEEN else int(seconds)


def _follow(path: Path) -> None:
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 2 * _OFFSET.size)
    real_time, real_time_ns = time.time, time.time_ns

    def offset() -> int:
        seconds = shared[: _OFFSET.size]
        if shared[_OFFSET.size :] != seconds:
            shared[_OFFSET.size :] = seconds
        return int(_OFFSET.unpack(seconds)[0])

    time.time = lambda: real_time() + offset()
    time.time_ns = lambda: real_time_ns() + offset() * 1_000_000_000


def main() -> None:
    """Run the command."""
    _follow(Path(sys.argv.pop(1)))
    from gateway.cli.main import main as hearthgate  # noqa: PLC0415 - it must find the clock as it will be

    hearthgate()


if __name__ == "__main__":
    main()
