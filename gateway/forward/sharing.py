"""From stored frames to what may leave: asks `decide` for every reading, pure but for its arguments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.consent.decide import GrantIndex, Ranked, Reason, Share, Withhold, decide_runs, decide_whole, nearest
from gateway.consent.grants import Grant
from gateway.store.reader import StoredFrame
from gateway.wire.birth import Channel, ValueKind


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
    for source in _sources(frame, start_ms):
        asked = [
            (purpose, candidates)
            for purpose in purposes
            if (candidates := grants.candidates(recipient, purpose, source.channel.category, frame.device))
        ]
        if not asked:
            withheld[Reason.NO_GRANT] += len(source.rows)
            continue
        refused = []
        for purpose, candidates in asked:
            runs = _runs(frame, source, recipient, purpose, candidates, now_ms)
            for start, stop, answer in runs:
                if isinstance(answer, Share):
                    yield from _series(frame, source, source.rows[start:stop], answer.grant)
            refused.append([(start, stop, a.reason) for start, stop, a in runs if isinstance(a, Withhold)])
        _count_refused(refused, withheld)


def _runs(
    frame: StoredFrame, source: _Source, recipient: str, purpose: str, candidates: Ranked, now_ms: int
) -> list[tuple[int, int, Share | Withhold]]:
    """The answers for a channel's rows, as (start, stop, answer) over them."""
    category, is_event = source.channel.category, source.is_event
    about = (recipient, purpose, candidates, now_ms)
    lasts_ms = frame.frame.step_ms - frame.frame.step_ms // frame.frame.each
    if frame.time_ms is None:
        answer = decide_whole(frame.device, category, None, None, *about, is_event=is_event)
        return [(0, len(source.rows), answer)]
    if not lasts_ms or not source.rows:
        times = [row.time_ms for row in source.rows]
        return list(decide_runs(frame.device, category, times, *about, is_event=is_event))
    # What was made into one row cannot be taken apart.
    runs: list[tuple[int, int, Share | Withhold]] = []
    for i, row in enumerate(source.rows):
        last_ms = row.time_ms + lasts_ms
        answer = decide_whole(frame.device, category, row.time_ms, last_ms, *about, is_event=is_event)
        if runs and runs[-1][2] == answer:
            runs[-1] = (runs[-1][0], i + 1, answer)
        else:
            runs.append((i, i + 1, answer))
    return runs


def _series(frame: StoredFrame, source: _Source, rows: Sequence[_Row], grant: Grant) -> Iterator[Series]:
    """The rows as series: without a missing reading in between, and each event alone."""
    run: Series | None = None
    for row in rows:
        if run is None or not run.goes_on(row.row, grant):
            if run is not None:
                yield run
            step_ms = 0 if source.is_event else frame.frame.step_ms
            run = Series(
                frame, source.index, source.channel, grant, row.row, row.time_ms, step_ms, frame.label,
                source.is_event,
            )  # fmt: skip
        run.values.append(row.value)
        if frame.frame.each > 1:
            run.lows.append(row.low)
            run.highs.append(row.high)
    if run is not None:
        yield run


def _count_refused(refused: Sequence[Sequence[tuple[int, int, Reason]]], withheld: Counter[Reason]) -> None:
    """Count the rows that every purpose refused. `refused`: of each purpose (start, stop, reason)."""
    edges = sorted({edge for runs in refused for start, stop, _ in runs for edge in (start, stop)})
    for start, stop in pairwise(edges):
        reasons = [next((reason for a, b, reason in runs if a <= start < b), None) for runs in refused]
        if None not in reasons:
            withheld[nearest(reason for reason in reasons if reason is not None)] += stop - start


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
