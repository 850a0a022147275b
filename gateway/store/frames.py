"""Group commit of what came in: when it returns, what it stored is on disk and may be acked."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.store import crashes
from gateway.store.crashes import CrashReport
from gateway.store.database import Database
from gateway.store.dead import DeadLetter, set_aside
from gateway.store.timing import CHAIN, give_times, time_of
from gateway.store.window import WindowFull
from gateway.store.windows import Boot
from gateway.wire.birth import Birth
from gateway.wire.cose import split
from gateway.wire.frame import Frame, Gap
from gateway.wire.state import ALL_USED, Use

__all__ = [
    "Committed",
    "DeadLetter",
    "Incoming",
    "SealedBirth",
    "SealedFrame",
    "StateChange",
    "commit",
]

# How many of a boot's newest frames are compared with one whose number is taken. What boards repeat are the newest.
LOOK_BACK = 64


@dataclass(frozen=True, slots=True)
class SealedFrame:
    """A frame whose MAC is right. `frame` is None where its body could not be used: then `why` has (reason, detail)."""

    device_id: int
    topic: str
    boot: int
    seq: int
    sealed: bytes
    received_ms: int
    frame: Frame | None
    why: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SealedBirth:
    """A birth whose MAC is right."""

    device_id: int
    topic: str
    birth: Birth
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class StateChange:
    """A device says (or the broker says for it) that it is online or not; and if it is, whether it is quiet, and which
    channels it keeps to itself."""

    device_id: int
    boot: int
    online: bool
    received_ms: int
    quiet: bool = False
    use: Use = ALL_USED


Incoming = SealedFrame | SealedBirth | StateChange | CrashReport | DeadLetter


@dataclass(slots=True)
class Committed:
    """What one commit did. `acks`: (device row, boot) -> high-water mark, for every boot that was heard or that a gap
    spoke of, the last one heard last; but not of an earlier boot whose birth has not come, until its frames come again:
    a board says that birth before them, and only to who is there. `missing`: numbers that boards said are gone, and
    that are not here. `states`: what boards said of themselves, but for what they said in an earlier boot."""

    acks: dict[tuple[int, int], int] = field(default_factory=dict)
    stored: int = 0
    duplicates: int = 0
    dead: int = 0
    deferred: int = 0
    missing: int = 0
    states: list[StateChange] = field(default_factory=list)


def commit(db: Database, batch: Sequence[Incoming]) -> Committed:
    """Store a batch in one transaction: when this returns, it is on disk and may be acked. Raises sqlite3.Error, and
    then nothing of it was stored."""
    with db.transaction() as sql:
        work = _Commit(db, sql)
        for item in batch:
            work.take(item)
        return work.finish()


class _Commit:
    """One commit while it runs."""

    def __init__(self, db: Database, sql: sqlite3.Connection) -> None:
        self._db = db
        self._sql = sql
        self._windows = db.windows
        self._windows.refresh()
        self._done = Committed()
        self._heard: dict[tuple[int, int], Boot] = {}
        self._changed: dict[tuple[int, int], Boot] = {}
        self._recent: dict[tuple[int, int], dict[int, bytes]] = {}
        self._unborn: set[tuple[int, int]] = set()

    def take(self, item: Incoming) -> None:
        """Store one message, set it aside, or see that it came before."""
        if isinstance(item, SealedFrame):
            self._frame(item)
        elif isinstance(item, SealedBirth):
            self._birth(item)
        elif isinstance(item, CrashReport):
            if not crashes.keep(self._sql, item):
                self._db.count("crashes_repeated")
        elif isinstance(item, StateChange):
            # one of an earlier boot is an old message that somebody kept
            if item.boot >= self._windows.newest_boot(item.device_id):
                # A board that has gone is as quiet as it was: it keeps to that when it starts again.
                self._sql.execute(
                    "UPDATE device SET online = ?, seen_ms = ?, quiet = CASE WHEN ? THEN ? ELSE quiet END WHERE id = ?",
                    (item.online, item.received_ms, item.online, item.quiet, item.device_id),
                )
                self._done.states.append(item)
            else:
                self._db.count("states_outdated")
        else:
            self._set_aside(item)

    def finish(self) -> Committed:
        """Write what the batch changed beside its frames."""
        done, windows = self._done, self._windows
        for key, boot in self._heard.items():
            if not self._awaits_birth(key, boot):
                done.acks[key] = boot.window.upto
        for boot in self._changed.values():
            windows.save(boot)
        windows.counted["commits"] += 1
        windows.save_changes()
        self._db.count("frames_duplicate", done.duplicates)
        self._db.count("frames_deferred", done.deferred)
        self._db.count("frames_missing", done.missing)
        return done

    def _awaits_birth(self, key: tuple[int, int], boot: Boot) -> bool:
        """Whether these frames are to come again, and with them what the board was then. The newest boot's birth is
        retained: it comes in any case."""
        if key not in self._unborn or boot.birth is not None or boot.again:
            return False
        device_id, number = key
        heard = max(other for device, other in self._heard if device == device_id)
        return number < max(heard, self._windows.newest_boot(device_id))

    def _hear(self, device_id: int, boot: int) -> Boot:
        key = device_id, boot
        heard = self._heard.pop(key, None) or self._windows.get(device_id, boot)
        self._heard[key] = heard
        return heard

    def _frame(self, item: SealedFrame) -> None:
        boot = self._hear(item.device_id, item.boot)
        if item.seq in boot.window:
            self._known(item, boot)
            return
        why = item.why
        if item.frame is not None and boot.born is not None and not boot.born.fits(item.frame):
            why = ("not_of_birth", "its columns or events are not those that the device's birth names")
        try:
            lost = self._lift(item, item.frame.gap, boot) if item.frame and item.frame.gap and why is None else None
            boot.window.add(item.seq)
        except WindowFull:
            # Neither stored nor acked: the board keeps it. Memory and disk stay bounded whatever a board does.
            self._done.deferred += 1
            return
        if why is not None or item.frame is None:
            # The device is known and will send this until it is acked: keep it whole, set aside, and ack it.
            reason, detail = why or ("bad_frame", "")
            self._set_aside(DeadLetter(item.topic, item.sealed, reason, detail, item.received_ms), whole=True)
            self._closed(boot, self._windows.newest_id)
            return
        self._store(item, item.frame, boot)
        if lost is not None:
            self._closed(lost, self._windows.newest_id)

    def _store(self, item: SealedFrame, frame: Frame, boot: Boot) -> None:
        windows = self._windows
        timeless = boot.clock.offset_s is None
        time_ms, label = time_of(windows, boot, item.seq, frame, item.received_ms)
        windows.newest_id = id_ = windows.newest_id + 1
        back = id_ - boot.last_id if boot.last_id else 0
        self._sql.execute(
            "INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (id_, item.device_id, item.boot, item.seq, back, item.received_ms, time_ms, label, item.sealed),
        )
        boot.heard(id_, item.seq, item.received_ms, timed=time_ms is not None)
        if boot.birth is None:
            self._unborn.add((item.device_id, item.boot))
        recent = self._recent.get((item.device_id, item.boot))
        if recent is not None:
            recent[item.seq] = item.sealed
        self._done.stored += 1
        windows.stored(frame, item.sealed)
        if item.seq < boot.window.upto or (timeless and boot.clock.offset_s is not None):
            self._closed(boot, id_)

    def _closed(self, boot: Boot, turn: int) -> None:
        """A gap has closed, the boot has its clock, or what is known of it is not in its frames: write it now."""
        if boot.wait_id is not None:
            give_times(self._sql, self._windows, boot, turn)
        self._changed[boot.device_id, boot.boot] = boot

    def _lift(self, item: SealedFrame, gap: Gap, boot: Boot) -> Boot:
        """The board no longer has these frames: who waits for them would wait for ever. Returns the boot that they are
        of. Raises WindowFull, with nothing changed, if there is no room for the gap or for the frame that says so."""
        same = gap.boot == item.boot
        lost = boot if same else self._windows.get(item.device_id, gap.boot)
        trial = lost.window.copy()
        trial.add_range(gap.first, gap.last)
        (trial if same else boot.window.copy()).add(item.seq)
        missing = lost.window.add_range(gap.first, gap.last)
        lost.missing += missing
        lost.again = True  # what is gone is not said twice: its ack must not wait
        self._done.missing += missing
        key = item.device_id, gap.boot
        if key not in self._heard:
            self._heard = {key: lost, **self._heard}  # spoken of, not heard
        return lost

    def _known(self, item: SealedFrame, boot: Boot) -> None:
        key = item.device_id, item.boot
        boot.again = True
        if key not in self._recent:
            rows = self._sql.execute(
                f"{CHAIN} SELECT seq, sealed FROM chain JOIN frame USING (id)", (boot.last_id, 0, LOOK_BACK)
            )
            self._recent[key] = dict(rows.fetchall())
        stored = self._recent[key].get(item.seq)
        # The same frame under the board's next key has another MAC.
        if stored is None or stored == item.sealed or split(stored) == split(item.sealed):
            self._done.duplicates += 1
            return
        detail = f"boot {item.boot}, seq {item.seq} is taken by a frame with other bytes"
        self._set_aside(DeadLetter(item.topic, item.sealed, "seq_reused", detail, item.received_ms), whole=True)

    def _birth(self, item: SealedBirth) -> None:
        # Heard even if nothing is new: so its ack is published again, for the board may have lost the retained one.
        boot = self._hear(item.device_id, item.birth.boot)
        if boot.birth is None:
            self._sql.execute(
                "INSERT INTO boot VALUES (?, ?, ?, ?)",
                (item.device_id, item.birth.boot, item.payload, item.received_ms),
            )
            boot.birth = item.payload
            boot.seen_ms = max(boot.seen_ms, item.received_ms)
            self._changed[item.device_id, item.birth.boot] = boot
        elif boot.birth != item.payload:
            detail = f"boot {item.birth.boot} was born otherwise; a device may change only with a new boot"
            letter = DeadLetter(item.topic, item.payload, "birth_changed", detail, item.received_ms)
            self._set_aside(letter, whole=True)
        else:
            self._db.count("births_repeated")

    def _set_aside(self, letter: DeadLetter, *, whole: bool = False) -> None:
        self._done.dead += 1
        set_aside(self._db, letter, whole=whole)
