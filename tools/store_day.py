"""A day of a fleet's frames through the whole gateway, in a process of its own that counts what it writes to disk."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from gateway.app import gateway as gateway_module
from gateway.app.gateway import Gateway
from gateway.app.inbox import Message
from gateway.app.settings import Settings, SinkSettings, Store
from gateway.store import devices
from gateway.wire import topics
from tools import household_loop
from tools.fleet_frames import KEY, Blank, birth, device_name, sealed

__all__ = ["Arrival", "Day", "arrivals", "live", "rows_one_by_one", "written_bytes"]

START_S = 1_795_000_000
SETTLE_S = 3600
"""All boards have come by then, and what is counted begins."""
_FLUSH_S = 30
"""How old a dirty page of a mapped file gets before Linux writes it (vm.dirty_expire_centisecs)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it reaches the gateway, in milliseconds of the day."""

    at_ms: int
    topic: str
    payload: bytes
    values: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was counted: from SETTLE_S to the end, the gateway's closing included."""

    values: int
    frames: int
    commits: int
    acks: int
    written_bytes: int
    file_bytes: int


def arrivals(blanks: Sequence[Blank], number: int) -> list[Arrival]:
    """All that board `number` says: it starts at some moment of the first hour and begins with its birth."""
    dice = random.Random(number)
    start_ms = dice.randrange(SETTLE_S * 1000)
    name = device_name(number)
    up = topics.topic(name, "up")
    said = [Arrival(start_ms, topics.topic(name, "birth"), birth(), 0)]
    for seq, blank in enumerate(blanks, start=1):
        message = sealed(blank, 1, seq, START_S + start_ms // 1000)
        said.append(Arrival(start_ms + blank.due_ms + 1 + dice.randrange(50), up, message, blank.values))
        # A board sends in order, however the network stretches the way.
        said[-1] = Arrival(max(said[-1].at_ms, said[-2].at_ms), up, message, blank.values)
    return said


def written_bytes() -> int:
    """What this process has had written to storage so far: pages that it dirtied, each time that it did."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(fields["write_bytes"])


class _Script:
    """The gateway's source: delivers at the arrivals' times, and counts the acks."""

    def __init__(self, day: Sequence[Arrival]) -> None:
        self._day = day
        self.trouble: str | None = None
        self.dropped = 0
        self.acks = 0
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        self.connected.set()
        for arrival in self._day:
            await asyncio.sleep(arrival.at_ms / 1000 - loop.time())
            await deliver(Message(arrival.topic, arrival.payload))
        self.ended.set()
        await asyncio.Event().wait()

    async def publish(self, _topic: str, _payload: bytes, *, retain: bool) -> bool:
        del retain
        self.acks += 1
        return True


def _write_out(path: Path) -> None:
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())


async def _flush(database: Path) -> None:
    """In the place of the kernel, whose time does not jump: the index of the log is mapped, and written when old.
    (While the gateway holds its database there is none.)"""
    mapped = Path(f"{database}-shm")
    while True:
        await asyncio.sleep(_FLUSH_S)
        _write_out(mapped)


async def _tell(hours: float) -> None:
    while True:
        await asyncio.sleep(3600)
        hour = asyncio.get_running_loop().time() / 3600
        print(f"\r  hour {hour:.0f} of {hours:.0f} ", end="", file=sys.stderr, flush=True)


async def _live(folder: Path, boards: Sequence[Sequence[Blank]], hours: float, sinks: Sequence[SinkSettings]) -> Day:
    day = [a for n, blanks in enumerate(boards) for a in arrivals(blanks, n) if a.at_ms < hours * 3_600_000]
    day.sort(key=lambda a: a.at_ms)
    script = _Script(day)
    loop = asyncio.get_running_loop()
    database = folder / "day.sqlite"
    with patch.object(gateway_module, "MqttSource", lambda *_, **__: script):
        gateway = Gateway(
            Settings(store=Store(path=database), sinks=tuple(sinks)),
            now_ms=lambda: START_S * 1000 + int(loop.time() * 1000),
        )
    for number in range(len(boards)):
        name = device_name(number)
        await gateway.store(devices.enrol, gateway.db, name, name, gateway.now_ms(), KEY)
    helpers = [asyncio.create_task(_flush(database)), asyncio.create_task(_tell(hours))]
    await gateway.start()
    await asyncio.sleep(SETTLE_S - loop.time())
    await gateway.ingest.settle()
    before, counters, acks = written_bytes(), await gateway.store(gateway.db.counters), script.acks
    await script.ended.wait()
    await gateway.ingest.settle()
    after = await gateway.store(gateway.db.counters)
    for helper in helpers:
        helper.cancel()
    await gateway.close()
    os.sync()
    grown = {name: after.get(name, 0) - counters.get(name, 0) for name in after}
    return Day(
        grown["values_stored"],
        grown["frames_stored"],
        grown["commits"],
        script.acks - acks,
        written_bytes() - before,
        database.stat().st_size,
    )


def live(folder: Path, boards: Sequence[Sequence[Blank]], hours: float, sinks: Sequence[SinkSettings]) -> Day:
    """The day of these boards through a gateway with those sinks. For a process that does nothing else."""
    return household_loop.run(_live(folder, boards, hours, sinks))


def rows_one_by_one(folder: Path, readings: int) -> float:
    """Bytes written a value by what one would write first: a row and a commit a reading, WAL and synchronous=FULL."""
    before = written_bytes()
    db = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE reading (time_ms INTEGER, device TEXT, channel TEXT, value REAL)")
    for n in range(readings):
        # Outside of BEGIN each statement is a transaction of its own.
        row = (START_S * 1000 + n * 10_000, device_name(n % 50), "fridge_temp", 4 + n % 16 / 16)
        db.execute("INSERT INTO reading VALUES (?, ?, ?, ?)", row)
    db.close()
    os.sync()
    return (written_bytes() - before) / readings
