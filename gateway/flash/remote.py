"""A board at the other end of a serial line, through mpremote's transport: nothing passes by a command line.

What is sent is code for the board's raw REPL, which does not echo it. Errors carry what the board said, never what it
was told.
"""

from __future__ import annotations

import ast
import binascii
import contextlib
import io
import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.errors import HearthgateError
from gateway.flash.compiling import MpyFormat

if TYPE_CHECKING:
    from mpremote.transport_serial import SerialTransport

__all__ = ["HALF_WRITTEN", "PATIENCE_S", "Facts", "FlashError", "Remote", "check_port"]

_BAUD: Final = 115_200
_READ_S: Final = 1.0
_ENTER_S: Final = 2.0
_MOST_ENTER_S: Final = 8.0
PATIENCE_S: Final = 15.0
"""A board that has just begun to start does not hear its Ctrl-C."""
_PIECE: Final = 1536
"""Bytes of a file in one go: as text it is a third longer, and the board compiles it."""

_HELPERS: Final = """
import os, sys
from binascii import a2b_base64, hexlify
def _names(d):
    try:
        return [(d + e[0], e[1] & 0x4000) for e in os.ilistdir(d or '/')]
    except OSError:
        return []
def _hash(p):
    from hashlib import sha256
    h, b = sha256(), memoryview(bytearray(512))
    with open(p, 'rb') as f:
        while True:
            n = f.readinto(b)
            if not n:
                return hexlify(h.digest()).decode()
            h.update(b[:n])
def _begin(p):
    global _f
    _f = open(p, 'wb')
def _more(t):
    _f.write(a2b_base64(t))
def _end(p, q):
    _f.close()
    os.rename(p, q)
"""

_FACTS: Final = """
def _facts():
    i = sys.implementation
    try:
        from machine import unique_id
        d = hexlify(unique_id()).decode()[:12]
    except (ImportError, AttributeError):
        d = ''
    return i.name, tuple(i.version)[:3], getattr(i, '_machine', ''), getattr(i, '_mpy', 0), sys.platform, d
"""

HALF_WRITTEN: Final = ".new"
"""What a file's name ends with until all of it is there."""


class FlashError(HearthgateError):
    """A board cannot be flashed; says what to do."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board says of itself. version: of its MicroPython. device: 12 hex digits, or "" if it has no id."""

    name: str
    version: tuple[int, ...]
    machine: str
    mpy: MpyFormat
    platform: str
    device: str

    @property
    def chip(self) -> str:
        """As board.toml names it: esp32, esp32c3, …; unix for an emulated board."""
        if self.platform in ("linux", "darwin", "qemu"):
            return "unix"
        return self.machine.rpartition(" with ")[2].lower().replace("-", "") or self.platform

    @property
    def micropython(self) -> str:
        """Its version, as people write it."""
        return ".".join(map(str, self.version))


class Remote:
    """A board whose program was stopped, at its raw REPL. Use it in a `with`; afterwards the board is at its prompt,
    or runs if `reset()` was called."""

    def __init__(self, transport: SerialTransport, port: str) -> None:
        self._transport = transport
        self._port = port
        self._running = False

    @classmethod
    @contextlib.contextmanager
    def open(cls, port: str, patience_s: float = PATIENCE_S) -> Iterator[Self]:
        """Stop what runs on the board at `port`. Tries again for so many seconds: a new MicroPython takes a moment.

        Raises FlashError.
        """
        transport = _connect(port)
        remote = cls(transport, port)
        try:
            remote._enter(patience_s)
            yield remote
        finally:
            with contextlib.suppress(Exception):  # the board may be gone
                if not remote._running:
                    transport.exit_raw_repl()
            with contextlib.suppress(Exception):
                transport.close()
            transport.serial.close()  # also where what comes before it failed: else nobody can open the port again

    def facts(self) -> Facts:
        """What it is. Raises FlashError."""
        name, version, machine, mpy, platform, device = self._ask("_facts()", _FACTS)
        return Facts(name, tuple(version), machine, MpyFormat.of(mpy), platform, device)

    def hashes(self, folder: str, files: Sequence[str]) -> dict[str, str]:
        """Path -> SHA-256 in hex of all in a folder ("/a/"), and of these files, as far as they are there."""
        there = f"[p for p, d in _names({folder!r}) if not d] + [p for p, d in _names('/') if p in {tuple(files)!r}]"
        return dict(self._ask(f"[(p, _hash(p)) for p in {there}]"))

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None if there is none. Raises FlashError."""
        with _explained(self._port):
            try:
                return bytes(self._transport.fs_readfile(path))
            except FileNotFoundError:
                return None

    def make_folder(self, path: str) -> None:
        """Make it, if there is none. Raises FlashError."""
        self._run(f"if not _names('/') or ({path!r}, 0x4000) not in _names('/'): os.mkdir({path!r})")

    def remove(self, path: str) -> None:
        """Remove a file. Raises FlashError."""
        self._run(f"os.remove({path!r})")

    def write(self, path: str, data: bytes) -> Iterator[int]:
        """Write a file, whole or not at all whenever power goes; yields bytes as they go over. Raises FlashError."""
        temporary = path + HALF_WRITTEN
        pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
        for number, piece in enumerate(pieces or [b""]):
            text = binascii.b2a_base64(piece, newline=False)
            code = f"_more({text!r})"
            if number == 0:
                code = f"_begin({temporary!r});{code}"
            if number >= len(pieces) - 1:
                code += f";_end({temporary!r},{path!r})"
            self._run(code)
            yield len(piece)

    def reset(self) -> None:
        """Start it anew; its program runs then. Raises FlashError."""
        with _explained(self._port):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._running = True

    def console(self) -> str:
        """What it printed since it was reset, or since the last call. Waits for nothing."""
        with contextlib.suppress(OSError):
            waiting = self._transport.serial.in_waiting
            return bytes(self._transport.serial.read(waiting)).decode("utf-8", "replace")
        return ""

    def _enter(self, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        enter_s = _ENTER_S
        while True:
            try:
                with _explained(self._port):
                    self._transport.enter_raw_repl(soft_reset=True, timeout_overall=enter_s)
                self._run(_HELPERS)
            except FlashError:
                if time.monotonic() >= until:
                    raise
                enter_s = min(2 * enter_s, _MOST_ENTER_S)
            else:
                return

    def _run(self, code: str) -> bytes:
        with _explained(self._port):
            return bytes(self._transport.exec(code))

    def _ask(self, expression: str, before: str = "") -> Any:
        said = self._run(f"{before}\nprint(repr({expression}))")
        try:
            return ast.literal_eval(said.decode().strip())
        except (ValueError, SyntaxError, UnicodeDecodeError):
            raise FlashError(f"{self._port}: the board's answer makes no sense. Plug it in anew, try again.") from None


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


def _connect(port: str) -> SerialTransport:
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
def _explained(port: str) -> Iterator[None]:
    """What mpremote raises as a sentence; what it prints of the board goes nowhere."""
    from mpremote.transport import TransportError, TransportExecError  # noqa: PLC0415

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except TransportExecError as why:
        last = why.error_output.strip().splitlines()[-1:] or ["no reason"]
        raise FlashError(f"{port}: the board says: {last[0]}. {_hint(last[0])}") from None
    except (TransportError, struct.error) as why:
        raise FlashError(
            f"{port}: no answer of MicroPython ({why}). Is it a board, and is MicroPython on it (--image FILE)? Press "
            "its reset button and try again."
        ) from None
    except OSError as why:
        raise FlashError(f"{port}: the board is gone ({why}). Plug it in and flash again: that mends it.") from None


def _hint(error: str) -> str:
    if "ENOSPC" in error or "28" in error:
        return "Its flash is full: remove files of your own from it."
    return "Flash it again: that mends what is half done."
