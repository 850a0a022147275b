"""A board at the other end of a serial line, through mpremote's transport: nothing passes by a command line.

What is sent is code for the board's raw REPL, which does not echo it. Errors carry what the board said, never what it
was told.
"""

from __future__ import annotations

import ast
import binascii
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.flash.compiling import MpyFormat
from gateway.flash.port import FlashError, Gone, check_port, explained, open_port, usable

if TYPE_CHECKING:
    from mpremote.transport_serial import SerialTransport

__all__ = ["HALF_WRITTEN", "PATIENCE_S", "Facts", "FlashError", "Remote", "check_port"]

_ENTER_S: Final = 2.0
_MOST_ENTER_S: Final = 8.0
PATIENCE_S: Final = 15.0
"""A board that has just begun to start does not hear its Ctrl-C."""
_REOPEN_S: Final = 0.2
_BUSY_S: Final = 1.0
"""A port that another program has stays so; one that just came again may be looked at by the system first."""
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

    _transport: SerialTransport

    def __init__(self, port: str) -> None:
        self._port = port
        self._running = False

    @classmethod
    @contextlib.contextmanager
    def open(cls, port: str, patience_s: float = PATIENCE_S) -> Iterator[Self]:
        """Stop what runs on the board at `port`. Tries again for so many seconds: a new MicroPython takes a moment,
        and the USB port that a chip makes itself goes when the chip restarts, and comes again.

        Raises FlashError.
        """
        remote = cls(port)
        until = time.monotonic() + patience_s
        remote._connect(until)
        try:
            remote._enter(until)
            yield remote
        finally:
            with contextlib.suppress(Exception):  # the board may be gone
                if not remote._running:
                    remote._transport.exit_raw_repl()
            remote._disconnect()

    def facts(self) -> Facts:
        """What it is. Raises FlashError."""
        name, version, machine, mpy, platform, device = self._ask("_facts()", _FACTS)
        return Facts(name, tuple(version), machine, MpyFormat.of(mpy), platform, device)

    def hashes(self, folder: str, files: Sequence[str]) -> dict[str, str]:
        """Path -> SHA-256 in hex of all in a folder ("/a/"), and of these files, as far as they are there."""
        there = f"[p for p, d in _names({folder!r}) if not d] + [p for p, d in _names('/') if p in {tuple(files)!r}]"
        return dict(self._ask(f"[(p, _hash(p)) for p in {there}]"))

    def names(self, folder: str) -> list[str]:
        """The path of each file in a folder ("/frames/"); none where there is no folder. Raises FlashError."""
        return list(self._ask(f"[p for p, d in _names({folder!r}) if not d]"))

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None if there is none. Raises FlashError."""
        with explained(self._port):
            try:
                return bytes(self._transport.fs_readfile(path))
            except FileNotFoundError:
                return None

    def count(self, folder: str) -> int:
        """How many files are in a folder ("/frames/"). Raises FlashError."""
        return int(self._ask(f"len(_names({folder!r}))"))

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
        with explained(self._port):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._running = True

    def console(self) -> str:
        """What it printed since it was reset, or since the last call. Waits for nothing."""
        with contextlib.suppress(OSError):
            waiting = self._transport.serial.in_waiting
            return bytes(self._transport.serial.read(waiting)).decode("utf-8", "replace")
        return ""

    def _connect(self, until: float) -> None:
        busy_until = min(until, time.monotonic() + _BUSY_S)
        while True:
            try:
                self._transport = open_port(self._port)
            except FlashError:
                if time.monotonic() >= (busy_until if usable(self._port) else until):
                    raise
                time.sleep(_REOPEN_S)
            else:
                return

    def _disconnect(self) -> None:
        with contextlib.suppress(Exception):
            self._transport.close()
        self._transport.serial.close()  # also where what comes before it failed: else nobody can open the port again

    def _enter(self, until: float) -> None:
        enter_s = _ENTER_S
        while True:
            try:
                with explained(self._port):
                    self._transport.enter_raw_repl(soft_reset=True, timeout_overall=enter_s)
                self._run(_HELPERS)
            except Gone:
                if time.monotonic() >= until:
                    raise
                self._disconnect()
                time.sleep(_REOPEN_S)
                self._connect(until)
            except FlashError:
                if time.monotonic() >= until:
                    raise
                enter_s = min(2 * enter_s, _MOST_ENTER_S)
            else:
                return

    def _run(self, code: str) -> bytes:
        with explained(self._port):
            return bytes(self._transport.exec(code))

    def _ask(self, expression: str, before: str = "") -> Any:
        said = self._run(f"{before}\nprint(repr({expression}))")
        try:
            return ast.literal_eval(said.decode().strip())
        except (ValueError, SyntaxError, UnicodeDecodeError):
            raise FlashError(f"{self._port}: the board's answer makes no sense. Plug it in anew, try again.") from None
