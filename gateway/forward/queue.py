"""A sink's side of the database: reads frames past its cursor, decides on them, and fills its outbox."""

from collections import Counter
from collections.abc import Callable, Sequence

from gateway.consent.decide import Reason
from gateway.consent.names import Names
from gateway.consent.register import Register
from gateway.forward import buckets, notices
from gateway.forward.batch import Batch, Compose, Queued
from gateway.forward.fill import Fill
from gateway.forward.look_back import LookBack
from gateway.forward.notices import Notice
from gateway.forward.outbox import Outbox
from gateway.store.database import Database
from gateway.store.reader import FrameReader
from gateway.store.windows import SAVE_FRAMES

__all__ = ["MAX_BATCH", "MAX_OUTBOX", "Queued", "SinkQueue"]

# Beyond this many events the cursor waits: the frames themselves are the queue, and they are smaller.
MAX_OUTBOX = 5_000
_FRAMES_A_FILL = 200
MAX_BATCH = 500


def _lines(events: Sequence[str]) -> bytes:
    return "\n".join(events).encode()


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
        self._outbox = Outbox(db, register, name, recipient, Names(db, recipient), now_ms)
        self._reader = FrameReader(db)
        self._look_back = LookBack(db, name, recipient)
        # What is counted and not written yet, and how far behind the cursor the one on disk is.
        self._counted = db.counted_beside(name)
        self._counted.clear()
        self._cursor = self._saved = self._opened()

    def fill(self) -> bool:
        """Decide on the next frames; True if there may be more at once.

        A board's frames are taken in the order of their numbers, in whatever order they came and however far behind
        this sink is: one that came before its turn is parked until then, and so is one whose birth or clock is missing.
        """
        waiting = self.depth()
        if waiting >= MAX_OUTBOX:
            return False
        self._begin_to_look_back()
        looked = self._look_behind(waiting)
        if not self.backlog():
            return self._close_buckets() > 0 or looked
        before = self._cursor
        with self._db.transaction() as sql:
            changes = sql.total_changes
            decided, cursor, counted = self._pass(before, waiting)
            counted += self._counted
            # As long as nothing is granted to this recipient all is a no, and that is not worth a write for each
            # commit: after a crash it is said again.
            keep = sql.total_changes == changes and cursor - self._saved < SAVE_FRAMES and not self._granted_anything()
            if not keep:
                self._save(cursor, counted)
        self._counted.clear()
        self._cursor = cursor
        if keep:
            self._counted.update(counted)
        else:
            self._saved = cursor
        self._close_buckets()
        return decided > 0 or cursor > before or looked

    def _begin_to_look_back(self) -> None:
        def keep() -> None:
            self._save(self._cursor, self._counted)

        if self._look_back.begin(self._register.index(), self._cursor, self._now_ms(), keep):
            self._counted.clear()
            self._saved = self._cursor

    def _look_behind(self, waiting: int) -> bool:
        """What was decided on before, for a grant that reaches back. True if there may be more of it."""
        if not self._look_back.under_way():
            return False
        with self._db.transaction():
            now_ms = self._now_ms()
            self._outbox.refresh()
            index = self._register.index()
            work = Fill(self._db, self.name, self.recipient, self._purposes, self._outbox, index, now_ms)
            more = self._look_back.step(index, MAX_OUTBOX - waiting, work.decide_again)
            for name, n in work.finish().items():
                self._db.count(name, n)
        return more

    def _granted_anything(self) -> bool:
        return any(grant.recipient == self.recipient for grant in self._register.index().by_id.values())

    def _opened(self) -> int:
        row = self._db.connection.execute("SELECT cursor FROM sink WHERE name = ?", (self.name,)).fetchone()
        if row is not None:
            return int(row[0])
        with self._db.transaction() as sql:
            self._db.windows.refresh()
            # A sink that is new begins with what comes from now on: what lay there before was never granted to it.
            newest = self._db.windows.newest_id
            sql.execute("INSERT INTO sink VALUES (?, ?)", (self.name, newest))
        return newest

    def _save(self, cursor: int, counted: Counter[str]) -> None:
        """In a transaction."""
        self._db.connection.execute("UPDATE sink SET cursor = ? WHERE name = ?", (cursor, self.name))
        for name, n in counted.items():
            self._db.count(name, n)

    def _pass(self, cursor: int, waiting: int) -> tuple[int, int, Counter[str]]:
        """Decide on what can be decided on between the cursor and a little further on: (how many frames, the new
        cursor, what was counted). In a transaction."""
        now_ms = self._now_ms()
        self._outbox.refresh()
        new = self._reader.after(cursor, _FRAMES_A_FILL)
        parked = self._reader.parked(self.name, new.last, now_ms, _FRAMES_A_FILL)
        came = {frame.id for frame in new.frames} | set(new.unborn) | set(new.broken)
        here = [f for f in new.frames if f.turn <= new.last and f.decidable(now_ms)]
        turns = sorted(parked.frames + here, key=lambda f: f.order)
        if len(parked.frames) == _FRAMES_A_FILL:
            # There are more of them, and none of those comes before the last of these.
            turns = [f for f in turns if f.order <= parked.frames[-1].order]
        work = Fill(self._db, self.name, self.recipient, self._purposes, self._outbox, self._register.index(), now_ms)
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
        # What is decided on in the pass that reads it is never parked: that would be written for nothing.
        sql = self._db.connection
        park = sorted(id_ for id_ in came - decided if id_ <= upto)
        sql.executemany("INSERT OR IGNORE INTO parked VALUES (?, ?)", [(self.name, id_) for id_ in park])
        unpark = [(self.name, id_) for id_ in decided - came]
        sql.executemany("DELETE FROM parked WHERE sink = ? AND frame_id = ?", unpark)
        counted = work.finish()
        counted["frames_unreadable"] += len(new.broken) + len(parked.broken)
        return len(decided), upto, counted

    def take(self, most: int = MAX_BATCH, compose: Compose = _lines) -> Batch:
        """The next events to send, in the body that `compose` makes of them. Each is asked about again, now: what may
        no longer leave is dropped here. That the rest is sent is in the ledger before this returns."""
        return self._outbox.take(most, compose)

    def allowed_until(self, batch: Batch) -> int:
        """Until when all of a batch may leave (Unix ms); 0 if some of it may not any more."""
        return self._outbox.allowed_until(batch)

    def left_s(self, until_ms: int) -> float:
        """Seconds until then, by the household's clock. Needs no database."""
        return (until_ms - self._now_ms()) / 1000

    def aborted(self, batch: Batch) -> None:
        """It was ended while it was sent: some of it may have left."""
        self._outbox.aborted(batch)

    def delivered(self, events: Sequence[Queued]) -> None:
        """The sink has these for good."""
        self._outbox.remove(events, "cloud_events_sent")

    def rejected(self, events: Sequence[Queued]) -> None:
        """The sink will never take these."""
        self._outbox.remove(events, "events_rejected")

    def notices(self) -> list[Notice]:
        """What this sink's recipient is still to be asked to erase."""
        return notices.waiting(self._db, self.name)

    def notice_tried(self, notice: Notice) -> None:
        """It was told, and no answer came."""
        notices.tried(self._db, self.name, notice)

    def notice_acked(self, notice: Notice) -> None:
        """The recipient has it."""
        notices.acked(self._db, self.name, notice, self._now_ms())

    def depth(self) -> int:
        """Events that wait to be sent."""
        return self._outbox.depth()

    def backlog(self) -> int:
        """Frames that this sink could decide on and has not yet."""
        self._db.windows.refresh()
        return max(0, self._db.windows.newest_id - self._cursor) + self._reader.parked_ready(self.name, self._now_ms())

    def _close_buckets(self) -> int:
        """Move the complete aggregates to the outbox; return how many there were."""
        sql = self._db.connection
        if not sql.execute("SELECT 1 FROM bucket WHERE sink = ? LIMIT 1", (self.name,)).fetchone():
            return 0
        self._outbox.refresh()
        with self._db.transaction():
            horizons = buckets.horizons(self._db, self.name)
            filling = self._look_back.under_way()
            closed = buckets.take_closed(self._db, self.name, horizons, self._now_ms(), filling)
            index = self._register.index()
            for bucket in closed:
                # Also where the board had fallen silent: what it says later of that time is late, and never a second
                # aggregate with the name of the first.
                buckets.move_horizon(self._db, self.name, bucket.device_id, bucket.end_ms)
                grant = index.by_id.get(bucket.grant_id)
                if grant is None or grant.revoked_ms is not None or grant.paused_ms is not None:
                    continue
                if bucket.n < buckets.LEAST_READINGS or not bucket.whole(grant):
                    self._db.count("withheld", bucket.n)
                    self._db.count(f"withheld.{Reason.PARTIAL.value}", bucket.n)
                    continue
                self._outbox.put_aggregate(bucket, grant)
        return len(closed)
