"""The way back from stored frames to readings."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.store.clock import LABELS, Clock, Span
from gateway.store.database import Database
from gateway.store.timing import CHAIN
from gateway.wire.birth import Birth
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import Frame, decode

log = logging.getLogger(__name__)

CLOCK_WAIT_MS = 86_400_000
"""How long a frame without a time waits for its board's clock before a sink decides that nobody knows it."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A stored frame with all that is needed to read it.

    `time_ms`: Unix ms of its first row or event, None while nobody knows; `label` says how it is known. `turn`: the id
    with which it got its time. `in_order`: every frame of its boot with a lower number is known; `clock`: its boot has
    a clock, so a frame that is in order and has no time will never get one.
    """

    id: int
    device_id: int
    device: str
    seq: int
    received_ms: int
    frame: Frame
    birth: Birth
    time_ms: int | None
    label: str
    turn: int
    in_order: bool
    clock: bool

    @property
    def order(self) -> tuple[int, int, int, int]:
        """What a sink sorts by: first come, first served, but no frame before one of its boot with a lower number."""
        return self.turn, self.device_id, self.frame.boot, self.seq

    def decidable(self, now_ms: int) -> bool:
        """Whether a sink may decide on it: its time is known, or will hardly ever be."""
        return self.time_ms is not None or (
            self.in_order and (self.clock or self.received_ms <= now_ms - CLOCK_WAIT_MS)
        )

    def start(self) -> tuple[int, str]:
        """(Unix ms of the first row, label), for showing: measured: by the board's clock; placed: by the clock that the
        same boot had at another time; arrival: the board had no clock, so its last row is put at the time of arrival.

        A frame that has no time yet because others before it have not come is shown by its own clock.
        """
        if self.time_ms is not None:
            return self.time_ms, self.label
        span = Span.of(self.frame)
        if Clock().accepts(span, self.received_ms) and self.frame.time_ms is not None:
            return self.frame.time_ms, LABELS[0]
        last_ms = span.starts_ms if span.last_ms is None else span.last_ms
        return self.received_ms - (last_ms - span.starts_ms), self.label


@dataclass(slots=True)
class Look:
    """What a sink sees of the frames: those that can be read, and the ids of those whose birth has not come, and of
    those that are damaged on the disk. `last`: the highest id that was looked at."""

    frames: list[StoredFrame] = field(default_factory=list)
    unborn: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    last: int = 0


_COLUMNS = (
    "frame.id, frame.device_id, device.device, frame.boot, frame.seq, frame.received_ms, frame.time_ms, frame.label, "
    "frame.turn, frame.sealed"
)
_JOIN = "frame JOIN device ON device.id = frame.device_id"
_TURN = "coalesce(frame.turn, frame.id)"
# The window as it was saved may lag behind: then a frame that has no time waits a little longer.
DECIDABLE = (
    "EXISTS (SELECT 1 FROM boot WHERE boot.device_id = frame.device_id AND boot.boot = frame.boot) AND "
    f"(frame.time_ms IS NOT NULL AND {_TURN} <= ? OR frame.time_ms IS NULL AND EXISTS (SELECT 1 FROM window "
    "WHERE old IN (0, 1) AND window.device_id = frame.device_id AND window.boot = frame.boot AND upto >= frame.seq "
    "AND (offset_s IS NOT NULL OR frame.received_ms <= ?)))"
)
_Row = tuple[int, int, str, int, int, int, int | None, int, int | None, bytes]


class FrameReader:
    """Reads stored frames. What was read of the births stays with the database's windows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def after(self, cursor: int, limit: int) -> Look:
        """The frames after an id, in order of storing."""
        rows = self._db.connection.execute(
            f"SELECT {_COLUMNS} FROM {_JOIN} WHERE frame.id > ? ORDER BY frame.id LIMIT ?", (cursor, limit)
        ).fetchall()
        look = self._read(rows)
        look.last = rows[-1][0] if rows else cursor
        return look

    def parked(self, sink: str, until: int, now_ms: int, limit: int) -> Look:
        """The frames that this sink has parked and can decide on, of those whose turn has come by id `until`, in the
        order in which they are to be taken."""
        rows = self._db.connection.execute(
            f"SELECT {_COLUMNS} FROM parked JOIN {_JOIN} WHERE frame.id = parked.frame_id AND parked.sink = ? "
            f"AND {DECIDABLE} ORDER BY {_TURN}, frame.device_id, frame.boot, frame.seq LIMIT ?",
            (sink, until, now_ms - CLOCK_WAIT_MS, limit),
        ).fetchall()
        return self._read(rows)

    def parked_ready(self, sink: str, now_ms: int) -> int:
        """How many frames that this sink has parked it can decide on."""
        (n,) = self._db.connection.execute(
            f"SELECT count(*) FROM parked JOIN frame ON frame.id = parked.frame_id WHERE sink = ? AND {DECIDABLE}",
            (sink, self._db.windows.newest_id, now_ms - CLOCK_WAIT_MS),
        ).fetchone()
        return int(n)

    def of_device(self, device_id: int, newest: int) -> list[StoredFrame]:
        """The newest frames of a device that can be read, oldest first; those above a gap too."""
        self._db.windows.refresh()
        rows: list[_Row] = []
        for boot in self._db.windows.of_device(device_id):
            if boot.last_id and boot.born is not None:
                rows += self._db.connection.execute(
                    f"{CHAIN} SELECT {_COLUMNS} FROM chain JOIN {_JOIN} WHERE frame.id = chain.id",
                    (boot.last_id, 0, newest - len(rows)),
                )
            if len(rows) >= newest:
                break
        return sorted(self._read(rows).frames, key=lambda f: (f.frame.boot, f.seq))

    def all(self) -> Iterator[StoredFrame]:
        """Every frame that can be read, in order of storing."""
        look = self.after(0, 500)
        while look.last:
            yield from look.frames
            last = look.last
            look = self.after(last, 500)
            if look.last == last:
                return

    def _read(self, rows: Iterable[_Row]) -> Look:
        look = Look()
        windows = self._db.windows
        windows.refresh()
        for id_, device_id, device, number, seq, received_ms, time_ms, label, turn, sealed in rows:
            boot = windows.find(device_id, number)
            if boot is None or boot.born is None:
                look.unborn.append(id_)
                continue
            try:
                frame = decode(split(sealed))
            except WireError as why:
                log.warning("frame %d of %s, stored whole, cannot be read any more: %s", id_, device, why)
                look.broken.append(id_)
                continue
            look.frames.append(
                StoredFrame(
                    id_, device_id, device, seq, received_ms, frame, boot.born, time_ms, LABELS[label], turn or id_,
                    seq <= boot.window.upto, boot.clock.offset_s is not None,
                )
            )  # fmt: skip
        return look
