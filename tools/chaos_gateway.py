"""The `hearthgate` command with a wall clock that somebody else can step.

`python -m tools.chaos_gateway CLOCK ARGUMENT…`: CLOCK is a file of eight bytes, the seconds by which the clock
is off. Only the wall clock steps: what waits for a moment to pass asks the monotonic clock, as it does where NTP
corrects the time.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Final

__all__ = ["main", "set_offset"]

_OFFSET: Final = struct.Struct("<q")


def set_offset(path: Path, seconds: int) -> None:
    """Step the clock of whoever runs with that file. Eight bytes are written at once: nobody sees half of it."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(_OFFSET.pack(seconds))


def _follow(path: Path) -> None:
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
    real_time, real_time_ns = time.time, time.time_ns
    time.time = lambda: real_time() + _OFFSET.unpack(shared)[0]
    time.time_ns = lambda: real_time_ns() + _OFFSET.unpack(shared)[0] * 1_000_000_000


def main() -> None:
    """Run the command."""
    _follow(Path(sys.argv.pop(1)))
    from gateway.cli.main import main as hearthgate  # noqa: PLC0415 - it must find the clock as it will be

    hearthgate()


if __name__ == "__main__":
    main()
