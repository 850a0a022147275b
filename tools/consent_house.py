"""A household for proving what leaves: boards that seal with the firmware's own encoder, a real database, a clock.

It stands where the proofs of consent (consent_model, consent_canary, consent_silence, bench_consent) begin: at messages
with right MACs. What is measured, and when, is the caller's.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cbor2

from gateway.app.examine import examine
from gateway.consent.register import Register
from gateway.forward.queue import SinkQueue
from gateway.store import devices, frames
from gateway.store.database import Database
from gateway.wire.cose import seal
from tools import onboard

__all__ = ["CHANNELS", "NAME", "Board", "House", "Message", "fast_disk"]

Message = tuple[str, bytes]
"""Topic and payload."""

# (name, unit, num, den, kind, category) as a birth says them; kinds: 0 gauge, 1 state, 3 event.
CHANNELS = (
    ("fridge_temp", "Cel", 1, 16, 0, "temperature"),
    ("door", "/", 1, 1, 1, "door"),
    ("top_shelf", "kg", 1, 1000, 0, "stock"),
    ("door_event", "/", 1, 1, 3, "door"),
)
NAME = "Grandmother's kitchen"
"""What the household calls its devices: nobody outside is told."""

_KEY = bytes(range(32))


def fast_disk() -> Path | None:
    """A folder in memory, where there is one: a proof of many steps writes much, and not to be kept."""
    memory = Path("/dev/shm")  # noqa: S108
    return memory if memory.is_dir() else None


class Board:
    """One enrolled board: seals what it is told to say."""

    def __init__(self, device: str, channels: Sequence[Sequence[Any]] = CHANNELS) -> None:
        self.device = device
        self.channels = channels
        self._frame = onboard.load("frame")

    def birth(self, boot: int = 1) -> Message:
        """What the board is."""
        item = [1, boot, "fridge", "fridge-sim", "0.1.0", NAME, [list(channel) for channel in self.channels]]
        return self.say("birth", cbor2.dumps(item))

    def rows(
        self, boot: int, seq: int, time_s: int | None, uptime_ms: int, step_ms: int,
        rows: Sequence[Sequence[int | None]], each: int = 1,
    ) -> Message:  # fmt: skip
        """A frame of rows; of a thinned one (`each` > 1) a row is the lows, then the means, then the highs."""
        columns = self._frame.Columns(len(rows[0]), len(rows))
        for row in rows:
            columns.add(row)
        framer = self._frame.Framer(columns.channels, columns.capacity)
        more = () if each == 1 else (each,)
        return self.say("up", bytes(framer.columns(boot, seq, time_s, uptime_ms, step_ms, columns, *more)))

    def events(
        self, boot: int, seq: int, time_s: int | None, uptime_ms: int, events: Sequence[tuple[int, int, int]]
    ) -> Message:
        """A frame of events: (channel, milliseconds after `uptime_ms`, value)."""
        return self.say("up", bytes(self._frame.events_frame(boot, seq, time_s, uptime_ms, events)))

    def say(self, what: str, payload: bytes) -> Message:
        """Any payload under a right MAC."""
        return f"hg/1/{self.device}/{what}", seal(_KEY, what, payload)


class House:
    """A database with its boards, and a clock that stands until somebody moves it.

    `careless`: its commits are not waited for, so a proof of many steps takes minutes, not hours; what is proved does
    not hang on the disk.
    """

    def __init__(self, folder: Path, now_ms: int, *, careless: bool = True) -> None:
        self.now_ms = now_ms
        self._careless = careless
        self._folder = folder
        self._number = 0
        self.db = self._open()
        self._registry = devices.registry(self.db)

    def board(self, device: str) -> Board:
        """A board that is enrolled."""
        devices.enrol(self.db, device, NAME, self.now_ms, _KEY)
        self._registry = devices.registry(self.db)
        return Board(device)

    def receive(self, messages: Iterable[Message]) -> None:
        """Store messages in one commit."""
        items = [examine(topic, payload, self._registry, self.now_ms) for topic, payload in messages]
        frames.commit(self.db, items)

    def queue(self, name: str, recipient: str, purposes: Sequence[str]) -> SinkQueue:
        """A sink's queue, with a register of its own, as in a gateway that starts."""
        return SinkQueue(self.db, Register(self.db), name, recipient, purposes, lambda: self.now_ms)

    def crash(self) -> None:
        """Go on with what is on the disk at this moment: nothing is closed, saved or told before."""
        old = self.db
        was, self._number = self._path(), self._number + 1
        shutil.copyfile(was, self._path())
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{was}-wal", f"{self._path()}-wal")
        self.db = self._open()
        old.connection.close()
        for ending in ("", "-wal", "-shm"):
            Path(f"{was}{ending}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database and remove it."""
        with suppress(sqlite3.Error):
            self.db.close()
        for path in self._folder.glob("hearthgate*"):
            path.unlink()

    def _path(self) -> Path:
        return self._folder / f"hearthgate-{self._number}.sqlite"

    def _open(self) -> Database:
        db = Database(self._path(), check_s=0)
        if self._careless:
            db.connection.execute("PRAGMA synchronous=OFF")
        return db
