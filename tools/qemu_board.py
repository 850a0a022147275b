"""The emulated 32-bit board of tests/qemu: MicroPython for bare metal, under QEMU, spoken to by mpremote's transport.

It is a Cortex-M3 with MicroPython's heap of 140 KiB and 2 MiB of littlefs (tests/qemu/board; tools/qemu_port builds
it). Nothing is emulated for it but the processor, a UART, a clock and memory: no network, no pins.
"""

from __future__ import annotations

import ast
import binascii
import contextlib
import io
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from gateway.flash.compiling import MpyFormat, compile_module, find_compiler

__all__ = ["ROOT", "NoImage", "Prompt", "find_image", "free_port", "on_serial", "running"]

ROOT: Final = Path(__file__).resolve().parent.parent
MACHINE: Final = ("-machine", "mps2-an385", "-nographic", "-monitor", "null", "-semihosting")

_PIECE: Final = 6144
"""Bytes of a file in one go: the board compiles them, as text. mpremote sleeps between any two goes."""

_PATIENCE_S: Final = 30.0

_HELPERS: Final = """
import gc, os, sys
from binascii import a2b_base64
"""


class NoImage(Exception):
    """There is no MicroPython to run on the emulated board; says why."""


class BoardError(Exception):
    """What ran on the board raised, or the board does not answer; says what it printed."""


def find_image() -> Path:
    """The image that tools/qemu_port has built. Raises NoImage."""
    done = subprocess.run(
        [ROOT / "tools" / "qemu_port", "--if-built"], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise NoImage(done.stderr.strip() or "tools/qemu_port failed")
    return Path(done.stdout.strip())


def free_port() -> int:
    """A loopback port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_serial(port: int) -> list[str]:
    """QEMU's arguments for a first UART that listens on a loopback port. QEMU also prints what the board says there."""
    # Without nodelay each answer waits for the acknowledgement of the last, 40 ms.
    where = f"socket,id=uart,host=127.0.0.1,port={port},server=on,wait=off,nodelay=on"
    return ["-chardev", f"{where},logfile=/dev/stdout,logappend=on", "-serial", "chardev:uart"]


class Prompt:
    """MicroPython's raw REPL at socket://127.0.0.1:`port`. A line of Python there is not echoed.

    Raises BoardError from all methods. Use it in a `with`."""

    def __init__(self, port: int, patience_s: float = _PATIENCE_S) -> None:
        self.url = f"socket://127.0.0.1:{port}"
        self._transport = _connected(self.url, patience_s)
        self._format: MpyFormat | None = None
        self.restart(patience_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self._transport.close()

    def restart(self, patience_s: float = _PATIENCE_S) -> None:
        """A soft reset: an empty heap, and the files as they are."""
        from mpremote.transport import TransportError  # noqa: PLC0415 - only where a board runs

        until = time.monotonic() + patience_s
        while True:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    self._transport.enter_raw_repl(soft_reset=True, timeout_overall=5)
            except (TransportError, OSError) as why:
                if time.monotonic() >= until:
                    raise BoardError(f"{self.url}: no prompt of MicroPython: {why}") from why
            else:
                break
        self.run(_HELPERS)

    def run(self, code: str, timeout_s: float = 60.0) -> str:
        """What it printed. timeout_s: how long it may be silent."""
        from mpremote.transport import TransportError  # noqa: PLC0415 - only where a board runs

        try:
            said, failed = self._transport.exec_raw(code, timeout=timeout_s)
        except (TransportError, OSError) as why:
            raise BoardError(f"{self.url}: {why}") from why
        if failed:
            raise BoardError(f"{said.decode(errors='replace')}{failed.decode(errors='replace')}")
        return str(said.decode())

    def ask(self, expression: str, timeout_s: float = 60.0) -> Any:
        """The value of an expression: numbers, texts, bytes and what is made of them."""
        return ast.literal_eval(self.run(f"print(repr({expression}))", timeout_s).strip())

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        for at in range(0, len(data) or 1, _PIECE):
            piece = binascii.b2a_base64(data[at : at + _PIECE], newline=False)
            self.run(f"with open({path!r},{'ab' if at else 'wb'!r}) as f:\n f.write(a2b_base64({piece!r}))")

    def put_modules(self, sources: Sequence[Path]) -> int:
        """Precompiled as `hearthgate flash` does it, for this board's machine. Returns how many bytes that was."""
        if self._format is None:
            self._format = MpyFormat.of(self.ask("getattr(sys.implementation, '_mpy', 0)"))
        compiler = find_compiler(self._format)
        size = 0
        for source in sources:
            code = compile_module(compiler, source, self._format.architecture)
            name = source.name if code is None else f"{source.stem}.mpy"
            data = source.read_bytes() if code is None else code
            self.put(name, data)
            size += len(data)
        return size


def _connected(url: str, patience_s: float) -> Any:
    from mpremote.transport import TransportError  # noqa: PLC0415 - only where a board runs
    from mpremote.transport_serial import SerialTransport  # noqa: PLC0415

    until = time.monotonic() + patience_s
    while True:
        try:
            return SerialTransport(url, 115_200, timeout=5.0)
        except (TransportError, OSError) as why:
            if time.monotonic() >= until:
                raise BoardError(f"{url}: no board listens there: {why}") from why
            time.sleep(0.05)


@contextlib.contextmanager
def running(image: Path) -> Iterator[Prompt]:
    """The emulated board, from its power-on to its end. Raises BoardError."""
    port = free_port()
    command = ["qemu-system-arm", *MACHINE, "-kernel", str(image), *on_serial(port)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as qemu:
        try:
            with Prompt(port) as prompt:
                yield prompt
        finally:
            qemu.kill()
