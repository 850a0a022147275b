"""What tests of a sink's queue share: filling it, what may be sent of it, a board that measures minute by minute."""

from __future__ import annotations

import json
from typing import Any

QUARTER_MS, HOUR_MS, DAY_MS = 900_000, 3_600_000, 86_400_000


def events(queue: Any) -> list[dict[str, Any]]:
    """What may be sent now."""
    return [json.loads(queued.body) for queued in queue.take(10_000)]


def fill(queue: Any) -> None:
    for _ in range(1000):
        if not queue.fill():
            return
    raise AssertionError("fill never ends")


def filled(queue: Any) -> list[dict[str, Any]]:
    fill(queue)
    return events(queue)


def at(household: Any) -> dict[str, int]:
    """Time and uptime of a frame that is measured now."""
    return {"time_s": household.now_ms // 1000, "uptime_ms": 60_000}


def minute(household: Any, board: Any, seq: int, **more: Any) -> Any:
    """A minute of rows every 10 s that ends now; the clock is a minute later then."""
    rows = [[320 + i + seq % 5, i % 2, 1800 - seq] for i in range(6)]
    head = at(household)
    household.now_ms += 60_000
    return board.rows(seq, rows, **{**head, **more})
