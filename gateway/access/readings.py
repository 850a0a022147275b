"""Reads stored frames, in the order of storing and in bounded memory, as readings with their names, units and times.

It runs beside a gateway: no transaction stays open between two steps, so that the log does not grow while somebody
exports for an hour.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from gateway.access.slices import AccessError, Slice
from gateway.store import damage
from gateway.store.clock import ARRIVAL, LABELS, MEASURED, PLACED
from gateway.store.database import Database
from gateway.store.reader import StoredFrame
from gateway.wire.birth import Birth, Channel, decode_birth
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import MAX_TIME_S, Frame, decode

UNKNOWN = LABELS[ARRIVAL]
"""The label of a time that nobody knows: what stands there was reckoned from the arrival."""

_STEP = 250
_MOST_BIRTHS = 512

# Asked for both at once, SQLite would go through all of them.
_ENDS = "SELECT (SELECT min(id) FROM frame), (SELECT max(id) FROM frame)"
_ROWS = (
    "SELECT id, device_id, boot, seq, received_ms, time_ms, label, turn, sealed FROM frame "
    "WHERE id > ? AND id <= ? ORDER BY id"
)
_Row = tuple[int, int, int, int, int, int | None, int, int | None, bytes]
Tick = Callable[[float, int], None]
"""Is told (share done from 0 to 1, readings and events so far) now and then."""


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of one channel in one frame: `raw` are its scaled integers, `rows` their places in the frame. Of a
    thinned frame `raw` are means, and `lows` and `highs` the ends; elsewhere those two are empty."""

    channel: Channel
    rows: Sequence[int]
    raw: Sequence[int]
    lows: Sequence[int] = ()
    highs: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What is wanted of one frame. `times_ms`: Unix ms by row, reckoned from the arrival where `label` is UNKNOWN.
    `kind`: of device, as its birth says; `name`: as the household calls it. `each`: readings that a row stands for."""

    device: str
    name: str
    kind: str
    boot: int
    seq: int
    received_ms: int
    label: str
    each: int
    times_ms: Sequence[int]
    runs: tuple[Run, ...]


@dataclass(slots=True)
class Tally:
    """What was handed out, and what could not be. `timeless`: of the readings and events, those without a time.
    `unborn`: frames whose device has not said what it measures; `damaged`: frames that cannot be read any more."""

    readings: int = 0
    events: int = 0
    timeless: int = 0
    devices: set[str] = field(default_factory=set)
    first_ms: int | None = None
    last_ms: int | None = None
    unborn: int = 0
    damaged: int = 0

    @property
    def all(self) -> int:
        """Readings and events."""
        return self.readings + self.events

    def add(self, block: Block, n: int, *, events: bool) -> None:
        """Count what is wanted of a frame."""
        self.devices.add(block.device)
        if events:
            self.events += n
        else:
            self.readings += n
        if block.label == UNKNOWN:
            self.timeless += n
            return
        # rows are in the order of time, events need not be
        told = [
            block.times_ms[row] for run in block.runs for row in (run.rows if events else (run.rows[0], run.rows[-1]))
        ]
        self.first_ms = min(told) if self.first_ms is None else min(self.first_ms, *told)
        self.last_ms = max(told) if self.last_ms is None else max(self.last_ms, *told)


@dataclass(frozen=True, slots=True)
class Words:
    """What the births of a household name."""

    channels: frozenset[str]
    categories: frozenset[str]
    units: frozenset[str]


class Readings:
    """The readings and events of a slice. `tally` counts while `blocks` is read. Raises AccessError if the slice names
    a device, category or channel that was never here."""

    def __init__(self, db: Database, wanted: Slice) -> None:
        self._db = db
        self._wanted = wanted
        self._devices: dict[int, tuple[str, str]] = {}
        self._births: dict[tuple[int, int], Birth | None] = {}
        self.tally = Tally()
        try:
            self.words = self._words()
            known = frozenset(device for (device,) in self._db.connection.execute("SELECT device FROM device"))
        except sqlite3.Error as why:
            raise self._unreadable(why) from why
        _known("device", wanted.devices, known)
        _known("category", wanted.categories, self.words.categories)
        _known("channel", wanted.channels, self.words.channels)

    def blocks(self, tick: Tick | None = None) -> Iterator[Block]:
        """Every frame that holds something of the slice, in the order of storing, up to the newest that is here now.
        Raises AccessError if the database cannot be read on."""
        try:
            first, newest = self._db.connection.execute(_ENDS).fetchone()
            if newest is None:
                return
            for after in range(first - 1, newest, _STEP):
                for row in self._rows(after, min(after + _STEP, newest)):
                    block = self._block(row)
                    if block is not None:
                        yield block
                if tick is not None:
                    tick(min(1.0, (after + _STEP - first + 1) / (newest - first + 1)), self.tally.all)
        except sqlite3.Error as why:
            raise self._unreadable(why) from why

    def _unreadable(self, why: sqlite3.Error) -> AccessError:
        return AccessError(f"{self._db.path} cannot be read: {why}. `hearthgate doctor` looks at it.")

    def _rows(self, after: int, until: int) -> list[_Row]:
        try:
            return self._db.connection.execute(_ROWS, (after, until)).fetchall()
        except sqlite3.DatabaseError as why:
            if not damage.is_damage(None, why):
                raise
            if until - after == 1:
                self.tally.damaged += 1
                return []
            return [row for id_ in range(after, until) for row in self._rows(id_, id_ + 1)]

    def _block(self, row: _Row) -> Block | None:
        id_, device_id, boot, seq, received_ms, time_ms, label, turn, sealed = row
        if not _sound(received_ms, time_ms, label):
            self.tally.damaged += 1
            return None
        device, name = self._device(device_id)
        wanted = self._wanted
        late = wanted.to_ms is not None and time_ms is not None and time_ms >= wanted.to_ms
        if late or not wanted.takes_device(device):
            return None
        try:
            frame = decode(split(sealed))
            birth = self._birth(device_id, boot)
        except (WireError, TypeError):  # damage may leave a text or a number where bytes were
            self.tally.damaged += 1
            return None
        if birth is None:
            self.tally.unborn += frame.readings > 0
            return None
        if not birth.fits(frame):
            self.tally.damaged += 1
            return None
        stored = StoredFrame(
            id_, device_id, device, seq, received_ms, frame, birth, time_ms, LABELS[label], turn or id_,
            in_order=False, clock=False,
        )  # fmt: skip
        start_ms, shown = stored.start()
        times_ms = _times(frame, start_ms)
        if wanted.from_ms is None and wanted.to_ms is None:
            inside = None
        elif shown == UNKNOWN:
            inside = None if wanted.takes_time(received_ms) else frozenset[int]()
        else:
            inside = frozenset(row for row, at_ms in enumerate(times_ms) if wanted.takes_time(at_ms))
        runs = tuple((_event_runs if frame.events else _series_runs)(frame, birth, wanted, inside))
        n = sum(len(run.rows) for run in runs)
        if n == 0:
            return None
        block = Block(device, name, birth.kind, boot, seq, received_ms, shown, frame.each, times_ms, runs)
        self.tally.add(block, n, events=bool(frame.events))
        return block

    def _device(self, device_id: int) -> tuple[str, str]:
        known = self._devices.get(device_id)
        if known is None:
            row = self._db.connection.execute("SELECT device, name FROM device WHERE id = ?", (device_id,)).fetchone()
            # Only a damaged frame is of nobody.
            known = self._devices[device_id] = row or ("", "")
        return known

    def _birth(self, device_id: int, boot: int) -> Birth | None:
        key = device_id, boot
        if key not in self._births:
            if len(self._births) >= _MOST_BIRTHS:
                self._births.clear()
            row = self._db.connection.execute("SELECT birth FROM boot WHERE device_id = ? AND boot = ?", key).fetchone()
            self._births[key] = decode_birth(row[0]) if row else None
        return self._births[key]

    def _words(self) -> Words:
        channels: set[Channel] = set()
        for (birth,) in self._db.connection.execute("SELECT birth FROM boot"):
            try:
                channels.update(decode_birth(birth).channels)
            except (WireError, TypeError):
                continue  # its frames are counted as damaged
        return Words(
            frozenset(c.name for c in channels), frozenset(c.category for c in channels),
            frozenset(c.unit for c in channels),
        )  # fmt: skip


def _known(what: str, asked: frozenset[str], known: frozenset[str]) -> None:
    for word in sorted(asked - known):
        there = ", ".join(sorted(known)) or "none yet"
        raise AccessError(f"no {what} {word!r} was ever here; there: {there}.")


def _sound(received_ms: object, time_ms: object, label: object) -> bool:
    """Whether these can be what was stored: SQLite does not notice damage within a row."""
    return label in {MEASURED, PLACED, ARRIVAL} and all(
        type(ms) is int and 0 <= ms <= MAX_TIME_S * 1000 for ms in (received_ms, time_ms or 0)
    )


def _times(frame: Frame, start_ms: int) -> Sequence[int]:
    if frame.events:
        return [start_ms + event.offset_ms for event in frame.events]
    if frame.step_ms == 0:
        return [start_ms] * frame.rows
    return range(start_ms, start_ms + frame.rows * frame.step_ms, frame.step_ms)


def _event_runs(frame: Frame, birth: Birth, wanted: Slice, inside: frozenset[int] | None) -> Iterator[Run]:
    """Events keep their order: a run ends where another channel speaks."""
    for index, group in groupby(enumerate(frame.events), key=lambda item: item[1].channel):
        channel = birth.channels[index]
        if wanted.takes_channel(channel):
            said = [(row, event.value) for row, event in group if inside is None or row in inside]
            if said:
                yield Run(channel, [row for row, _ in said], [value for _, value in said])


def _series_runs(frame: Frame, birth: Birth, wanted: Slice, inside: frozenset[int] | None) -> Iterator[Run]:
    for column, (_, channel) in enumerate(birth.series[: len(frame.columns)]):
        if not wanted.takes_channel(channel):
            continue
        values = frame.columns[column]
        rows: Sequence[int] = range(len(values))
        if inside is not None or None in values:
            rows = [row for row, raw in enumerate(values) if raw is not None and (inside is None or row in inside)]
        if rows:
            # A thinned row has all three or none.
            picked = [[part[column][row] for row in rows] for part in (frame.columns, frame.lows, frame.highs) if part]
            yield Run(channel, rows, *picked)  # type: ignore[arg-type] # None was left out
