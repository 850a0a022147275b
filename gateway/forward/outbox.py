"""The events that a sink is still to be sent: built once, so that a retry is byte for byte the same."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.consent.decide import Reading, Reason, Share, decide
from gateway.consent.grants import Grant
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.register import Register
from gateway.forward import cloudevent
from gateway.forward.buckets import Closed
from gateway.forward.sharing import Series
from gateway.store.database import Database


@dataclass(frozen=True, slots=True)
class Queued:
    """One event that may be sent now."""

    id: int
    grant_id: str
    body: str


class Outbox:
    """One sink's events in the database. Those that put into it are called in a transaction."""

    def __init__(
        self,
        db: Database,
        register: Register,
        sink: str,
        recipient: str,
        names: Pseudonyms,
        now_ms: Callable[[], int],
    ) -> None:
        self._db = db
        self._register = register
        self._sink = sink
        self._recipient = recipient
        self._names = names
        self._now_ms = now_ms

    def depth(self) -> int:
        """Events that wait to be sent."""
        (n,) = self._db.connection.execute("SELECT count(*) FROM outbox WHERE sink = ?", (self._sink,)).fetchone()
        return int(n)

    def take(self, most: int) -> list[Queued]:
        """The next events to send. Each is asked about again, now: what may no longer leave is dropped here."""
        sql = self._db.connection
        rows = sql.execute(
            "SELECT id, grant_id, device, category, purpose, is_event, first_ms, last_ms, body, granularity "
            "FROM outbox WHERE sink = ? ORDER BY id LIMIT ?",
            (self._sink, most),
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
                    self._recipient,
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
                for reason, n in withheld.items():
                    self._db.count("withheld", n)
                    self._db.count(f"withheld.{reason.value}", n)
        return allowed

    def remove(self, events: Sequence[Queued], counter: str) -> None:
        """These are done with; count them under a name."""
        with self._db.transaction() as sql:
            sql.executemany("DELETE FROM outbox WHERE id = ?", [(event.id,) for event in events])
            self._db.count(counter, len(events))
            for grant_id, n in Counter(event.grant_id for event in events).items():
                self._db.count(f"{counter}.{grant_id}", n)

    def put_readings(self, series: Series) -> None:
        """A run of readings, or an event."""
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
            if series.step_ms:  # a lone row has no next
                data["step_ms"] = series.step_ms
            data["values"] = scaled
            if series.each > 1:
                data["thinned"] = {
                    "rows_each": series.each,
                    "min": [channel.scaled(value) for value in series.lows],
                    "max": [channel.scaled(value) for value in series.highs],
                }
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

    def put_aggregate(self, bucket: Closed, grant: Grant) -> None:
        """A complete aggregate."""
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

    def _insert(
        self, event_id: str, grant_id: str, device: str, category: str, purpose: str, granularity: str,
        is_event: int, first_ms: int, last_ms: int, body: str,
    ) -> None:  # fmt: skip
        self._db.connection.execute(
            "INSERT OR IGNORE INTO outbox (sink, event_id, grant_id, device, category, purpose, granularity, is_event, "
            "first_ms, last_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._sink, event_id, grant_id, device, category, purpose, granularity,
                is_event, first_ms, last_ms, body,
            ),
        )  # fmt: skip


def _inside(contain: Callable[[int], bool], first_ms: int, last_ms: int) -> int:
    """A minute of the bucket that lies in the grant's hours (the bucket holds a reading from such a minute)."""
    for at_ms in range(first_ms, last_ms + 1, 60_000):
        if contain(at_ms):
            return at_ms
    return last_ms
