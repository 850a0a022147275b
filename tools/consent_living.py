"""A board of consent_life: what it measures, and how it says that."""

from __future__ import annotations

from typing import Any

from tools.consent_house import Board, Message
from tools.consent_reference import Frame

__all__ = ["Living"]


class Living:
    """A board that lives: its boot, its next number, and what it has measured and not sent."""

    def __init__(self, board: Board, now_ms: int) -> None:
        self.board = board
        self.boot = 0
        self.held: list[Frame] = []
        self.restart(now_ms)

    def restart(self, now_ms: int) -> None:
        """A new boot, that has its clock again."""
        self.boot += 1
        self.seq = 0
        self.clocked = True
        self._started_ms = now_ms - now_ms % 1000

    def measured(self, time_ms: int, **more: Any) -> None:
        """Seal a frame that begins then."""
        self.seq += 1
        self.held.append(Frame(self.board.device, self.boot, self.seq, time_ms, self.clocked, **more))

    def message(self, frame: Frame) -> Message:
        """A frame of this boot, as it is sent."""
        uptime_ms = frame.time_ms - self._started_ms
        time_s = frame.time_ms // 1000 if frame.clocked else None
        if frame.events:
            return self.board.events(frame.boot, frame.seq, time_s, uptime_ms, frame.events)
        parts = (1,) if frame.each == 1 else (0, 1, 2)
        rows = [[cell and cell[part] for part in parts for cell in row] for row in frame.rows]
        return self.board.rows(frame.boot, frame.seq, time_s, uptime_ms, frame.step_ms, rows, frame.each)
