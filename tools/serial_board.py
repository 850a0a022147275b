"""A virtual board on a serial port: mpremote, and whatever else speaks to boards, takes it for a real one.

Its chip (tools/serial_chip.py) is behind a pseudo-terminal, which stays when the chip restarts. It is empty as a new
board is: `hearthgate flash` puts the firmware on it.

    python -m tools.serial_board IMAGE     runs one until Ctrl-C, and prints its port
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tools.board_folder import BoardError
from tools.serial_chip import HARD, POWER_ON, SOFT, Chip, raw_terminal

__all__ = ["CHIP_ID", "HEAP_KIB", "SerialBoard"]

CHIP_ID: Final = "5e00000000c1"
HEAP_KIB: Final = 192
"""The world of a `*-sim` board runs on it too."""

_RAW: Final = b"raw REPL; CTRL-B to exit\r\n"
_FRIENDLY: Final = b">>> "
_CTRL_A: Final = b"\x01"
_PIECE: Final = 4096
_MOST_UNREAD: Final = 1 << 16
_PATIENCE_S: Final = 20.0


class _Power:
    """What somebody wants of the board's plug; the thread that runs the board looks at it."""

    def __init__(self) -> None:
        self.on = False
        self.cut_after = -1
        self.closing = False
        self.gone = False  # nobody looks any more
        self.turned = threading.Event()
        self.off = threading.Event()
        self.off.set()
        self._seen, self._wake = os.pipe()

    def turn(self, *, on: bool, cut_after: int = -1) -> bool:
        """Whether the thread has done it, at the latest after _PATIENCE_S."""
        self.turned.clear()
        if self.gone:
            return False
        self.on, self.cut_after = on, cut_after
        os.write(self._wake, b"!")
        return self.turned.wait(_PATIENCE_S)

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
        self.console: deque[str] = deque(maxlen=200)
        self.resets = 0
        self.image = image.resolve()
        self._chip = Chip(self.image, chip_id=chip_id, heap_kib=heap_kib, wifi=wifi)
        self._outer, self._kept = raw_terminal(interrupts=False)
        self.port = os.ttyname(self._kept)
        self._power = _Power()
        self._to_person = bytearray()
        self._to_board = bytearray()
        self._said = b""
        self._line = b""
        self._in_raw = False
        self._failed: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        try:
            self.switch_on()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def switch_on(self, cut_after: int = -1) -> None:
        """Give it power. cut_after: bytes that its flash takes until the power goes, in the midst of a write as a rule;
        -1: it stays. Raises BoardError."""
        self._turn(on=True, cut_after=cut_after)

    def cut_power(self) -> None:
        """Nothing is saved. Raises BoardError."""
        self._turn(on=False)

    def wait_off(self, timeout_s: float) -> bool:
        """Whether it is without power, at the latest after that time."""
        return self._power.off.wait(timeout_s)

    def close(self) -> None:
        """Cut the power, and take the port away."""
        if self._closed:
            return
        self._closed = True
        self._power.closing = True
        self._power.turn(on=False)
        self._thread.join(_PATIENCE_S)
        self._power.close()
        os.close(self._outer)
        os.close(self._kept)
        self._chip.close()

    def _turn(self, *, on: bool, cut_after: int = -1) -> None:
        if not self._power.turn(on=on, cut_after=cut_after) or self._failed is not None:
            why = self._failed or "it was closed, or hangs"
            raise BoardError(f"the virtual board on {self.port} does not run: {why}")

    # All below runs in the board's thread.

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as why:
            self._failed = why  # whoever turns the power on or off is told
            raise
        finally:
            self._chip.end(signal.SIGKILL)
            self._power.gone = True
            self._power.off.set()
            self._power.turned.set()

    def _serve(self) -> None:
        while True:
            readers: list[_Power | int] = [self._power, self._outer]
            writers = [self._outer] if self._to_person else []
            if self._chip.runs:
                readers.append(self._chip.line)
                writers += [self._chip.line] if self._to_board else []
            ready, writable, _ = select.select(readers, writers, [])
            if self._power in ready:
                os.read(self._power.fileno(), 1)
                self._obey()
                if self._power.closing:
                    return
                continue
            if self._outer in ready:
                self._hear()
            if self._chip.line in ready:
                self._speak()
            for end, waiting in ((self._outer, self._to_person), (self._chip.line, self._to_board)):
                if end in writable and end >= 0:
                    with contextlib.suppress(BlockingIOError):
                        del waiting[: os.write(end, waiting[:_PIECE])]

    def _obey(self) -> None:
        if not self._power.on:
            self._chip.end(signal.SIGKILL)
            self._power.off.set()
        elif not self._chip.runs:
            self._power.off.clear()
            self._begin(POWER_ON, main=True)
        self._power.turned.set()

    def _hear(self) -> None:
        data = os.read(self._outer, _PIECE)
        if self._chip.runs:  # a board without power hears nothing
            self._chip.leave_ctrl_c()
            self._to_board += data

    def _speak(self) -> None:
        try:
            data = os.read(self._chip.line, _PIECE)
        except OSError:  # it has ended
            data = b""
        if data:
            self._say(data)
            return
        code = self._chip.end()
        if code == -signal.SIGUSR1:
            self.resets += 1
            self._begin(HARD, main=True)
        elif code == -signal.SIGKILL:
            self._power.off.set()
        else:
            raw = self._in_raw
            self._say(b"MPY: soft reboot\r\n")
            self._begin(SOFT, main=not raw)
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
        self._said = b""
        self._in_raw = False
        self._to_board.clear()
        self._chip.start(cause, main=main, cut_after=self._power.cut_after)


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
