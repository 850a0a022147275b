"""The serial port of a board: whether it can be opened, and what goes wrong there as a sentence."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.errors import HearthgateError

if TYPE_CHECKING:
    from mpremote.transport_serial import SerialTransport

__all__ = ["FlashError", "Gone", "check_port", "explained", "open_port", "usable"]

_BAUD: Final = 115_200
_READ_S: Final = 1.0

_CORRUPTED: Final = "filesystem appears to be corrupted"
"""What MicroPython says again and again where its file area holds something else (esp32: inisetup.py)."""


class FlashError(HearthgateError):
    """A board cannot be flashed; says what to do."""


class Gone(FlashError):
    """Nothing is at the other end of the open port any more; it has to be opened anew."""


def check_port(port: str) -> None:
    """Raise FlashError if nobody could open it: there is none of that name, or it is not for us."""
    if not port.startswith("/"):  # pyserial knows ports of other kinds
        return
    if not Path(port).exists():
        raise FlashError(f"{port}: there is no such port. `hearthgate boards` lists those that are there.")
    if not os.access(port, os.R_OK | os.W_OK):
        raise FlashError(
            f"{port}: you may not use it: sudo usermod -aG dialout $USER, then log out and in. (`id -nG` names dialout "
            "then.)"
        )


def usable(port: str) -> bool:
    """Whether it is there and we may open it; another program may have it."""
    try:
        check_port(port)
    except FlashError:
        return False
    return True


def open_port(port: str) -> SerialTransport:
    """Raises FlashError: it is not there, is not for us, or another program has it."""
    from mpremote.transport import TransportError  # noqa: PLC0415 - takes its time, and most commands need no board
    from mpremote.transport_serial import SerialTransport  # noqa: PLC0415

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return SerialTransport(port, _BAUD, timeout=_READ_S)
    except (TransportError, OSError) as why:
        check_port(port)
        raise FlashError(
            f"{port}: cannot be opened. Another program has it (a terminal, another `hearthgate flash`): close it "
            "there, or plug the board in anew."
        ) from why


@contextlib.contextmanager
def explained(port: str) -> Iterator[None]:
    """What mpremote raises as a sentence; what it prints of the board goes nowhere."""
    from mpremote.transport import TransportError, TransportExecError  # noqa: PLC0415

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    except TransportExecError as why:
        last = why.error_output.strip().splitlines()[-1:] or ["no reason"]
        raise FlashError(f"{port}: the board says: {last[0]}. {_hint(last[0])}") from None
    except (TransportError, struct.error) as why:
        if _CORRUPTED in printed.getvalue():
            raise FlashError(
                f"{port}: MicroPython is there but cannot start: what lies where it has its files is broken, or not "
                "its own. Write it again with --image FILE --erase, which erases all that is on the board."
            ) from None
        raise FlashError(
            f"{port}: no answer of MicroPython ({why}). Is it a board, and is MicroPython on it (--image FILE)? Press "
            "its reset button and try again."
        ) from None
    except (OSError, termios.error) as why:
        raise Gone(f"{port}: the board is gone ({why}). Plug it in and flash again: that mends it.") from None


def _hint(error: str) -> str:
    if "ENOSPC" in error or "28" in error:
        return "Its flash is full: remove files of your own from it."
    return "Flash it again: that mends what is half done."
