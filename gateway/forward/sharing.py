"""From stored frames to what may leave: asks `decide` for every reading, pure but for its arguments."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

from gateway.consent.decide import GrantIndex, Ranked, Reason, Share, Withhold, decide_runs, decide_whole, nearest
from gateway.consent.grants import Grant
from gateway.store.reader import StoredFrame
from gateway.wire.birth import Channel


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

    @property
    def last_ms(self) -> int:
        """The time of the last reading."""
        return self.time_ms + self.step_ms * len(self.values) - self.step_ms // self.each


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel's readings in a frame. `values`, `lows` and `highs` are by row; `rows` are those that are there, and
    `times_ms` theirs."""

    index: int
    channel: Channel
    rows: Sequence[int]
    times_ms: Sequence[int]
    values: Sequence[int | None]
    lows: Sequence[int | None] = ()
    highs: Sequence[int | None] = ()
    is_event: bool = False


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
                if isinstance(answer, Share) and start < stop:
                    yield from _series(frame, source, start, stop, answer.grant)
            refused.append([(start, stop, a.reason) for start, stop, a in runs if isinstance(a, Withhold)])
        _count_refused(refused, withheld)


def _runs(
    frame: StoredFrame, source: _Source, recipient: str, purpose: str, candidates: Ranked, now_ms: int
) -> list[tuple[int, int, Share | Withhold]]:
    """The answers for a channel's rows, as (start, stop, answer) over them."""
    category, is_event = source.channel.category, source.is_event
    about = (recipient, purpose, candidates, now_ms)
    if frame.time_ms is None:
        answer = decide_whole(frame.device, category, None, None, *about, is_event=is_event)
        return [(0, len(source.rows), answer)]
    lasts_ms = frame.frame.step_ms - frame.frame.step_ms // frame.frame.each
    if not lasts_ms:
        return list(decide_runs(frame.device, category, source.times_ms, *about, is_event=is_event))
    # What was made into one row cannot be taken apart.
    runs: list[tuple[int, int, Share | Withhold]] = []
    for i, at_ms in enumerate(source.times_ms):
        answer = decide_whole(frame.device, category, at_ms, at_ms + lasts_ms, *about, is_event=is_event)
        if runs and runs[-1][2] == answer:
            runs[-1] = (runs[-1][0], i + 1, answer)
        else:
            runs.append((i, i + 1, answer))
    return runs


def _series(frame: StoredFrame, source: _Source, start: int, stop: int, grant: Grant) -> Iterator[Series]:
    """The rows as series: without a missing reading in between, and each event alone."""
    step_ms = 0 if source.is_event else frame.frame.step_ms
    thinned = frame.frame.each > 1
    for first, last in _neighbours(source.rows, start, stop):
        row, end = source.rows[first], source.rows[last - 1] + 1
        yield Series(
            frame, source.index, source.channel, grant, row, source.times_ms[first], step_ms, frame.label,
            source.is_event, _there(source.values[row:end]), _there(source.lows[row:end]) if thinned else [],
            _there(source.highs[row:end]) if thinned else [],
        )  # fmt: skip


def _neighbours(rows: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The parts of `rows` from `start` to `stop` in which each number is one above that before it."""
    if rows[stop - 1] - rows[start] == stop - 1 - start:
        yield start, stop  # nothing is missing, as a rule
        return
    first = start
    for at in range(start + 1, stop):
        if rows[at] != rows[at - 1] + 1:
            yield first, at
            first = at
    yield first, stop


def _there(values: Sequence[int | None]) -> list[int]:
    """Not one of them is missing: `_Source.rows` are those that are there."""
    return cast("list[int]", values)


def _count_refused(refused: Sequence[Sequence[tuple[int, int, Reason]]], withheld: Counter[Reason]) -> None:
    """Count the rows that every purpose refused. `refused`: of each purpose (start, stop, reason)."""
    edges = sorted({edge for runs in refused for start, stop, _ in runs for edge in (start, stop)})
    for start, stop in pairwise(edges):
        reasons = [next((reason for a, b, reason in runs if a <= start < b), None) for runs in refused]
        if None not in reasons:
            withheld[nearest(reason for reason in reasons if reason is not None)] += stop - start


def _sources(frame: StoredFrame, start_ms: int) -> Iterator[_Source]:
    body = frame.frame
    if body.events:
        values = [event.value for event in body.events]
        for row, event in enumerate(body.events):
            at_ms = (start_ms + event.offset_ms,)
            channel = frame.birth.channels[event.channel]
            yield _Source(event.channel, channel, (row,), at_ms, values, is_event=True)
        return
    if not body.columns:
        return
    every = range(body.rows)
    every_ms = range(start_ms, start_ms + body.rows * body.step_ms, body.step_ms) if body.step_ms else (start_ms,)
    parts = zip(frame.birth.series, body.columns, body.lows or body.columns, body.highs or body.columns, strict=True)
    for (index, channel), column, lows, highs in parts:
        rows: Sequence[int] = every
        times_ms: Sequence[int] = every_ms
        if None in column or None in lows or None in highs:
            rows = [row for row in every if None not in (column[row], lows[row], highs[row])]
            times_ms = [every_ms[row] for row in rows]
        yield _Source(index, channel, rows, times_ms, column, lows, highs)
