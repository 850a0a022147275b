"""What boards say beyond rows and events, and a board that lives on through restarts and wrong clocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.store.reader import FrameReader, StoredFrame
from tools import onboard

MINUTE = [[320 + i, 0, 1800] for i in range(6)]


def gap(
    board: Any, seq: int, gap_boot: int, first: int, last: int, *, boot: int = 1, time_s: int | None = None,
    uptime_ms: int = 0,
) -> tuple[str, bytes]:  # fmt: skip
    """The board no longer holds frames `first` to `last` of `gap_boot`."""
    frame = onboard.load("frame")
    return board.say("up", frame.gap_frame(boot, seq, time_s, uptime_ms, gap_boot, first, last))


def thinned(
    board: Any, seq: int, rows: Sequence[Sequence[tuple[int, int, int] | None]], each: int, *, boot: int = 1,
    time_s: int | None = None, uptime_ms: int = 0, step_ms: int = 60_000,
) -> tuple[str, bytes]:  # fmt: skip
    """Rows of (lowest, mean, highest) a channel, each of which stands for `each` measured ones."""
    frame = onboard.load("frame")
    columns = frame.Columns(3 * len(rows[0]), len(rows))
    for row in rows:
        cells = [(None, None, None) if cell is None else cell for cell in row]
        columns.add([cell[part] for part in range(3) for cell in cells])
    framer = frame.Framer(columns.channels, columns.capacity)
    return board.say("up", bytes(framer.columns(boot, seq, time_s, uptime_ms, step_ms, columns, each)))


class Life:
    """A board that measures without a pause, a frame a minute, and whose clock is wrong by `error_s`."""

    def __init__(self, household: Any, board: Any) -> None:
        self.household = household
        self.board = board
        self.boot = 0
        self.error_s: int | None = 0
        self.start()

    def start(self) -> None:
        """A new boot."""
        self.boot += 1
        self.seq = self.uptime_ms = 0
        self.household.receive(self.board.birth(self.boot))

    def head(self, ago_s: int = 0) -> dict[str, Any]:
        """What the next frame begins with."""
        time_s = None if self.error_s is None else self.household.now_ms // 1000 - ago_s + self.error_s
        return {"boot": self.boot, "time_s": time_s, "uptime_ms": self.uptime_ms - 1000 * ago_s}

    def minute(self) -> tuple[str, bytes]:
        """The minute's rows; it is over then."""
        self.seq += 1
        said = self.board.rows(self.seq, MINUTE, **self.head())
        self.uptime_ms += 60_000
        self.household.now_ms += 60_000
        return said

    def event(self) -> tuple[str, bytes]:
        """The door opened four seconds ago, between two rows."""
        self.seq += 1
        return self.board.events(self.seq, [(3, 0, 1)], **self.head(4))

    def gap(self, gap_boot: int, first: int, last: int) -> tuple[str, bytes]:
        """Some frames are gone."""
        self.seq += 1
        return gap(self.board, self.seq, gap_boot, first, last, **self.head())


def read(household: Any) -> list[StoredFrame]:
    """Every frame, by boot and number."""
    return sorted(FrameReader(household.db).all(), key=lambda f: (f.device_id, f.frame.boot, f.seq))
