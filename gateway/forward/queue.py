"""A sink's side of the database: reads frames past its cursor, builds events, and hands out what may be sent now."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.consent.decide import Reading, Reason, Share, decide
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.register import Register
from gateway.forward import buckets, cloudevent
from gateway.forward.sharing import Series, share
from gateway.store.database import Database
from gateway.store.frames import FrameReader, StoredFrame

# Beyond this many events the cursor waits: the frames themselves are the queue, and they are smaller.
MAX_OUTBOX = 5_000
_FRAMES_A_FILL = 200
# How far ahead of its decisions a sink looks for the frame before the next one.
MAX_PARKED = 5_000
MAX_BATCH = 500


@dataclass(frozen=True, slots=True)
class Queued:
    """One event that may be sent now."""

    id: int
    grant_id: str
    body: str


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
        self._names = Pseudonyms(db.secret, recipient)
        self._reader = FrameReader(db)
        with db.transaction() as sql:
            # A sink that is new begins with what comes from now on: what lay there before was never granted to it.
            newest = sql.execute("SELECT coalesce(max(id), 0) FROM frame").fetchone()[0]
            sql.execute("INSERT OR IGNORE INTO sink VALUES (?, ?)", (name, newest))

    def fill(self) -> bool:
        """Decide on the next frames; True if there may be more at once.

        The cursor runs ahead, and what it passes is parked until it is decided on: so a board's frames are taken in the
        order of their numbers, in whatever order they came and however far behind this sink is.
        """
        waiting = self.depth()
        if waiting >= MAX_OUTBOX:
            return False
        if not self.backlog():
            return self._close_buckets() > 0
        withheld: Counter[Reason] = Counter()
        late = decided = 0
        with self._db.transaction() as sql:
            self._park()
            index = self._register.index()
            now_ms = self._now_ms()
            for frame in self._reader.parked(self.name, _FRAMES_A_FILL):
                if waiting >= MAX_OUTBOX:
                    break
                sql.execute("DELETE FROM parked WHERE sink = ? AND frame_id = ?", (self.name, frame.id))
                decided += 1
                if not frame.birth.fits(frame.frame):
                    self._db.count("frames_not_of_birth")
                    continue
                until_ms = self._horizon(frame.device_id)
                for series in share(frame, self.recipient, self._purposes, index, now_ms, withheld):
                    if series.grant.granularity.bucket_ms is None:
                        self._enqueue_readings(series)
                        waiting += 1
                    else:
                        late += buckets.add(self._db, self.name, series, until_ms, now_ms)
                    self._db.count("granted", len(series.values))
                self._advance(frame, now_ms)
            self._count_withheld(withheld)
            self._db.count("late", late)
        self._close_buckets()
        return decided > 0

    def _park(self) -> None:
        """Move the cursor on, not further than MAX_PARKED frames ahead. In a transaction."""
        sql = self._db.connection
        room = MAX_PARKED - self._reader.parked_ready(self.name)
        (cursor,) = sql.execute("SELECT cursor FROM sink WHERE name = ?", (self.name,)).fetchone()
        newest = sql.execute(
            "SELECT max(id) FROM (SELECT id FROM frame WHERE id > ? ORDER BY id LIMIT ?)", (cursor, max(room, 0))
        ).fetchone()[0]
        if newest is not None:
            sql.execute(
                "INSERT OR IGNORE INTO parked SELECT ?, id FROM frame WHERE id > ? AND id <= ?",
                (self.name, cursor, newest),
            )
            sql.execute("UPDATE sink SET cursor = ? WHERE name = ?", (newest, self.name))

    def take(self, most: int = MAX_BATCH) -> list[Queued]:
        """The next events to send. Each is asked about again, now: what may no longer leave is dropped here."""
        sql = self._db.connection
        rows = sql.execute(
            "SELECT id, grant_id, device, category, purpose, is_event, first_ms, last_ms, body, granularity "
            "FROM outbox WHERE sink = ? ORDER BY id LIMIT ?",
            (self.name, most),
        ).fetchall()
        if not rows:
            return []
        index = self._register.index()
        now_ms = self._now_ms()
        allowed: list[Queued] = []
        dropped: list[int] = []
        withheld: Counter[Reason] = Counter()
        for id_, grant_id, device, category, purpose, is_event, first_ms, last_ms, body, granularity in rows:
            grant = index.by_id.get(grant_id)
            answers = [
                decide(
                    Reading(device, category, at_ms, bool(is_event)),
                    self.recipient,
                    purpose,
                    () if grant is None else (grant,),
                    now_ms,
                )
                for at_ms in (first_ms, last_ms)
            ]
            refusal = next((a.reason for a in answers if not isinstance(a, Share)), None)
            if refusal is None and grant is not None and grant.granularity.value == granularity:
                allowed.append(Queued(id_, grant_id, body))
            else:
                withheld[refusal or Reason.NO_GRANT] += 1
                dropped.append(id_)
        if dropped:
            with self._db.transaction():
                sql.executemany("DELETE FROM outbox WHERE id = ?", [(id_,) for id_ in dropped])
                self._count_withheld(withheld)
        return allowed

    def delivered(self, events: Sequence[Queued]) -> None:
        """The sink has these for good."""
        self._remove(events, "cloud_events_sent")

    def rejected(self, event: Queued) -> None:
        """The sink will never take this one."""
        self._remove([event], "events_rejected")

    def depth(self) -> int:
        """Events that wait to be sent."""
        (n,) = self._db.connection.execute("SELECT count(*) FROM outbox WHERE sink = ?", (self.name,)).fetchone()
        return int(n)

    def backlog(self) -> int:
        """Frames that this sink could decide on and has not yet."""
        (n,) = self._db.connection.execute(
            "SELECT coalesce((SELECT max(id) FROM frame), 0) - cursor FROM sink WHERE name = ?", (self.name,)
        ).fetchone()
        return max(0, int(n)) + self._reader.parked_ready(self.name)

    def _remove(self, events: Sequence[Queued], counter: str) -> None:
        with self._db.transaction() as sql:
            sql.executemany("DELETE FROM outbox WHERE id = ?", [(event.id,) for event in events])
            self._db.count(counter, len(events))
            for grant_id, n in Counter(event.grant_id for event in events).items():
                self._db.count(f"{counter}.{grant_id}", n)

    def _enqueue_readings(self, series: Series) -> None:
        frame, channel = series.frame, series.channel
        scaled = [channel.scaled(value) for value in series.values]
        data: dict[str, object] = {
            "unit": channel.unit,
            "category": channel.category,
            "time_label": series.time_label,
        }
        if series.is_event:
            data["value"] = scaled[0]
        else:
            data["step_ms"] = series.step_ms
            data["values"] = scaled
        event_id = self._names.event(
            series.grant.purpose, frame.device, frame.frame.boot, frame.seq, series.index, series.first_row
        )
        body = cloudevent.build(
            type_=cloudevent.EVENT if series.is_event else cloudevent.READINGS,
            event_id=event_id,
            pseudonym=self._names.device(frame.device),
            subject=channel.name,
            time_ms=series.time_ms,
            grant=series.grant,
            data=data,
        )
        self._insert(
            event_id, series.grant.id, frame.device, channel.category, series.grant.purpose,
            series.grant.granularity.value, int(series.is_event), series.time_ms, series.last_ms, body,
        )  # fmt: skip

    def _close_buckets(self) -> int:
        """Move the complete aggregates to the outbox; return how many there were."""
        sql = self._db.connection
        if not sql.execute("SELECT 1 FROM bucket WHERE sink = ? LIMIT 1", (self.name,)).fetchone():
            return 0
        with self._db.transaction():
            horizons = dict(sql.execute("SELECT device_id, until_ms FROM horizon WHERE sink = ?", (self.name,)))
            closed = buckets.take_closed(self._db, self.name, horizons, self._now_ms())
            index = self._register.index()
            for bucket in closed:
                # Also where the board had fallen silent: what it says later of that time is late, and never a second
                # aggregate with the name of the first.
                self._move_horizon(bucket.device_id, bucket.end_ms)
                grant = index.by_id.get(bucket.grant_id)
                if grant is None or grant.revoked_ms is not None:
                    continue
                event_id = self._names.event(
                    "bucket", bucket.grant_id, bucket.device, bucket.channel, bucket.start_ms,
                    bucket.unit, bucket.num, bucket.den,
                )  # fmt: skip
                # An aggregate is asked about with the times of what is in it, so that a bucket in which the grant
                # began or ends is not refused for the part that was never in it.
                first_ms = max(bucket.start_ms, grant.start_ms)
                last_ms = min(bucket.end_ms, grant.expiry_ms) - 1
                if grant.hours is not None:
                    first_ms = last_ms = _inside(grant.hours.contain, first_ms, last_ms)
                self._insert(
                    event_id, grant.id, bucket.device, bucket.category, bucket.purpose, bucket.granularity,
                    0, first_ms, last_ms, bucket.to_event(event_id, self._names, grant),
                )  # fmt: skip
        return len(closed)

    def _insert(
        self, event_id: str, grant_id: str, device: str, category: str, purpose: str, granularity: str,
        is_event: int, first_ms: int, last_ms: int, body: str,
    ) -> None:  # fmt: skip
        self._db.connection.execute(
            "INSERT OR IGNORE INTO outbox (sink, event_id, grant_id, device, category, purpose, granularity, is_event, "
            "first_ms, last_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.name, event_id, grant_id, device, category, purpose, granularity,
                is_event, first_ms, last_ms, body,
            ),
        )  # fmt: skip

    def _horizon(self, device_id: int) -> int:
        row = self._db.connection.execute(
            "SELECT until_ms FROM horizon WHERE sink = ? AND device_id = ?", (self.name, device_id)
        ).fetchone()
        return int(row[0]) if row else 0

    def _advance(self, frame: StoredFrame, now_ms: int) -> None:
        """Events are sealed at once and overtake the rows before them, so only series move the horizon; and never past
        now, or a board whose clock once was wrong by years would close every bucket to come."""
        if frame.frame.events:
            return
        start_ms, _ = frame.start()
        self._move_horizon(frame.device_id, min(start_ms + frame.frame.rows * frame.frame.step_ms, now_ms))

    def _move_horizon(self, device_id: int, until_ms: int) -> None:
        self._db.connection.execute(
            "INSERT INTO horizon VALUES (?, ?, ?) ON CONFLICT (sink, device_id) "
            "DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
            (self.name, device_id, until_ms),
        )

    def _count_withheld(self, withheld: Counter[Reason]) -> None:
        for reason, n in withheld.items():
            self._db.count("withheld", n)
            self._db.count(f"withheld.{reason.value}", n)


def _inside(contain: Callable[[int], bool], first_ms: int, last_ms: int) -> int:
    """A minute of the bucket that lies in the grant's hours (the bucket holds a reading from such a minute)."""
    for at_ms in range(first_ms, last_ms + 1, 60_000):
        if contain(at_ms):
            return at_ms
    return last_ms
