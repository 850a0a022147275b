"""A sink's side of the database: reads frames past its cursor, decides on them, and fills its outbox."""

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.consent.decide import GrantIndex, Reason
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.register import Register
from gateway.forward import buckets
from gateway.forward.outbox import Outbox, Queued
from gateway.forward.sharing import share
from gateway.store.database import Database
from gateway.store.reader import FrameReader, StoredFrame

__all__ = ["MAX_BATCH", "MAX_OUTBOX", "Queued", "SinkQueue"]

# Beyond this many events the cursor waits: the frames themselves are the queue, and they are smaller.
MAX_OUTBOX = 5_000
_FRAMES_A_FILL = 200
MAX_BATCH = 500


class SinkQueue:
    """Used in the database's thread only. `now_ms` is the household's clock."""

    def __init__(
        self,
        db: Database,
        register: Register,
        name: str,
        recipient: str,
        purposes: Sequence[str],
        now_ms: Callable[[], int],
    ) -> None:
        self._db = db
        self._register = register
        self.name = name
        self.recipient = recipient
        self._purposes = tuple(purposes)
        self._now_ms = now_ms
        names = Pseudonyms(db.secret, recipient)
        self._outbox = Outbox(db, register, name, recipient, names, now_ms)
        self._reader = FrameReader(db)
        if not db.connection.execute("SELECT 1 FROM sink WHERE name = ?", (name,)).fetchone():
            with db.transaction() as sql:
                db.windows.refresh()
                # A sink that is new begins with what comes from now on: what lay there before was never granted to it.
                sql.execute("INSERT OR IGNORE INTO sink VALUES (?, ?)", (name, db.windows.newest_id))

    def fill(self) -> bool:
        """Decide on the next frames; True if there may be more at once.

        A board's frames are taken in the order of their numbers, in whatever order they came and however far behind
        this sink is: one that came before its turn is parked until then, and so is one whose birth or clock is missing.
        """
        waiting = self.depth()
        if waiting >= MAX_OUTBOX:
            return False
        self._db.windows.refresh()
        if not self.backlog():
            return self._close_buckets() > 0
        with self._db.transaction() as sql:
            (cursor,) = sql.execute("SELECT cursor FROM sink WHERE name = ?", (self.name,)).fetchone()
            done = self._pass(cursor, waiting)
        self._close_buckets()
        return done

    def _pass(self, cursor: int, waiting: int) -> bool:
        """Decide on what can be decided on between the cursor and a little further on. In a transaction."""
        now_ms = self._now_ms()
        new = self._reader.after(cursor, _FRAMES_A_FILL)
        parked = self._reader.parked(self.name, new.last, now_ms, _FRAMES_A_FILL)
        came = {frame.id for frame in new.frames} | set(new.unborn) | set(new.broken)
        here = [f for f in new.frames if f.turn <= new.last and f.decidable(now_ms)]
        turns = sorted(parked.frames + here, key=lambda f: f.order)
        if len(parked.frames) == _FRAMES_A_FILL:
            # There are more of them, and none of those comes before the last of these.
            turns = [f for f in turns if f.order <= parked.frames[-1].order]
        work = _Fill(self._db, self.name, self.recipient, self._purposes, self._outbox, self._register.index(), now_ms)
        decided: set[int] = set(new.broken) | set(parked.broken)
        for frame in turns:
            if waiting + work.enqueued >= MAX_OUTBOX:
                break
            work.decide(frame)
            decided.add(frame.id)
        left = [f for f in parked.frames + here if f.id not in decided]
        upto = new.last
        if left:
            first = min(left, key=lambda f: f.order)
            upto = min(upto, first.turn if first.turn in decided else first.turn - 1)
        upto = max(upto, cursor)
        self._move(cursor, upto, sorted(id_ for id_ in came - decided if id_ <= upto), decided - came)
        work.finish()
        self._db.count("frames_unreadable", len(new.broken) + len(parked.broken))
        return len(decided) > 0 or upto > cursor

    def _move(self, cursor: int, upto: int, park: Sequence[int], unpark: set[int]) -> None:
        """What is decided on in the pass that reads it is never parked: that would be written for nothing."""
        sql = self._db.connection
        sql.executemany("INSERT OR IGNORE INTO parked VALUES (?, ?)", [(self.name, id_) for id_ in park])
        sql.executemany("DELETE FROM parked WHERE sink = ? AND frame_id = ?", [(self.name, id_) for id_ in unpark])
        if upto != cursor:
            sql.execute("UPDATE sink SET cursor = ? WHERE name = ?", (upto, self.name))

    def take(self, most: int = MAX_BATCH) -> list[Queued]:
        """The next events to send. Each is asked about again, now: what may no longer leave is dropped here."""
        return self._outbox.take(most)

    def delivered(self, events: Sequence[Queued]) -> None:
        """The sink has these for good."""
        self._outbox.remove(events, "cloud_events_sent")

    def rejected(self, event: Queued) -> None:
        """The sink will never take this one."""
        self._outbox.remove([event], "events_rejected")

    def depth(self) -> int:
        """Events that wait to be sent."""
        return self._outbox.depth()

    def backlog(self) -> int:
        """Frames that this sink could decide on and has not yet."""
        (cursor,) = self._db.connection.execute("SELECT cursor FROM sink WHERE name = ?", (self.name,)).fetchone()
        new = max(0, self._db.windows.newest_id - int(cursor))
        return new + self._reader.parked_ready(self.name, self._now_ms())

    def _close_buckets(self) -> int:
        """Move the complete aggregates to the outbox; return how many there were."""
        sql = self._db.connection
        if not sql.execute("SELECT 1 FROM bucket WHERE sink = ? LIMIT 1", (self.name,)).fetchone():
            return 0
        with self._db.transaction():
            closed = buckets.take_closed(self._db, self.name, buckets.horizons(self._db, self.name), self._now_ms())
            index = self._register.index()
            for bucket in closed:
                # Also where the board had fallen silent: what it says later of that time is late, and never a second
                # aggregate with the name of the first.
                buckets.move_horizon(self._db, self.name, bucket.device_id, bucket.end_ms)
                grant = index.by_id.get(bucket.grant_id)
                if grant is not None and grant.revoked_ms is None:
                    self._outbox.put_aggregate(bucket, grant)
        return len(closed)


class _Fill:
    """Decides on frames, one after the other, and writes what it counted at the end. In a transaction."""

    def __init__(
        self, db: Database, sink: str, recipient: str, purposes: Sequence[str], outbox: Outbox, index: GrantIndex,
        now_ms: int,
    ) -> None:  # fmt: skip
        self._db = db
        self._sink = sink
        self._recipient = recipient
        self._purposes = purposes
        self._outbox = outbox
        self._index = index
        self._now_ms = now_ms
        self._withheld: Counter[Reason] = Counter()
        self._counted: Counter[str] = Counter()
        self._until_ms = buckets.horizons(db, sink)
        self._read_ms: dict[int, int] = {}
        self.enqueued = 0

    def decide(self, frame: StoredFrame) -> None:
        """Ask for every reading of a frame, and put what may leave into the outbox or into its aggregate."""
        if not frame.birth.fits(frame.frame):
            self._counted["frames_not_of_birth"] += 1
            return
        for series in share(frame, self._recipient, self._purposes, self._index, self._now_ms, self._withheld):
            if series.grant.granularity.bucket_ms is None:
                self._outbox.put_readings(series)
                self.enqueued += 1
            else:
                until_ms = self._until_ms.get(frame.device_id, 0)
                self._counted["late"] += buckets.add(self._db, self._sink, series, until_ms, self._now_ms)
            self._counted["granted"] += len(series.values)
        # Events are sealed at once and overtake the rows before them, so only series move the horizon; and never past
        # now, or a board whose clock once was wrong would close every bucket to come.
        if frame.time_ms is not None and frame.frame.rows:
            until_ms = min(frame.time_ms + frame.frame.rows * frame.frame.step_ms, self._now_ms)
            self._until_ms[frame.device_id] = max(until_ms, self._until_ms.get(frame.device_id, 0))
            self._read_ms[frame.device_id] = self._until_ms[frame.device_id]

    def finish(self) -> None:
        """Write the horizons and the counters."""
        # Where no aggregate is open there is none that a horizon could close: it is not worth a page.
        for device_id in buckets.open_devices(self._db, self._sink) & self._read_ms.keys():
            buckets.move_horizon(self._db, self._sink, device_id, self._read_ms[device_id])
        for reason, n in self._withheld.items():
            self._counted["withheld"] += n
            self._counted[f"withheld.{reason.value}"] += n
        for name, n in self._counted.items():
            self._db.count(name, n)
