"""A household for forgers: a gateway's ingest over a database, with a board that it knows and has heard of."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.app.inbox import Message
from gateway.app.ingest import Ingest
from gateway.app.updating import Updating
from gateway.store import devices, updates
from gateway.store.database import Database
from gateway.store.thread import StoreThread
from gateway.update.manifest import LAST
from gateway.wire import topics
from gateway.wire.cose import open_sealed
from gateway.wire.downlink import decode_ack
from tools import onboard
from tools.forgery_draw import Genuine

__all__ = ["BOARD", "NEIGHBOUR", "NOW_MS", "REVOKED", "UNKNOWN", "Board", "House", "house"]

BOARD: Final = "5e0000000001"
NEIGHBOUR: Final = "5e0000000002"
REVOKED: Final = "5e0000000003"
UNKNOWN: Final = "5e0000000004"
NOW_MS: Final = 1_780_000_100_000

_CHANNELS: Final = (
    ("fridge_temp", "Cel", 1, 16, 0, "temperature"),
    ("door", "/", 1, 1, 1, "door"),
    ("top_shelf", "kg", 1, 1000, 0, "stock"),
    ("door_event", "/", 1, 1, 3, "door"),
)
_SERIES: Final = 3
_STEP_MS: Final = 10_000
_CLASS: Final = b"fridge-sim 2566"
_FILES: Final = {"link.mpy": b"l" * 1500, "main.py": b"m", LAST: b'{"board": "fridge-sim"}'}
_OTHERWISE: Final = ("counter", "dead_letter", "window", "sqlite_sequence")
"""Tables that are looked at in another way: the counters themselves, and what is written later than it is known."""


class Board:
    """Seals what a board says, with the firmware's own code."""

    def __init__(self, device: str, key: bytes) -> None:
        self.device = device
        self.key = key
        self._mac: Any = onboard.load("mac").Mac0(key)
        self._cbor: Any = onboard.load("cbor")
        self._frame: Any = onboard.load("frame")

    def say(self, role: str, payload: bytes) -> Genuine:
        """Any payload."""
        return Genuine(self.device, role, bytes(self._mac.seal(role.encode(), payload)))

    def items(self, role: str, *items: Any) -> Genuine:
        """A message that is an array."""
        return self.say(role, self._cbor.dumps([1, *items]))

    def birth(self, boot: int) -> Genuine:
        """What it was in that boot: it had another name in each."""
        return self.items("birth", boot, "fridge", "fridge-sim", f"0.{boot}.0", f"Fridge {boot}", list(_CHANNELS))

    def frame(self, boot: int, seq: int) -> Genuine:
        """A frame of any form: one row, few or many, events, or a gap."""
        uptime_ms = seq * 700_000
        time_s = NOW_MS // 1000 - 86_400 * (9 - boot) + uptime_ms // 1000
        if seq % 4 == 3:
            events = [(3, 1000 * n, n & 1) for n in range(seq)]
            return self.say("up", self._frame.events_frame(boot, seq, time_s, uptime_ms, events))
        if seq % 8 == 6:
            return self.say("up", self._frame.gap_frame(boot, seq, time_s, uptime_ms, boot, 1, 1))
        rows = (1, 6, 60)[seq % 3]
        columns = self._frame.Columns(_SERIES, rows)
        for n in range(rows):
            columns.add((300 + n * 7919 % (seq * 37), n & 1, None if n % 5 == 2 else 1500 + n * 104_729 % 999))
        framer = self._frame.Framer(_SERIES, rows)
        return self.say("up", framer.columns(boot, seq, time_s, uptime_ms, _STEP_MS, columns))


class _Spoken:
    """A source that keeps what the gateway says to boards."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        raise NotImplementedError

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:  # noqa: ARG002 - as the protocol has it
        self.said.append((topic, payload))
        return True


class House:
    """What a gateway does with messages, without its broker. `hear` takes some, and returns when all is done."""

    def __init__(self, path: Path) -> None:
        self.db = Database(path)
        self._store = StoreThread()
        self._source = _Spoken()
        self._ingest = Ingest(self.db, self._store, self._source, lambda: NOW_MS)
        self._updating = Updating(self.db, self._store, self._source, self._ingest.looked)
        self._updating.order.build = lambda _: ("9.9.9", dict(_FILES))
        self._tasks = [asyncio.create_task(part.run()) for part in (self._ingest, self._updating)]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._store.close()
        self.db.close()

    async def hear(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Take (topic, message) as the gateway does: what is wanted of updates first, then ingest."""
        for topic, message in messages:
            if not self._updating.takes(Message(topic, message)):
                await self._ingest.deliver(Message(topic, message))
            elif self._updating.waiting > 50:
                await self._answered()
        await self._ingest.settle()
        await self._answered()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _answered(self) -> None:
        while self._updating.waiting:
            await self._store(int)
        # A word that is refused asks the store once; one that is taken, a few times.
        for _ in range(6):
            await self._store(int)

    async def order(self, device: str) -> int:
        """Begin an update of a board that is online; the number of its manifest, once the board was told it."""
        await self._store(lambda: updates.order(self.db, {device: 0}, NOW_MS, ask=False))
        self._updating.changed()
        known = await self._store(lambda: devices.registry(self.db)[device])
        board = Board(device, known.key)
        has = board.items("want", 0, 0, _CLASS, "a", bytes(32))
        while not (row := (await self._store(updates.rows, self.db))[device]).sequence:
            await self.hear([(topics.topic(device, "want"), has.sealed)])
            await asyncio.sleep(0.01)
        return row.sequence

    async def counters(self) -> Counter[str]:
        """Everything that is counted."""
        return Counter(await self._store(self.db.counters))

    async def state(self) -> list[Any]:
        """All that is known but for counters and dead letters; two that are equal are of stores that hold the same."""
        return await self._store(self._state)

    def _state(self) -> list[Any]:
        sql = self.db.connection
        tables = [name for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found: list[Any] = [
            (table, sql.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608 - names of our own tables
            for table in tables
            if table not in {*_OTHERWISE, "meta"}
        ]
        found.append(sql.execute("SELECT * FROM meta WHERE name <> 'saved_id' ORDER BY name").fetchall())
        self.db.windows.refresh()
        for device in devices.registry(self.db).values():
            found.append((device.device, device.online, device.quiet, device.seen_ms))
            found += [
                (b.boot, b.window.upto, b.window.islands, b.missing, b.clock, b.last_id, b.wait_id, b.old, b.birth)
                for b in self.db.windows.of_device(device.id)
            ]
        return found

    def told(self, board: Board) -> list[str]:
        """What was said to boards since the last time that it should not have been, had nothing new come: all but acks
        to `board` that repeat what is on disk, and questions what it has."""
        said, self._source.said = self._source.said, []
        wrong = []
        for topic, message in said:
            device, what = topic.split("/")[2:]
            if device == board.device and what == "ack":
                id_ = devices.registry(self.db)[device].id
                for boot, seq in decode_ack(open_sealed(board.key, "ack", message)).upto:
                    known = self.db.windows.find(id_, boot)
                    if known is None or seq != known.window.upto:
                        wrong.append(f"an ack of boot {boot} up to {seq}")
            elif device != board.device or open_sealed(board.key, what, message) != b"\x82\x01\x00":
                wrong.append(f"a message on {topic}")
        return wrong


@asynccontextmanager
async def house(path: Path, boards: Sequence[Board]) -> AsyncIterator[House]:
    """A household with these boards, of which REVOKED was revoked."""
    made = House(path)
    try:
        for board in boards:
            devices.enrol(made.db, board.device, f"Board {board.device[-2:]}", NOW_MS, board.key)
            if board.device == REVOKED:
                devices.revoke(made.db, board.device, NOW_MS)
        yield made
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await made.close()
