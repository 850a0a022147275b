"""How fast bytes go onto a serial line, so that a board behind a USB-to-UART chip loses none of them.

Such a line has no flow control. MicroPython keeps 260 bytes of the line of its prompt, the cable of most boards, and
takes them one by one, a few each millisecond; while it collects garbage or writes its flash it takes none. So what is
longer goes in pieces, each with the time in which a slow board has read it."""

from collections.abc import Callable
from typing import Final

__all__ = ["Pace"]

PIECE_BYTES: Final = 128
PAUSE_S: Final = 0.05

_BY_CHIP: Final = ("/dev/ttyUSB", "/dev/ttyACM")
"""Behind the second is a chip too, or a board's own USB, which has flow control: there it only takes longer."""


class Pace:
    """For the line at the place of that name (serial_port.place). `clock` gives seconds that only rise."""

    def __init__(self, place: str, clock: Callable[[], float]) -> None:
        self.paced = place.startswith(_BY_CHIP)
        self._clock = clock
        self._next_s = 0.0

    def wait_s(self) -> float:
        """Seconds until something may be written; 0: now."""
        return max(0.0, self._next_s - self._clock())

    def piece(self, waiting: bytes | bytearray) -> bytes:
        """As much of it as may be written now."""
        return bytes(waiting[:PIECE_BYTES] if self.paced else waiting)

    def wrote(self, count: int) -> None:
        """So many bytes were."""
        if self.paced and count:
            self._next_s = self._clock() + PAUSE_S

    def takes_s(self, count: int) -> float:
        """What the pauses in so many bytes add up to."""
        return count / PIECE_BYTES * PAUSE_S if self.paced else 0.0
