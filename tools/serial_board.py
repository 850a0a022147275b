"""A virtual board on a serial port: mpremote, and whatever else speaks to boards, takes it for a real one.

MicroPython's unix port runs behind a pseudo-terminal, with a littlefs in a file for its flash, a chip's id and a chip's
resets (boards/sim/chip). It is empty as a new board is: `hearthgate flash` puts the firmware on it.

    python -m tools.serial_board IMAGE     runs one until Ctrl-C, and prints its port
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from gateway.flash.compiling import compile_module, find_compiler
from tools.board_folder import ROOT, find_micropython, takes

__all__ = ["BLOCKS", "CHIP_ID", "SerialBoard"]

CHIP_ID: Final = "5e00000000c1"
HEAP_KIB: Final = 192
"""The world of a `*-sim` board runs on it too."""

BLOCKS: Final = 512
"""Of 4 KiB: an ESP32 with 4 MiB of flash gives 2 MiB to files."""

_CHIP: Final = ROOT / "boards" / "sim" / "chip"
_ROM: Final = (
    *(_CHIP / name for name in ("machine.py", "network.py", "ntptime.py", "sim_chip.py")),
    ROOT / "boards" / "sim" / "sim_flash.py",
)
_POWER_ON, _HARD, _SOFT = 1, 2, 5
_RAW: Final = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY: Final = b">>> "
_CTRL_A: Final = b"\x01"
_PIECE: Final = 4096
_MOST_UNREAD: Final = 1 << 16
_PATIENCE_S: Final = 20.0


def _raw_terminal(*, interrupts: bool) -> tuple[int, int]:
    """(controlling end, the other end): every byte goes through as it is. interrupts: but Ctrl-C is a signal for what
    runs there, unless that says otherwise, as MicroPython does at its prompt."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    if interrupts:
        mode = termios.tcgetattr(theirs)
        mode[3] |= termios.ISIG | termios.NOFLSH
        mode[6][termios.VINTR] = b"\x03"
        for key in (termios.VQUIT, termios.VSUSP):
            mode[6][key] = b"\x00"
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
    os.set_blocking(ours, False)
    return ours, theirs


class _Power:
    """What somebody wants of the board's plug; the thread that runs the board looks at it."""

    def __init__(self) -> None:
        self.on = False
        self.cut_after = -1
        self.closing = False
        self.turned = threading.Event()
        self.off = threading.Event()
        self.off.set()
        self._seen, self._wake = os.pipe()

    def turn(self, *, on: bool, cut_after: int = -1) -> None:
        self.turned.clear()
        self.on, self.cut_after = on, cut_after
        os.write(self._wake, b"!")
        self.turned.wait(_PATIENCE_S)

    def fileno(self) -> int:
        return self._seen

    def close(self) -> None:
        os.close(self._seen)
        os.close(self._wake)


class SerialBoard:
    """One board on the port `port`, switched off until switch_on(). `console` holds its last lines.

    image: the file that is its flash; it is made if there is none, and outlives the board. chip_id: 12 hex digits.
    wifi: (name, password) of the network in its reach, where it also learns the time; without one it has no radio, and
    the system's network.
    """

    def __init__(
        self, image: Path, *, chip_id: str = CHIP_ID, heap_kib: int = HEAP_KIB, wifi: tuple[str, str] | None = None
    ) -> None:
        self.chip_id = chip_id
        self._wifi = wifi
        self.console: deque[str] = deque(maxlen=200)
        self.resets = 0
        self.image = image.resolve()
        self._heap_kib = heap_kib
        self._rom = tempfile.TemporaryDirectory()
        _burn(Path(self._rom.name))
        self._outer, self._kept = _raw_terminal(interrupts=False)
        self.port = os.ttyname(self._kept)
        self._power = _Power()
        self._inner = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._to_person = bytearray()
        self._to_board = bytearray()
        self._said = b""
        self._line = b""
        self._in_raw = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def switch_on(self, cut_after: int = -1) -> None:
        """Give it power. cut_after: bytes that its flash takes until the power goes, in the midst of a write as a rule;
        -1: it stays."""
        self._power.turn(on=True, cut_after=cut_after)

    def cut_power(self) -> None:
        """Nothing is saved."""
        self._power.turn(on=False)

    def wait_off(self, timeout_s: float) -> bool:
        """Whether it is without power, at the latest after that time."""
        return self._power.off.wait(timeout_s)

    def close(self) -> None:
        """Cut the power, and take the port away."""
        if self._thread.is_alive():
            self._power.closing = True
            self._power.turn(on=False)
            self._thread.join(_PATIENCE_S)
            self._power.close()
            os.close(self._outer)
            os.close(self._kept)
            self._rom.cleanup()

    # All below runs in the board's thread.

    def _serve(self) -> None:
        while True:
            readers: list[_Power | int] = [self._power, self._outer]
            writers = [self._outer] if self._to_person else []
            if self._inner >= 0:
                readers.append(self._inner)
                writers += [self._inner] if self._to_board else []
            ready, writable, _ = select.select(readers, writers, [])
            if self._power in ready:
                os.read(self._power.fileno(), 1)
                self._turn()
                if self._power.closing:
                    return
                continue
            if self._outer in ready:
                self._hear()
            if self._inner in ready:
                self._speak()
            for end, waiting in ((self._outer, self._to_person), (self._inner, self._to_board)):
                if end in writable and end >= 0:
                    with contextlib.suppress(BlockingIOError):
                        del waiting[: os.write(end, waiting[:_PIECE])]

    def _turn(self) -> None:
        if not self._power.on:
            self._end(signal.SIGKILL)
            self._power.off.set()
        elif self._process is None:
            self._power.off.clear()
            self._begin(_POWER_ON, main=True)
        self._power.turned.set()

    def _hear(self) -> None:
        data = os.read(self._outer, _PIECE)
        if self._process is not None:  # a board without power hears nothing
            self._leave_ctrl_c(self._process)
            self._to_board += data

    def _leave_ctrl_c(self, process: subprocess.Popen[bytes]) -> None:
        """To a program that takes it as a byte (micropython.kbd_intr(-1)): here its signal would end it then."""
        with contextlib.suppress(OSError):  # it has just ended
            status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
            minded = int(status["SigIgn"], 16) | int(status["SigCgt"], 16)
            mode = termios.tcgetattr(self._inner)
            if mode[3] & termios.ISIG and not minded >> signal.SIGINT - 1 & 1:
                mode[3] &= ~termios.ISIG
                termios.tcsetattr(self._inner, termios.TCSANOW, mode)

    def _speak(self) -> None:
        try:
            data = os.read(self._inner, _PIECE)
        except OSError:  # it has ended
            data = b""
        if data:
            self._say(data)
            return
        code = self._end(None)
        if code == -signal.SIGUSR1:
            self.resets += 1
            self._begin(_HARD, main=True)
        elif code == -signal.SIGKILL:
            self._power.off.set()
        else:
            raw = self._in_raw
            self._say(b"MPY: soft reboot\r\n")
            self._begin(_SOFT, main=not raw)
            if raw:
                self._to_board += _CTRL_A

    def _say(self, data: bytes) -> None:
        self._to_person += data
        del self._to_person[:-_MOST_UNREAD]  # nobody reads
        self._said = (self._said + data)[-_PIECE:]
        self._in_raw = self._said.rfind(_RAW) > self._said.rfind(_FRIENDLY)
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-_PIECE:]
        self.console.extend(line.decode("utf-8", "replace").rstrip() for line in lines)

    def _begin(self, cause: int, *, main: bool) -> None:
        self._inner, theirs = _raw_terminal(interrupts=True)
        self._said = b""
        self._in_raw = False
        self._to_board.clear()
        settings = {
            "MICROPYPATH": f"{self._rom.name}:.frozen",
            "CHIP_ID": self.chip_id,
            "CHIP_CAUSE": str(cause),
            "CHIP_IMAGE": str(self.image),
            "CHIP_BLOCKS": str(BLOCKS),
            "CHIP_MAIN": "1" if main else "0",
            "CHIP_CUT": str(self._power.cut_after),
            "CHIP_WIFI": "\t".join(self._wifi or ()),
        }
        self._process = subprocess.Popen(
            [find_micropython(), "-X", f"heapsize={self._heap_kib}k", "-i", "-m", "sim_chip"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | settings,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - it makes one system call
        )
        os.close(theirs)

    def _end(self, number: signal.Signals | None) -> int | None:
        """Wait for the end of the process, with a signal if one is given; its status."""
        if self._process is None:
            return None
        if number is not None:
            self._process.send_signal(number)
        code = self._process.wait()
        os.close(self._inner)
        self._process, self._inner = None, -1
        return code


def _take_terminal() -> None:
    """So that Ctrl-C there is a signal for this process, once MicroPython is up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _burn(folder: Path) -> None:
    """What a chip has in its ROM, precompiled: compiling would leave holes in the heap."""
    wanted = takes(find_micropython())
    compiler = find_compiler(wanted)
    for source in _ROM:
        code = compile_module(compiler, source, wanted.architecture)
        if code is not None:
            (folder / f"{source.stem}.mpy").write_bytes(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.serial_board", description="A virtual board on a port.")
    parser.add_argument("image", type=Path, help="the file that is its flash; made if there is none")
    parser.add_argument("--chip-id", default=CHIP_ID, help="12 hex digits")
    parser.add_argument("--wifi", nargs=2, metavar=("NAME", "PASSWORD"), help="the network in its reach; else no radio")
    options = parser.parse_args(arguments)
    made = SerialBoard(options.image, chip_id=options.chip_id, wifi=options.wifi)
    with made as board, contextlib.suppress(KeyboardInterrupt):
        print(board.port, flush=True)
        while True:
            time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
