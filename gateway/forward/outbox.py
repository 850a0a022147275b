"""The events that a sink is still to be sent: built once, so that a retry is byte for byte the same."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.consent import audit
from gateway.consent.decide import GrantIndex, Ranked, Reason, Withhold, decide_whole
from gateway.consent.grants import Grant
from gateway.consent.names import Names
from gateway.consent.register import Register
from gateway.forward import cloudevent
from gateway.forward.batch import NOTHING, Batch, Compose, Queued, ordered, told
from gateway.forward.buckets import Closed
from gateway.forward.sharing import Series
from gateway.store.database import Database


class Outbox:
    """One sink's events in the database. Those that put into it are called in a transaction."""

    def __init__(
        self,
        db: Database,
        register: Register,
        sink: str,
        recipient: str,
        names: Names,
        now_ms: Callable[[], int],
    ) -> None:
        self._db = db
        self._register = register
        self._sink = sink
        self._recipient = recipient
        self._names = names
        self._now_ms = now_ms
        self._last = NOTHING  # what was taken last: sent again, it is no other disclosure

    def refresh(self) -> None:
        """Before events are put in: under the names that hold now."""
        self._names.refresh()

    def depth(self) -> int:
        """Events that wait to be sent."""
        (n,) = self._db.connection.execute("SELECT count(*) FROM outbox WHERE sink = ?", (self._sink,)).fetchone()
        return int(n)

    def take(self, most: int, compose: Compose) -> Batch:
        """The next events to send. Each is asked about again, now: what may no longer leave is dropped here. That they
        are sent is in the ledger when this returns, and so before their first byte leaves."""
        sql = self._db.connection
        rows = sql.execute(
            "SELECT id, grant_id, version, device, epoch, category, purpose, granularity, is_event, first_ms, last_ms, "
            "body FROM outbox WHERE sink = ? ORDER BY id LIMIT ?",
            (self._sink, most),
        ).fetchall()
        if not rows:
            return NOTHING
        index = self._register.index()
        now_ms = self._now_ms()
        allowed: list[Queued] = []
        dropped: list[int] = []
        withheld: Counter[Reason] = Counter()
        for row in rows:
            values = [*row, self._names.of_epoch(row[4]).device(row[3])]
            event = Queued(*values)
            refusal = self._refusal(event, index, now_ms)
            if refusal is None:
                allowed.append(event)
            else:
                withheld[refusal] += 1
                dropped.append(event.id)
        events = ordered(allowed)
        body = compose([event.body for event in events]) if events else b""
        again = bool(events) and body == self._last.body
        until_ms = min((index.by_id[event.grant_id].expiry_ms for event in events), default=0)
        if again and not dropped and until_ms == self._last.until_ms:
            return self._last
        with self._db.transaction():
            sql.executemany("DELETE FROM outbox WHERE id = ?", [(id_,) for id_ in dropped])
            for reason, n in withheld.items():
                self._db.count("withheld", n)
                self._db.count(f"withheld.{reason.value}", n)
            sending = self._last.sending if again else self._disclose(events, body, now_ms)
        self._last = Batch(events, body, sending, until_ms) if events else NOTHING
        return self._last

    def allowed_until(self, events: Iterable[Queued]) -> int:
        """Until when all of these may leave (Unix ms); 0 if some may not any more."""
        index, now_ms = self._register.index(), self._now_ms()
        if any(self._refusal(event, index, now_ms) is not None for event in events):
            return 0
        return min((index.by_id[event.grant_id].expiry_ms for event in events), default=0)

    def remove(self, events: Sequence[Queued], counter: str) -> None:
        """These are done with; count them under a name. Of a batch the ledger says so too."""
        with self._db.transaction() as sql:
            # By more than the number: what was revoked meanwhile is gone, and its number may be another event's by now.
            sql.executemany(
                "DELETE FROM outbox WHERE id = ? AND sink = ? AND body = ?",
                [(event.id, self._sink, event.body) for event in events],
            )
            self._db.count(counter, len(events))
            for grant_id, n in Counter(event.grant_id for event in events).items():
                self._db.count(f"{counter}.{grant_id}", n)
            if isinstance(events, Batch) and events.sending:
                kind = "delivered" if counter == "cloud_events_sent" else "refused"
                audit.append(self._db, self._now_ms(), kind, {"sending": events.sending, "events": len(events)})
        self._last = NOTHING

    def aborted(self, batch: Batch) -> None:
        """It was ended while it was sent: some of it may have left."""
        with self._db.transaction():
            audit.append(self._db, self._now_ms(), "aborted", {"sending": batch.sending})
        self._last = NOTHING

    def _refusal(self, event: Queued, index: GrantIndex, now_ms: int) -> Reason | None:
        """Why an event may not leave now; None if it may."""
        grant = index.by_id.get(event.grant_id)
        if grant is None or grant.granularity.value != event.granularity:
            return Reason.NO_GRANT  # a change of how finely it may leave is another agreement
        if grant.hours is not None and grant.granularity.bucket_ms is not None:
            # They were asked about for every reading that is in it, and with other hours it would have been dropped.
            grant = replace(grant, hours=None)
        answer = decide_whole(
            event.device, event.category, event.first_ms, event.last_ms, self._recipient, event.purpose,
            Ranked((grant,)), now_ms, is_event=bool(event.is_event),
        )  # fmt: skip
        return answer.reason if isinstance(answer, Withhold) else None

    def _disclose(self, events: Sequence[Queued], body: bytes, now_ms: int) -> int:
        """Say in the ledger, and in the totals, that these leave. In a transaction; the number of the row."""
        if not events:
            return 0
        totals: dict[tuple[str, str, int], list[int]] = {}
        for event in events:
            key = (event.grant_id, event.device, event.epoch)
            total = totals.setdefault(key, [event.first_ms, event.last_ms, 0])
            total[:] = min(total[0], event.first_ms), max(total[1], event.last_ms), total[2] + 1
        self._db.connection.executemany(
            "INSERT INTO disclosure (recipient, grant_id, device, epoch, first_ms, last_ms, events) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (recipient, grant_id, device, epoch) DO UPDATE SET "
            "first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms), "
            "events = events + excluded.events",
            [(self._recipient, *key, *total) for key, total in totals.items()],
        )
        return audit.append(self._db, now_ms, "sending", told(self._sink, self._recipient, events, body)).n

    def put_readings(self, series: Series, *, again: bool = False) -> None:
        """A run of readings, or an event. `again`: they were decided on before, without this grant, and may have left
        under another one: what leaves now is another event."""
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
        names = self._names.newest
        event_id = names.event(
            *(("again", series.grant.id, series.grant.start_ms) if again else ()),
            series.grant.purpose,
            frame.device,
            frame.frame.boot,
            frame.seq,
            series.index,
            series.first_row,
        )
        body = cloudevent.build(
            type_=cloudevent.EVENT if series.is_event else cloudevent.READINGS,
            event_id=event_id,
            pseudonym=names.device(frame.device),
            subject=channel.name,
            time_ms=cloudevent.coarse(series.time_ms, series.step_ms),
            grant=series.grant,
            data=data,
        )
        self._insert(
            event_id, series.grant, frame.device, channel.category, names.epoch, int(series.is_event),
            series.time_ms, series.last_ms, body,
        )  # fmt: skip

    def put_aggregate(self, bucket: Closed, grant: Grant) -> None:
        """A complete aggregate."""
        names = self._names.newest
        # Where a change of the grant reaches back, the same time may have left under the version before.
        reaches = grant.since_ms is not None and grant.since_ms < grant.start_ms
        event_id = names.event(
            *(("again", grant.start_ms) if reaches else ()),
            "bucket", bucket.grant_id, bucket.granularity, bucket.device, bucket.channel,
            bucket.start_ms, bucket.unit, bucket.num, bucket.den,
        )  # fmt: skip
        self._insert(
            event_id, grant, bucket.device, bucket.category, names.epoch, 0, bucket.start_ms, bucket.end_ms - 1,
            bucket.to_event(event_id, names, grant),
        )  # fmt: skip

    def _insert(
        self, event_id: str, grant: Grant, device: str, category: str, epoch: int, is_event: int, first_ms: int,
        last_ms: int, body: str,
    ) -> None:  # fmt: skip
        self._db.connection.execute(
            "INSERT OR IGNORE INTO outbox (sink, event_id, grant_id, version, device, category, purpose, granularity, "
            "is_event, first_ms, last_ms, epoch, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._sink, event_id, grant.id, grant.version, device, category, grant.purpose,
                grant.granularity.value, is_event, first_ms, last_ms, epoch, body,
            ),
        )  # fmt: skip
