"""A household for the gateway's tests: boards that seal frames with the firmware's own code, a database, a clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gateway.app.examine import examine
from gateway.consent import register
from gateway.consent.grants import Grant
from gateway.consent.vocabulary import Granularity
from gateway.forward.queue import SinkQueue
from gateway.store import devices, frames
from gateway.store.database import Database
from tools import onboard

settings.register_profile("hearthgate", deadline=None)
settings.load_profile("hearthgate")

MESSAGE = tuple[str, bytes]
"""Topic and payload."""

FRIDGE = (
    ("fridge_temp", "Cel", 1, 16, 0, "temperature"),
    ("door", "/", 1, 1, 1, "door"),
    ("top_shelf", "kg", 1, 1000, 0, "stock"),
    ("door_event", "/", 1, 1, 3, "door"),
    ("fault", "/", 1, 1, 3, "diagnostics"),
)


class Board:
    """One enrolled board: seals what it is told to say."""

    def __init__(self, device: str, key: bytes, channels: Sequence[Sequence[Any]]) -> None:
        self.device = device
        self.key = key
        self.channels = channels
        self._mac = onboard.load("mac").Mac0(key)

    def say(self, what: str, payload: bytes) -> MESSAGE:
        """Any payload under a right MAC."""
        return f"hg/1/{self.device}/{what}", self._mac.seal(what.encode(), payload)

    def birth(self, boot: int = 1, channels: Sequence[Sequence[Any]] | None = None, name: str = "Kitchen") -> MESSAGE:
        """What the board is."""
        item = [1, boot, "fridge", "fridge-sim", "0.1.0", name, [list(c) for c in channels or self.channels]]
        return self.say("birth", onboard.load("cbor").dumps(item))

    def state(self, online: int, boot: int = 1) -> MESSAGE:
        """Whether it is there."""
        return self.say("state", onboard.load("cbor").dumps([1, boot, online]))

    def rows(
        self,
        seq: int,
        rows: Sequence[Sequence[int | None]],
        *,
        boot: int = 1,
        time_s: int | None = None,
        uptime_ms: int = 0,
        step_ms: int = 10_000,
    ) -> MESSAGE:
        """A frame of rows."""
        frame = onboard.load("frame")
        columns = frame.Columns(len(rows[0]), len(rows))
        for row in rows:
            columns.add(row)
        framer = frame.Framer(columns.channels, columns.capacity)
        return self.say("up", framer.columns(boot, seq, time_s, uptime_ms, step_ms, columns))

    def events(
        self,
        seq: int,
        events: Sequence[tuple[int, int, int]],
        *,
        boot: int = 1,
        time_s: int | None = None,
        uptime_ms: int = 0,
    ) -> MESSAGE:
        """A frame of events."""
        return self.say("up", onboard.load("frame").events_frame(boot, seq, time_s, uptime_ms, events))


class Household:
    """A database with its boards, and a clock that stands until a test moves it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = Database(path)
        self.now_ms = 1_780_000_000_000
        self._grants = 0

    def board(
        self, device: str = "a0b1c2d3e4f5", channels: Sequence[Sequence[Any]] = FRIDGE, key: bytes = bytes(range(32))
    ) -> Board:
        """A board that is enrolled."""
        devices.enrol(self.db, device, "Kitchen fridge", self.now_ms, key)
        return Board(device, key, channels)

    def examine(self, *messages: MESSAGE) -> list[frames.Incoming]:
        """What the messages are, with the devices that are enrolled now."""
        registry = devices.registry(self.db)
        return [examine(topic, payload, registry, self.now_ms) for topic, payload in messages]

    def receive(self, *messages: MESSAGE) -> frames.Committed:
        """The messages, stored in one commit."""
        return frames.commit(self.db, self.examine(*messages))

    def grant(self, **fields: Any) -> Grant:
        """Give a grant; what is not said is: temperature, raw, to the manufacturer, from now on, for a year."""
        self._grants += 1
        granted = Grant(
            **{
                "id": f"g-{self._grants:016x}",
                "subject": "Robin",
                "devices": ("*",),
                "category": "temperature",
                "recipient": "manufacturer",
                "purpose": "product-improvement",
                "granularity": Granularity.RAW,
                "hours": None,
                "start_ms": self.now_ms,
                "expiry_ms": self.now_ms + 365 * 86_400_000,
                "text": "I agree.",
                "language": "en",
                "created_ms": self.now_ms,
                **fields,
            }
        )
        register.give(self.db, granted)
        return granted

    def revoke(self, grant: Grant) -> None:
        """Take it back."""
        register.take_back(self.db, grant.id, self.now_ms)

    def queue(
        self,
        name: str = "cloud",
        recipient: str = "manufacturer",
        purposes: Sequence[str] = ("product-improvement",),
    ) -> SinkQueue:
        """A sink's queue."""
        return SinkQueue(self.db, register.Register(self.db), name, recipient, purposes, lambda: self.now_ms)

    def count(self, table: str) -> int:
        """Rows of a table."""
        (n,) = self.db.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(n)

    def dead(self) -> list[tuple[str, int]]:
        """(reason, times) of every dead letter, oldest first."""
        return self.db.connection.execute("SELECT reason, times FROM dead_letter ORDER BY id").fetchall()


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """A household with an empty database."""
    made = Household(tmp_path / "hearthgate.sqlite")
    yield made
    made.db.close()


@pytest.fixture
def board(household: Household) -> Board:
    """An enrolled fridge."""
    return household.board()
