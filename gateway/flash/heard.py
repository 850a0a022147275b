"""Waits until the gateway has stored a frame of a board: only then does a person know that all of the way works."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from gateway.store import devices
from gateway.store.database import Database

__all__ = ["trouble", "wait_for_frame"]

_POLL_S: Final = 0.25


def wait_for_frame(
    opened: Callable[[], AbstractContextManager[Database]],
    device: str,
    since_ms: int,
    limit_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> bool:
    """Whether a frame of the newest life of `device`, which was heard at or after `since_ms` (Unix), is stored within
    `limit_s` from now.

    opened: the database, which is borrowed from a gateway that runs; asking also makes that one commit soon.
    Raises StoreError.
    """
    until = time.monotonic() + limit_s
    while True:
        meanwhile()
        with opened() as db:
            known = devices.registry(db).get(device)
            newest = db.windows.newest().get(known.id) if known is not None else None
        if newest is not None and newest.seen_ms >= since_ms and newest.last_id:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_S)


def trouble(db: Database, device: str, since_ms: int) -> str | None:
    """Why the gateway could not use what came from that board since then; None if nothing came."""
    row = db.connection.execute(
        "SELECT detail FROM dead_letter WHERE received_ms >= ? AND topic LIKE ? ORDER BY received_ms DESC LIMIT 1",
        (since_ms, f"%/{device}/%"),
    ).fetchone()
    return None if row is None else str(row[0])
