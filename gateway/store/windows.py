"""What the store keeps in hand of each boot: which numbers are here, its clock, its newest frame.

All of it follows from the frames, so it is not written with each of them: it is saved now and then, and what came since
is read again from the frames themselves, after a crash or when another process has written. Only what no frame tells
(a number that is known to be missing, an older frame that got its time) is saved in the transaction that brings it.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.store.clock import Clock, Neighbours, Span
from gateway.store.window import Window, WindowFull
from gateway.wire.birth import Birth, decode_birth
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import Frame, decode

SAVE_FRAMES = 500
"""After so many frames everything is saved: what opening the database reads again, and a page or two a save."""
_MAX_BOOTS = 4096
_BOOTS_BESIDE = 16

_COLUMNS = "upto, islands, missing, last_id, wait_id, offset_s, begin_ms, end_ms, ahead_ms, seen_ms"


@dataclass(slots=True)
class Boot:
    """One boot of a device. The fields are those of its row in `window`; `birth` is None until it has come. `again`:
    frames came a second time while it was None (not kept: it is seen again)."""

    device_id: int
    boot: int
    window: Window = field(default_factory=Window)
    missing: int = 0
    last_id: int = 0
    wait_id: int | None = None
    clock: Clock = field(default_factory=Clock)
    seen_ms: int = 0
    old: bool = False
    birth: bytes | None = None
    dirty: bool = True
    again: bool = False
    _read: Birth | None = None

    @property
    def born(self) -> Birth | None:
        """Its birth, decoded."""
        if self._read is None and self.birth is not None:
            self._read = decode_birth(self.birth)
        return self._read

    def heard(self, id_: int, seq: int, received_ms: int, *, timed: bool) -> None:
        """Frame `id_` was stored."""
        if not timed and self.wait_id is None and (seq > self.window.upto or self.clock.offset_s is None):
            self.wait_id = id_
        self.last_id = id_
        self.seen_ms = max(self.seen_ms, received_ms)
        self.dirty = True


class Windows:
    """The boots, as one connection sees them. `counted` is what `counter` will gain with the next save."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._boots: dict[int, dict[int, Boot]] = {}
        self._version = -1
        self._saved_id = 0
        self.newest_id = 0
        self.counted: Counter[str] = Counter()
        self.unsaved = False

    def use(self, sql: sqlite3.Connection) -> None:
        """Go on with another connection to the same file."""
        self._sql = sql
        self.forget()

    def forget(self) -> None:
        """What is in memory may be wrong (a transaction was taken back): the disk is asked again."""
        self._version = -1
        self._boots.clear()

    def refresh(self) -> None:
        """See what other processes have written. Every other method expects this within the same transaction, or at
        least since this connection was last idle."""
        (version,) = self._sql.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.forget()
            self._read_since()
            self._version = version

    def find(self, device_id: int, boot: int) -> Boot | None:
        """A boot that was heard of; None for any other."""
        known = self._boots.get(device_id, {}).get(boot)
        if known is None:
            known = self._load(device_id, boot)
            if known is not None:
                self._boots.setdefault(device_id, {})[boot] = known
        return known

    def get(self, device_id: int, boot: int) -> Boot:
        """A boot; heard of from now on, if it was not. In a transaction."""
        known = self.find(device_id, boot)
        if known is None:
            newest = self.newest_boot(device_id)
            known = Boot(device_id, boot, old=boot < newest)
            if boot > newest:
                self._sql.execute("UPDATE window SET old = 1 WHERE old = 0 AND device_id = ?", (device_id,))
                for other in self._boots.get(device_id, {}).values():
                    other.old = True
            self._boots.setdefault(device_id, {})[boot] = known
            self.save(known)
        return known

    def newest_boot(self, device_id: int) -> int:
        """The highest boot of a device that was heard of; 0 for none."""
        row = self._sql.execute("SELECT max(boot) FROM window WHERE old = 0 AND device_id = ?", (device_id,)).fetchone()
        return row[0] or 0

    def beside(self, boot: Boot, received_ms: int) -> Neighbours:
        """Where the readings of the boots before and after end and begin, for a frame that came at this time."""
        before = self._around(boot, "< ?", "DESC")
        after = self._around(boot, "> ?", "ASC") if boot.old else ()
        return Neighbours.of((b.clock.end_ms for b in before), (b.clock.begin_ms for b in after), received_ms)

    def of_device(self, device_id: int) -> Iterator[Boot]:
        """Every boot of a device, newest first."""
        numbers = self._sql.execute(
            "SELECT boot FROM window WHERE old IN (0, 1) AND device_id = ? ORDER BY boot DESC", (device_id,)
        )
        for (number,) in numbers:
            boot = self.find(device_id, number)
            if boot is not None:
                yield boot

    def newest(self) -> dict[int, Boot]:
        """The newest boot of every device, by device row."""
        rows = self._sql.execute("SELECT device_id, boot FROM window WHERE old = 0").fetchall()
        return {device_id: found for device_id, boot in rows if (found := self.find(device_id, boot)) is not None}

    def stored(self, frame: Frame, sealed: bytes) -> None:
        """Count a frame that was stored."""
        self.counted["frames_stored"] += 1
        self.counted["readings_stored"] += frame.readings
        self.counted["values_stored"] += frame.values
        self.counted["payload_bytes"] += len(sealed)

    def save(self, boot: Boot) -> None:
        """Write one boot. In a transaction."""
        clock, window = boot.clock, boot.window
        self._sql.execute(
            f"INSERT OR REPLACE INTO window (old, device_id, boot, {_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                boot.old, boot.device_id, boot.boot, window.upto,
                json.dumps(window.islands) if window.islands else None,
                boot.missing, boot.last_id, boot.wait_id,
                clock.offset_s, clock.begin_ms, clock.end_ms, clock.ahead_ms, boot.seen_ms,
            ),
        )  # fmt: skip
        boot.dirty = False

    def save_changes(self, *, at_once: bool = False) -> None:
        """Write all that has changed since the last time, if that is much by now. In a transaction."""
        self.unsaved = True
        if not at_once and self.newest_id - self._saved_id < SAVE_FRAMES:
            return
        boots = [boot for of_device in self._boots.values() for boot in of_device.values()]
        for boot in boots:
            if boot.dirty:
                self.save(boot)
        if len(boots) > _MAX_BOOTS:
            self._boots.clear()
        self.save_counted()
        self._sql.execute("INSERT OR REPLACE INTO meta VALUES ('saved_id', ?)", (self.newest_id,))
        self._saved_id = self.newest_id
        self.unsaved = False

    @property
    def saved_id(self) -> int:
        """Every frame up to this id is in what was saved: none after it may go."""
        return self._saved_id

    def hand_over(self, other: "Windows") -> None:
        """Save what was not saved here there: to another database, that has the rest already. In a transaction."""
        for of_device in self._boots.values():
            for boot in of_device.values():
                if boot.dirty:
                    other.save(boot)
        other.counted = self.counted
        other.save_counted()

    def save_counted(self) -> None:
        """Write what was counted. In a transaction."""
        self._sql.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n",
            [(name, n) for name, n in self.counted.items() if n],
        )
        self.counted.clear()

    def _around(self, boot: Boot, which: str, order: str) -> Iterator[Boot]:
        numbers = self._sql.execute(
            f"SELECT boot FROM window WHERE old IN (0, 1) AND device_id = ? AND boot {which} "
            f"ORDER BY boot {order} LIMIT {_BOOTS_BESIDE}",
            (boot.device_id, boot.boot),
        ).fetchall()
        for (number,) in numbers:
            other = self.find(boot.device_id, number)
            if other is not None:
                yield other

    def _load(self, device_id: int, boot: int) -> Boot | None:
        row = self._sql.execute(
            f"SELECT old, {_COLUMNS}, (SELECT birth FROM boot WHERE boot.device_id = window.device_id "
            "AND boot.boot = window.boot) FROM window WHERE old IN (0, 1) AND device_id = ? AND boot = ?",
            (device_id, boot),
        ).fetchone()
        if row is None:
            return None
        old, upto, islands, missing, last_id, wait_id, offset_s, begin_ms, end_ms, ahead_ms, seen_ms, birth = row
        window = Window(upto, json.loads(islands) if islands else ())
        clock = Clock(offset_s, begin_ms, end_ms, ahead_ms)
        return Boot(
            device_id, boot, window, missing, last_id, wait_id, clock, seen_ms, bool(old), birth, dirty=False
        )  # fmt: skip

    def _read_since(self) -> None:
        row = self._sql.execute("SELECT value FROM meta WHERE name = 'saved_id'").fetchone()
        self._saved_id = self.newest_id = int(row[0]) if row else 0
        self.counted.clear()
        self.unsaved = False
        for id_, device_id, number, seq, received_ms, time_ms, sealed in self._sql.execute(
            "SELECT id, device_id, boot, seq, received_ms, time_ms, sealed FROM frame WHERE id > ? ORDER BY id",
            (self._saved_id,),
        ):
            self.newest_id = id_
            try:
                frame = decode(split(sealed))
            except WireError:
                continue  # damaged on the disk: whoever reads it says so
            self.stored(frame, sealed)
            boot = self.find(device_id, number)
            if boot is None or id_ <= boot.last_id:
                continue
            with suppress(WindowFull):
                boot.window.add(seq)
            if time_ms is not None:
                boot.clock.keep(Span.of(frame), (time_ms - frame.uptime_ms) // 1000)
            boot.heard(id_, seq, received_ms, timed=time_ms is not None)
