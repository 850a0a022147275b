"""Reads what is left at the end: the gateway's database and the stand-in cloud's, both only read, with SQL of its own.

Frames are decoded by the gateway's wire; where they lie in time is what the store says, not worked out again.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app.borrowing import borrowed
from gateway.consent.pseudonym import Pseudonyms
from gateway.forward.cloudevent import coarse
from gateway.wire import topics
from gateway.wire.birth import Birth, decode_birth
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import Frame, decode
from tools.chaos_compare import Reading
from tools.chaos_times import Stored

__all__ = ["Store", "cloud_events", "drained", "read_store"]

_FRAMES = (
    "SELECT device, boot, seq, sealed, time_ms FROM frame JOIN device ON device.id = frame.device_id ORDER BY frame.id"
)
_BIRTHS = "SELECT device, boot, birth FROM boot JOIN device ON device.id = boot.device_id WHERE birth IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Store:
    """What the gateway's database holds. `shared`: the readings that a grant for everything lets out, each with the
    frames that say it."""

    rows: list[Stored]
    reused: list[tuple[str, int, int]]
    dead: Counter[str]
    counters: dict[str, int]
    shared: dict[Reading, list[str]]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with borrowed(path), closing(sqlite3.connect(uri, uri=True, timeout=20)) as db:
        yield db


def read_store(path: Path, recipient: str) -> Store:
    """All of it; the gateway may run meanwhile. Raises sqlite3.Error and StoreError."""
    with _opened(path) as db:
        (secret,) = db.execute("SELECT value FROM meta WHERE name = 'household_secret'").fetchone()
        names = Pseudonyms(bytes(secret), recipient)
        rows: list[Stored] = []
        shared: dict[Reading, list[str]] = defaultdict(list)
        births: dict[str, dict[int, Birth]] = defaultdict(dict)
        for device, boot, birth in db.execute(_BIRTHS):
            births[device][boot] = decode_birth(birth)
        for device, boot, seq, sealed, time_ms in db.execute(_FRAMES):
            frame = decode(split(sealed))
            row = _row(device, boot, seq, sealed, time_ms, frame)
            rows.append(row)
            if births[device] and time_ms is not None:
                # No board changes what it is in a run: a boot that died before it could say so was the same.
                nearest = min(births[device], key=lambda other: abs(other - boot))
                origin = row.name + ("" if nearest == boot else ", a boot without a birth")
                for reading in _readings(names.device(device), frame, births[device][nearest], time_ms):
                    shared[reading].append(origin)
        letters = db.execute("SELECT topic, reason, payload FROM dead_letter").fetchall()
        counters = dict(db.execute("SELECT name, n FROM counter"))
    reused = [name for topic, reason, payload in letters if reason == "seq_reused" and (name := _name(topic, payload))]
    return Store(rows, reused, Counter(reason for _, reason, _ in letters), counters, shared)


def drained(path: Path) -> bool:
    """Whether every sink has decided on every frame whose time and birth are known, and has sent what it could."""
    with _opened(path) as db:
        (newest,) = db.execute("SELECT coalesce(max(id), 0) FROM frame").fetchone()
        (behind,) = db.execute("SELECT count(*) FROM sink WHERE cursor < ?", (newest,)).fetchone()
        (waiting,) = db.execute("SELECT count(*) FROM outbox").fetchone()
        (parked,) = db.execute(
            "SELECT count(*) FROM parked JOIN frame ON frame.id = frame_id JOIN boot USING (device_id, boot) "
            "WHERE time_ms IS NOT NULL AND birth IS NOT NULL"
        ).fetchone()
    return not behind and not waiting and not parked


def cloud_events(path: Path) -> Iterator[dict[str, Any]]:
    """Every event that the cloud holds."""
    with _opened(path) as db:
        for (body,) in db.execute("SELECT body FROM events"):
            yield json.loads(body)


def _row(device: str, boot: int, seq: int, sealed: bytes, time_ms: int | None, frame: Frame) -> Stored:
    first, last = 0, 0  # of its readings, in milliseconds after its beginning
    if frame.rows:
        # A thinned row stands for `each`, the last of which is almost a step later.
        last = frame.rows * frame.step_ms - frame.step_ms // frame.each
    elif frame.events:
        offsets = [event.offset_ms for event in frame.events]
        first, last = min(offsets), max(offsets)
    return Stored(
        device,
        boot,
        seq,
        zlib.crc32(sealed),
        start_ms=None if time_ms is None else time_ms + first,
        end_ms=None if time_ms is None else time_ms + last,
        is_series=bool(frame.columns),
        gap=None if frame.gap is None else (frame.gap.boot, frame.gap.first, frame.gap.last),
        first_up_ms=frame.uptime_ms + first,
        last_up_ms=frame.uptime_ms + last,
        own_ms=None if frame.time_ms is None else frame.time_ms + first,
    )


def _readings(who: str, frame: Frame, birth: Birth, start_ms: int) -> Iterator[Reading]:
    """What may leave of a frame, with times as they leave."""
    for event in frame.events:
        channel = birth.channels[event.channel]
        yield who, channel.name, coarse(start_ms + event.offset_ms), float(channel.scaled(event.value))
    if frame.columns:
        for (_, channel), column in zip(birth.series, frame.columns, strict=True):
            first_ms: int | None = None  # of row 0, by the time of the series that row i is in: a hole ends one
            for i, value in enumerate(column):
                if value is None:
                    first_ms = None
                    continue
                if first_ms is None:
                    first_ms = coarse(start_ms + i * frame.step_ms, frame.step_ms) - i * frame.step_ms
                yield who, channel.name, first_ms + i * frame.step_ms, float(channel.scaled(value))


def _name(topic: str, payload: bytes) -> tuple[str, int, int] | None:
    place = topics.parse(topic)
    try:
        frame = decode(split(payload))
    except WireError:
        return None
    return (place[0], frame.boot, frame.seq) if place else None
