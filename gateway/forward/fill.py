"""One fill of a sink: each frame is decided on, and what may leave goes to the outbox or into its aggregate."""

from collections import Counter
from collections.abc import Sequence

from gateway.consent.decide import GrantIndex, Reason
from gateway.consent.grants import Grant
from gateway.forward import buckets
from gateway.forward.outbox import Outbox
from gateway.forward.sharing import share
from gateway.store.database import Database
from gateway.store.reader import StoredFrame


class Fill:
    """Decides on frames, one after the other. All of it in one transaction; the last is `finish`. `enqueued`: events
    that it put into the outbox."""

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
                added = buckets.add(self._db, self._sink, series, until_ms, self._now_ms)
                self._counted["late"] += added.late
                self._withheld[Reason.PARTIAL] += added.partial
                self._counted["granted"] -= added.partial
            self._counted["granted"] += len(series.values)
        self._was_read(frame)

    def decide_again(self, frame: StoredFrame, grant: Grant) -> int:
        """The same for what leaves under one grant that reaches back to this frame; how many events that made."""
        before = self.enqueued
        if not frame.birth.fits(frame.frame):
            return 0
        for series in share(frame, self._recipient, self._purposes, self._index, self._now_ms, Counter()):
            if series.grant.id != grant.id:
                continue
            if grant.granularity.bucket_ms is None:
                self._outbox.put_readings(series, again=True)
                self.enqueued += 1
            else:
                added = buckets.add(self._db, self._sink, series, 0, self._now_ms)
                self._counted["granted"] -= added.partial
            self._counted["granted"] += len(series.values)
        self._was_read(frame)
        return self.enqueued - before

    def finish(self) -> Counter[str]:
        """Write the horizons; return what was counted."""
        # Where no aggregate is open there is none that a horizon could close: it is not worth a page.
        for device_id in buckets.open_devices(self._db, self._sink) & self._read_ms.keys():
            buckets.move_horizon(self._db, self._sink, device_id, self._read_ms[device_id])
        for reason, n in self._withheld.items():
            self._counted["withheld"] += n
            self._counted[f"withheld.{reason.value}"] += n
        return +self._counted

    def _was_read(self, frame: StoredFrame) -> None:
        # Events are sealed at once and overtake the rows before them, so only series move the horizon; and never past
        # now, or a board whose clock once was wrong would close every bucket to come.
        if frame.time_ms is not None and frame.frame.rows:
            until_ms = min(frame.time_ms + frame.frame.rows * frame.frame.step_ms, self._now_ms)
            self._until_ms[frame.device_id] = max(until_ms, self._until_ms.get(frame.device_id, 0))
            self._read_ms[frame.device_id] = self._until_ms[frame.device_id]
