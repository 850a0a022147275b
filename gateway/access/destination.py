"""Where an export goes: a file that is there whole or not at all, or standard output."""

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import IO, NoReturn

from gateway.access.slices import AccessError

_BUFFER_BYTES = 1_000_000
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def written(file: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file that only its owner reads. What is written goes to a file beside it that takes its name at the end; if
    anything goes wrong, or the process is asked to end, nothing is left. Raises AccessError."""
    _check(file, force=force)
    beside = file.with_name(f".{file.name}.{token_hex(4)}.part")
    try:
        with _ended_in_order():
            try:
                with open(  # noqa: PTH123 - the mode is given at birth
                    os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=_BUFFER_BYTES
                ) as out:
                    yield out
                    out.flush()
                    os.fsync(out.fileno())
                _check(file, force=force)  # somebody may have made it since
                beside.replace(file)
            finally:
                beside.unlink(missing_ok=True)
    except OSError as why:
        raise AccessError(f"{file}: {why.strerror or why}. Name a file in a folder that can be written.") from why


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Standard output, for another program. One that has read enough ends it: that is no error to talk about."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError as why:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from why
    except OSError as why:
        raise AccessError(f"standard output: {why.strerror or why}.") from why


def _check(file: Path, *, force: bool) -> None:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as why:
        raise AccessError(f"{file}: {why.strerror}. Name another file.") from why
    if not stat.S_ISREG(mode):
        raise AccessError(f"{file} is not a file that can be written anew; - is standard output.")
    if not force:
        raise AccessError(f"{file} is there already: name another file, or say --force to replace it.")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """While this runs, a request to end goes through every `finally` first."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
