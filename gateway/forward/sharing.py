"""From stored frames to what may leave: asks `decide` for every reading, pure but for its arguments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gateway.consent.decide import GrantIndex, Reading, Reason, Share, decide, nearest
from gateway.consent.grants import Grant
from gateway.store.reader import StoredFrame
from gateway.wire.birth import Channel, ValueKind

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Series:
    """Consecutive readings of one channel in a frame, shared under one grant. `first_row` is the index in the frame.

    In a thinned frame each row stands for `each` readings: `values` are their means, and `lows` and `highs` their
    lowest and highest. Elsewhere `each` is 1, and those two are empty.
    """

    frame: StoredFrame
    index: int
    channel: Channel
    grant: Grant
    first_row: int
    time_ms: int
    step_ms: int
    time_label: str
    is_event: bool
    values: list[int] = field(default_factory=list)
    lows: list[int] = field(default_factory=list)
    highs: list[int] = field(default_factory=list)

    @property
    def each(self) -> int:
        """How many readings a row stands for."""
        return self.frame.frame.each

    def goes_on(self, row: int, grant: Grant) -> bool:
        """Whether a reading of this row, shared under `grant`, belongs to this series."""
        return not self.is_event and self.grant is grant and self.first_row + len(self.values) == row

    @property
    def last_ms(self) -> int:
        """The time of the last reading."""
        return self.time_ms + self.step_ms * len(self.values) - self.step_ms // self.each


@dataclass(frozen=True, slots=True)
class _Row:
    row: int
    time_ms: int
    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel's readings in a frame, without the missing ones."""

    index: int
    channel: Channel
    is_event: bool
    rows: list[_Row]


def share(
    frame: StoredFrame,
    recipient: str,
    purposes: Sequence[str],
    grants: GrantIndex,
    now_ms: int,
    withheld: Counter[Reason],
) -> Iterator[Series]:
    """What of a frame may leave to a recipient, for each purpose; a reading that may leave for none is counted in
    `withheld`, with the reason that came nearest to a yes. (Of a thinned frame, a row counts as one.)"""
    start_ms = 0 if frame.time_ms is None else frame.time_ms
    lasts_ms = frame.frame.step_ms - frame.frame.step_ms // frame.frame.each
    for source in _sources(frame, start_ms):
        channel = source.channel
        asked = [
            (purpose, candidates)
            for purpose in purposes
            if (candidates := grants.candidates(recipient, purpose, channel.category, frame.device))
        ]
        if not asked:
            withheld[Reason.NO_GRANT] += len(source.rows)
            continue
        runs: dict[str, Series] = {}
        for row in source.rows:
            readings = [
                Reading(frame.device, channel.category, at_ms, source.is_event)
                for at_ms in ([None] if frame.time_ms is None else _moments(row.time_ms, lasts_ms))
            ]
            refusals: list[Reason] = []
            for purpose, candidates in asked:
                answer = _decided(readings, recipient, purpose, candidates, now_ms)
                if not isinstance(answer, Grant):
                    refusals.append(answer)
                    continue
                run = runs.get(purpose)
                if run is None or not run.goes_on(row.row, answer):
                    if run is not None:
                        yield run
                    step_ms = 0 if source.is_event else frame.frame.step_ms
                    run = runs[purpose] = Series(
                        frame, source.index, channel, answer, row.row, row.time_ms, step_ms, frame.label,
                        source.is_event,
                    )  # fmt: skip
                run.values.append(row.value)
                if frame.frame.each > 1:
                    run.lows.append(row.low)
                    run.highs.append(row.high)
            if len(refusals) == len(asked):
                withheld[nearest(refusals)] += 1
        yield from runs.values()


def _decided(
    readings: Sequence[Reading], recipient: str, purpose: str, candidates: Sequence[Grant], now_ms: int
) -> Grant | Reason:
    """The grant under which all of these may leave (what was made into one row cannot be taken apart), or why not."""
    if len(readings) > 1:
        fitting = [
            g for g in candidates if all(_allows(g, reading, recipient, purpose, now_ms) for reading in readings)
        ]
        if not fitting:
            answers = (decide(reading, recipient, purpose, candidates, now_ms) for reading in readings)
            return next((a.reason for a in answers if not isinstance(a, Share)), Reason.NO_GRANT)
        candidates = fitting
    answer = decide(readings[0], recipient, purpose, candidates, now_ms)
    return answer.grant if isinstance(answer, Share) else answer.reason


def _allows(grant: Grant, reading: Reading, recipient: str, purpose: str, now_ms: int) -> bool:
    return isinstance(decide(reading, recipient, purpose, (grant,), now_ms), Share)


def _moments(time_ms: int, lasts_ms: int) -> Iterator[int]:
    """When the readings in a row were taken: its first, its last, and a moment of each minute between."""
    yield time_ms
    if lasts_ms:
        # A day holds every minute that a grant's hours can name.
        yield from range(time_ms + _MINUTE_MS, time_ms + min(lasts_ms, 86_400_000), _MINUTE_MS)
        yield time_ms + lasts_ms


def _sources(frame: StoredFrame, start_ms: int) -> Iterable[_Source]:
    body = frame.frame
    for row, event in enumerate(body.events):
        channel = frame.birth.channels[event.channel]
        at_ms = start_ms + event.offset_ms
        yield _Source(
            event.channel, channel, is_event=True, rows=[_Row(row, at_ms, event.value, event.value, event.value)]
        )
    if not body.columns:
        return
    parts = zip(frame.birth.series, body.columns, body.lows or body.columns, body.highs or body.columns, strict=True)
    for (index, channel), column, lows, highs in parts:
        yield _Source(
            index,
            channel,
            channel.kind is ValueKind.EVENT,
            [
                _Row(row, start_ms + row * body.step_ms, value, low, high)
                for row, (value, low, high) in enumerate(zip(column, lows, highs, strict=True))
                if value is not None and low is not None and high is not None
            ],
        )
