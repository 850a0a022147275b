"""What a grant would send: the exact events that it would have let out of the last day, built and not sent.

The same functions decide, build and aggregate as for a sink. Aggregates are filled in tables in memory; nothing is
written, queued or counted.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.consent.decide import GrantIndex, Reason
from gateway.consent.grants import Grant
from gateway.consent.names import Names
from gateway.consent.register import Register
from gateway.forward import buckets
from gateway.forward.outbox import Outbox
from gateway.forward.sharing import share
from gateway.store.database import Database
from gateway.store.reader import FrameReader

DAY_MS = 86_400_000
EVENTS_SHOWN = 200
# A day of fifty boards with a few hundred frames each; beyond it the preview says that it is not the whole.
MAX_FRAMES = 20_000
_FRAMES_A_STEP = 25
_AGGREGATES_A_STEP = 200
_SINK = "preview"


@dataclass(frozen=True, slots=True)
class Preview:
    """What would have left. `events`: the first of them, each the exact JSON text, of `total`; `bytes`: the size of all
    as one body, before it is packed; `body`: the exact body that `events` make.

    `from_ms` and `to_ms`: the time that was looked at. Of aggregates it is whole ones, so it ends with the last that is
    complete. `withheld`: readings of the category that would have stayed, by reason. `whole` is False where so many
    frames lie in that time that only the first of them were read.
    """

    events: list[str]
    total: int
    bytes: int
    body: str
    from_ms: int
    to_ms: int
    withheld: Mapping[Reason, int]
    whole: bool


def preview(db: Database, grant: Grant, recipient: str, now_ms: int, span_ms: int = DAY_MS) -> Preview:
    """What `grant` would have sent of the last `span_ms` (of aggregates at least one whole one), as if it had held all
    the while: from the beginning of that time, neither at rest nor taken back.

    `grant` need not have been given. Other grants are not looked at: one that tells more may already send a reading.
    """
    look = Look(db, grant, recipient, now_ms, span_ms)
    while look.step():
        pass
    return look.seen()


class Look:
    """The same in short steps, for who shares the database's thread with others."""

    def __init__(self, db: Database, grant: Grant, recipient: str, now_ms: int, span_ms: int = DAY_MS) -> None:
        self._from_ms, self._to_ms = _span(grant, now_ms, span_ms)
        self._grant = replace(
            grant,
            start_ms=self._from_ms,
            since_ms=self._from_ms,
            expiry_ms=max(grant.expiry_ms, now_ms + 1),
            revoked_ms=None,
            paused_ms=None,
            resumed_ms=None,
        )
        self._recipient = recipient
        self._now_ms = now_ms
        self._index = GrantIndex((self._grant,))
        self._reader = FrameReader(db)
        self._scratch = _Scratch(db)
        self._outbox = _Collected(db, recipient, now_ms)
        self._withheld: Counter[Reason] = Counter()
        self._frames = 0
        self._closed: list[buckets.Closed] | None = None
        self._cursor = _before(db, self._from_ms)

    def step(self) -> bool:
        """Read some more frames, or build some of the aggregates; whether there is more to do."""
        if self._closed is None:
            if not self._read():
                self._closed = self._scratch.closed(self._to_ms)
            return True
        some, self._closed = self._closed[:_AGGREGATES_A_STEP], self._closed[_AGGREGATES_A_STEP:]
        for bucket in some:
            if bucket.n < buckets.LEAST_READINGS:
                self._withheld[Reason.PARTIAL] += bucket.n
            else:
                self._outbox.put_aggregate(bucket, self._grant)
        return bool(self._closed)

    def seen(self) -> Preview:
        """What was found, once `step` has said that there is no more."""
        # What is of another category, or older, was never asked about.
        withheld: dict[Reason, int] = {
            reason: n
            for reason, n in self._withheld.items()
            if n and reason not in (Reason.NO_GRANT, Reason.BEFORE_GRANT)
        }
        kept, total = self._outbox.kept, self._outbox.total
        return Preview(
            kept,
            total,
            self._outbox.bytes + max(0, total - 1) + 2 if total else 0,
            f"[{','.join(kept)}]" if total else "",
            self._from_ms,
            self._to_ms,
            withheld,
            self._frames < MAX_FRAMES,
        )

    def _read(self) -> bool:
        """Decide on some more frames; False if there are no more."""
        look = self._reader.after(self._cursor, _FRAMES_A_STEP)
        if look.last == self._cursor or self._frames >= MAX_FRAMES:
            return False
        self._cursor = look.last
        self._frames += len(look.frames)
        purposes = (self._grant.purpose,)
        for frame in look.frames:
            if not self._grant.covers(frame.device) or not frame.birth.fits(frame.frame):
                continue
            self._scratch.know(frame.device_id, frame.device)
            for series in share(frame, self._recipient, purposes, self._index, self._now_ms, self._withheld):
                if series.grant.granularity.bucket_ms is None:
                    self._outbox.put_readings(series)
                else:
                    added = buckets.add(self._scratch, _SINK, series, 0, self._now_ms)
                    self._withheld[Reason.PARTIAL] += added.partial
        return True


class _Collected(Outbox):
    """An outbox that keeps what is put into it for itself."""

    def __init__(self, db: Database, recipient: str, now_ms: int) -> None:
        super().__init__(db, Register(db), _SINK, recipient, Names(db, recipient), lambda: now_ms)
        self.kept: list[str] = []
        self.total = 0
        self.bytes = 0

    def _insert(self, *about: Any, **_: Any) -> None:
        body = about[-1]
        self.total += 1
        self.bytes += len(body.encode())
        if len(self.kept) < EVENTS_SHOWN:
            self.kept.append(body)


class _Scratch(Database):
    """The tables that aggregates are filled in, in memory."""

    def __init__(self, real: Database) -> None:
        self._memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._known: set[int] = set()
        ((bucket,),) = real.connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'bucket'")
        self._memory.execute("CREATE TABLE device (id INTEGER PRIMARY KEY, device TEXT)")
        self._memory.execute(bucket)

    @property
    def connection(self) -> sqlite3.Connection:
        """The one in memory."""
        return self._memory

    def know(self, device_id: int, device: str) -> None:
        """A device that something is gathered of."""
        if device_id not in self._known:
            self._known.add(device_id)
            self._memory.execute("INSERT INTO device VALUES (?, ?)", (device_id, device))

    def closed(self, until_ms: int) -> list[buckets.Closed]:
        """What ends by then; the rest is forgotten."""
        found = buckets.take_closed(self, _SINK, dict.fromkeys(self._known, until_ms), 0)
        self._memory.close()
        return found


def _span(grant: Grant, now_ms: int, span_ms: int) -> tuple[int, int]:
    """The time to look at: up to now, or up to the end of the last aggregate that is complete."""
    length_ms = grant.granularity.bucket_ms
    if length_ms is None:
        return max(0, now_ms - span_ms), now_ms
    to_ms = now_ms - now_ms % length_ms
    return max(0, to_ms - max(1, span_ms // length_ms) * length_ms), to_ms


def _before(db: Database, from_ms: int) -> int:
    """The id of the last frame that came before a time: what was measured since then came after it. Frames are numbered
    as they come, so it is found by halving."""
    low, high = db.connection.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM frame").fetchone()
    while low <= high:
        half = (low + high) // 2
        id_, received_ms = db.connection.execute(
            "SELECT id, received_ms FROM frame WHERE id >= ? ORDER BY id LIMIT 1", (half,)
        ).fetchone()
        if received_ms < from_ms:
            low = id_ + 1
        else:
            high = half - 1
    return int(low) - 1
