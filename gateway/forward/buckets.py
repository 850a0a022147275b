"""Aggregates under a grant: filled as frames are read, closed when no more can come, sent once."""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from gateway.consent.grants import Grant
from gateway.consent.pseudonym import Pseudonyms
from gateway.forward import cloudevent
from gateway.forward.sharing import Series
from gateway.store.database import Database

# Of one, two or three readings the lowest, mean and highest tell every one: they are no aggregate.
LEAST_READINGS = 4

# A bucket whose device fell silent is closed this long after its end, and after the last that came for it: a board that
# comes back after hours fills the buckets of those hours first.
GRACE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Closed:
    """A bucket that is complete: min, mean, max and count of what was granted in it."""

    grant_id: str
    device_id: int
    device: str
    channel: str
    granularity: str
    purpose: str
    category: str
    unit: str
    time_label: str
    start_ms: int
    end_ms: int
    n: int
    total: int
    low: int
    high: int
    num: int
    den: int

    def whole(self, grant: Grant) -> bool:
        """Whether all of its time lies in what the grant allows now: it may have been changed while this was filled."""
        return (
            grant.granularity.value == self.granularity
            and grant.measured_from_ms <= self.start_ms
            and self.end_ms <= grant.expiry_ms
        )

    def to_event(self, event_id: str, names: Pseudonyms, grant: Grant) -> str:
        """The aggregate as a CloudEvent."""
        scale = Fraction(self.num, self.den)
        data = {
            "unit": self.unit,
            "category": self.category,
            "time_label": self.time_label,
            "from": cloudevent.timestamp(self.start_ms),
            "to": cloudevent.timestamp(self.end_ms),
            "min": _number(self.low * scale),
            "mean": round(float(self.total * scale / self.n), 4),
            "max": _number(self.high * scale),
            "count": self.n,
        }
        return cloudevent.build(
            type_=cloudevent.AGGREGATE,
            event_id=event_id,
            pseudonym=names.device(self.device),
            subject=self.channel,
            time_ms=self.start_ms,
            grant=grant,
            data=data,
        )


@dataclass(frozen=True, slots=True)
class Added:
    """Readings of a series that are in no bucket: `late` came after theirs was sent, `partial` belong to one of which
    the grant allows only a part (it began or ends in it, was changed or rested): such a one could tell of a moment what
    may be told of its whole time only."""

    late: int = 0
    partial: int = 0


def add(db: Database, sink: str, series: Series, closed_until_ms: int, now_ms: int) -> Added:
    """Add a series to its buckets. In a transaction."""
    length_ms = series.grant.granularity.bucket_ms
    if length_ms is None:
        raise ValueError("only aggregates have buckets")
    late = partial = 0
    by_start: dict[int, list[int]] = {}
    for i in range(len(series.values)):
        time_ms = series.time_ms + i * series.step_ms
        start_ms = time_ms - time_ms % length_ms
        if start_ms + length_ms <= closed_until_ms:
            late += 1
        elif start_ms < series.grant.measured_from_ms or start_ms + length_ms > series.grant.expiry_ms:
            partial += 1
        else:
            by_start.setdefault(start_ms, []).append(i)
    channel = series.channel
    lows, highs = series.lows or series.values, series.highs or series.values
    for start_ms, rows in by_start.items():
        db.connection.execute(
            "INSERT INTO bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (sink, grant_id, device_id, channel, start_ms, unit, num, den) DO UPDATE SET "
            "touched_ms = excluded.touched_ms, n = n + excluded.n, total = total + excluded.total, "
            "low = min(low, excluded.low), high = max(high, excluded.high), "
            # the less certain of the times in it
            "time_label = CASE WHEN 'placed' IN (time_label, excluded.time_label) THEN 'placed' ELSE 'measured' END",
            (
                sink,
                series.grant.id,
                series.frame.device_id,
                channel.name,
                series.grant.granularity.value,
                series.grant.purpose,
                channel.category,
                channel.unit,
                series.time_label,
                start_ms,
                start_ms + length_ms,
                len(rows) * series.each,
                sum(series.values[i] for i in rows) * series.each,  # of a thinned row the mean, which is rounded
                min(lows[i] for i in rows),
                max(highs[i] for i in rows),
                channel.num,
                channel.den,
                now_ms,
            ),
        )
    return Added(late, partial)


def take_closed(
    db: Database, sink: str, horizon_ms: dict[int, int], now_ms: int, filling: Collection[str] = ()
) -> list[Closed]:
    """Take the complete buckets out: those that end at or before the time up to which their device's frames were read,
    and those for which nothing has come for GRACE_MS; none of the grants in `filling`. In a transaction."""
    rows = db.connection.execute(
        "SELECT grant_id, device_id, device, channel, granularity, purpose, category, unit, time_label, "
        "start_ms, end_ms, n, total, low, high, num, den, touched_ms "
        "FROM bucket JOIN device ON device.id = bucket.device_id "
        "WHERE sink = ? ORDER BY start_ms, device_id, channel, unit, num, den",
        (sink,),
    ).fetchall()
    closed = []
    for row in rows:
        *fields, touched_ms = row
        bucket = Closed(*fields)
        if bucket.grant_id in filling:
            continue
        silent = max(bucket.end_ms, touched_ms) + GRACE_MS <= now_ms
        if silent or bucket.end_ms <= horizon_ms.get(bucket.device_id, 0):
            closed.append(bucket)
            db.connection.execute(
                "DELETE FROM bucket WHERE sink = ? AND grant_id = ? AND device_id = ? AND channel = ? AND start_ms = ? "
                "AND unit = ? AND num = ? AND den = ?",
                (
                    sink,
                    bucket.grant_id,
                    bucket.device_id,
                    bucket.channel,
                    bucket.start_ms,
                    bucket.unit,
                    bucket.num,
                    bucket.den,
                ),
            )
    return closed


def horizons(db: Database, sink: str) -> dict[int, int]:
    """Up to which time the series of each device were read: its buckets that end there are closed."""
    return dict(db.connection.execute("SELECT device_id, until_ms FROM horizon WHERE sink = ?", (sink,)))


def move_horizon(db: Database, sink: str, device_id: int, until_ms: int) -> None:
    """The series of a device were read up to then. In a transaction."""
    db.connection.execute(
        "INSERT INTO horizon VALUES (?, ?, ?) ON CONFLICT (sink, device_id) "
        "DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
        (sink, device_id, until_ms),
    )


def open_devices(db: Database, sink: str) -> set[int]:
    """The devices that an aggregate is being filled for."""
    return {row[0] for row in db.connection.execute("SELECT DISTINCT device_id FROM bucket WHERE sink = ?", (sink,))}


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)
