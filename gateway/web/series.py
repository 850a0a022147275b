"""The readings of one channel out of the stored frames: for the chart and for the API. Runs in the store's thread."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.store.database import Database
from gateway.store.reader import FrameReader, StoredFrame
from gateway.wire.birth import Channel

# How far back one question may read: a bound on the time for which the store's thread does nothing else.
MAX_FRAMES = 1500
MAX_POINTS = 400
_FIRST_LOOK = 40
_LATE_LOOK = 8
# A pause of the readings longer than this is drawn as a gap.
_GAP_MS = 900_000


@dataclass(frozen=True, slots=True)
class Point:
    """One reading: Unix ms, scaled integer (None = no reading), how its time is known."""

    time_ms: int
    raw: int | None
    time_label: str


@dataclass(frozen=True, slots=True)
class Series:
    """The newest readings of a channel, oldest first. `frame_id`: the newest frame that was read."""

    channel: Channel | None
    points: tuple[Point, ...]
    frame_id: int


def last_hours(db: Database, device_id: int, channel: str, hours: float) -> Series:
    """The readings of the last `hours` before the newest one, from at most MAX_FRAMES frames."""
    reader = FrameReader(db)
    frames = reader.of_device(device_id, _FIRST_LOOK)
    span_ms = _span(frames)
    wanted_ms = int(hours * 3_600_000)
    if len(frames) == _FIRST_LOOK and span_ms < wanted_ms:
        # One more look, as far back as frames of this length need, with a quarter to spare.
        more = min(MAX_FRAMES, int(_FIRST_LOOK * 1.25 * wanted_ms / max(span_ms, 1)) + 1)
        frames = reader.of_device(device_id, more)
    return _within(series(frames, channel), hours)


def since(db: Database, device_id: int, channel: str, known: Series, hours: float) -> Series:
    """`known`, with what came after it; read anew where too much came to look only at the end."""
    frames = FrameReader(db).of_device(device_id, _LATE_LOOK)
    if len(frames) == _LATE_LOOK and min(f.id for f in frames) > known.frame_id:
        return last_hours(db, device_id, channel, hours)
    late = series((f for f in frames if f.id > known.frame_id), channel)
    points = sorted((*known.points, *late.points), key=lambda p: p.time_ms)
    return _within(Series(late.channel or known.channel, tuple(points), max(known.frame_id, late.frame_id)), hours)


def newest(db: Database, device_id: int, channel: str, limit: int) -> Series:
    """The newest `limit` readings, from at most MAX_FRAMES frames."""
    reader = FrameReader(db)
    look = _FIRST_LOOK
    while True:
        frames = reader.of_device(device_id, look)
        found = series(frames, channel)
        if len(found.points) >= limit or len(frames) < look or look >= MAX_FRAMES:
            return Series(found.channel, found.points[-limit:], found.frame_id)
        look = min(4 * look, MAX_FRAMES)


def series(frames: Iterable[StoredFrame], channel: str) -> Series:
    """What `frames` hold of a channel, by time."""
    points: list[Point] = []
    known: Channel | None = None
    newest_id = 0
    for stored in frames:
        newest_id = max(newest_id, stored.id)
        index = next((i for i, c in enumerate(stored.birth.channels) if c.name == channel), None)
        if index is None or not stored.birth.fits(stored.frame):
            continue
        known = stored.birth.channels[index]
        start_ms, label = stored.start()
        frame = stored.frame
        if frame.events:
            points.extend(Point(start_ms + e.offset_ms, e.value, label) for e in frame.events if e.channel == index)
            continue
        if not frame.columns:
            continue  # it only says which frames are gone
        column = next((col for (i, _), col in zip(stored.birth.series, frame.columns, strict=True) if i == index), ())
        points.extend(Point(start_ms + row * frame.step_ms, raw, label) for row, raw in enumerate(column))
    points.sort(key=lambda p: p.time_ms)
    return Series(known, tuple(points), newest_id)


def thin(points: Iterable[Point], most: int = MAX_POINTS) -> list[tuple[int, int | None]]:
    """At most about `most` (time_ms, raw) that still show every peak: lowest and highest of each stretch of readings.

    A pause in the readings becomes a None, so that no line is drawn across it.
    """
    there = [(p.time_ms, p.raw) for p in points]
    if len(there) > most:
        size = -(-2 * len(there) // most)
        kept: list[tuple[int, int | None]] = []
        for at in range(0, len(there), size):
            stretch = there[at : at + size]
            read = [(raw, time_ms) for time_ms, raw in stretch if raw is not None]
            if len(read) < len(stretch):
                kept.append(next(p for p in stretch if p[1] is None))
            if read:
                kept.extend((time_ms, raw) for raw, time_ms in {min(read), max(read)})
        there = sorted(kept, key=lambda p: p[0])
    drawn: list[tuple[int, int | None]] = []
    for time_ms, raw in there:
        if drawn and time_ms - drawn[-1][0] > _GAP_MS:
            drawn.append((time_ms - 1, None))
        drawn.append((time_ms, raw))
    return drawn


def _within(found: Series, hours: float) -> Series:
    if not found.points:
        return found
    since_ms = found.points[-1].time_ms - int(hours * 3_600_000)
    return Series(found.channel, tuple(p for p in found.points if p.time_ms >= since_ms), found.frame_id)


def _span(frames: list[StoredFrame]) -> int:
    starts = [f.start()[0] for f in frames]
    return max(starts) - min(starts) if starts else 0
