"""The chip of a virtual board on a port: MicroPython's unix port on a terminal, with a ROM, and a file for its flash.

What it is told at a start is in boards/sim/chip/sim_chip.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import termios
import tty
from pathlib import Path
from typing import Final

from gateway.flash.compiling import compile_module, find_compiler
from tools.board_folder import ROOT, find_micropython, takes

__all__ = ["BLOCKS", "HARD", "POWER_ON", "SOFT", "Chip", "raw_terminal"]

BLOCKS: Final = 512
"""Of 4 KiB: an ESP32 with 4 MiB of flash gives 2 MiB to files."""

POWER_ON, HARD, SOFT = 1, 2, 5
"""Why it starts, as an ESP32's `machine.reset_cause()` has them."""

_CHIP: Final = ROOT / "boards" / "sim" / "chip"
_ROM: Final = (
    *(_CHIP / name for name in ("machine.py", "network.py", "ntptime.py", "sim_chip.py")),
    ROOT / "boards" / "sim" / "sim_flash.py",
)


def raw_terminal(*, interrupts: bool) -> tuple[int, int]:
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


class Chip:
    """Without power until `start`. `line` is our end of its serial line, which does not block; -1 without power.

    image: the file that is its flash; made at the first start. wifi: as SerialBoard has it. Raises BoardError or
    CompileError where there is no MicroPython, or nothing that compiles for it.
    """

    def __init__(self, image: Path, *, chip_id: str, heap_kib: int, wifi: tuple[str, str] | None) -> None:
        self._image = image
        self._id = chip_id
        self._heap_kib = heap_kib
        self._wifi = wifi
        self.line = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._rom = tempfile.TemporaryDirectory()
        _burn(Path(self._rom.name))

    @property
    def runs(self) -> bool:
        """Whether it was started, and `end` has not seen it end yet."""
        return self._process is not None

    def start(self, cause: int, *, main: bool, cut_after: int) -> None:
        """Let it run. main: main.py too, before the prompt. cut_after: bytes that its flash takes until the power goes;
        -1: it stays. Raises OSError."""
        line, theirs = raw_terminal(interrupts=True)
        settings = {
            "MICROPYPATH": f"{self._rom.name}:.frozen",
            "CHIP_ID": self._id,
            "CHIP_CAUSE": str(cause),
            "CHIP_IMAGE": str(self._image),
            "CHIP_BLOCKS": str(BLOCKS),
            "CHIP_MAIN": "1" if main else "0",
            "CHIP_CUT": str(cut_after),
            "CHIP_WIFI": "\t".join(self._wifi or ()),
        }
        try:
            self._process = subprocess.Popen(
                [find_micropython(), "-X", f"heapsize={self._heap_kib}k", "-i", "-m", "sim_chip"],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=os.environ | settings,
                start_new_session=True,
                preexec_fn=_take_terminal,  # noqa: PLW1509 - it makes one system call
            )
        except BaseException:
            os.close(line)
            raise
        finally:
            os.close(theirs)
        self.line = line

    def end(self, number: signal.Signals | None = None) -> int | None:
        """Wait until it has ended, with a signal if one is given; its status, or None if it was without power."""
        if self._process is None:
            return None
        if number is not None:
            self._process.send_signal(number)
        code = self._process.wait()
        os.close(self.line)
        self._process, self.line = None, -1
        return code

    def leave_ctrl_c(self) -> None:
        """To a program that takes it as a byte (micropython.kbd_intr(-1)): here its signal would end it then."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):  # it has just ended
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            fields = dict(line.split(":", 1) for line in status.splitlines())
            minded = int(fields["SigIgn"], 16) | int(fields["SigCgt"], 16)
            mode = termios.tcgetattr(self.line)
            if mode[3] & termios.ISIG and not minded >> signal.SIGINT - 1 & 1:
                mode[3] &= ~termios.ISIG
                termios.tcsetattr(self.line, termios.TCSANOW, mode)

    def close(self) -> None:
        """Take its power, and throw its ROM away; the image stays."""
        self.end(signal.SIGKILL)
        self._rom.cleanup()


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
