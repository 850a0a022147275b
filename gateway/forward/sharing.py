"""From stored frames to what may leave: asks `decide` for every reading, pure but for its arguments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.consent.decide import GrantIndex, Reading, Reason, Share, decide, nearest
from gateway.consent.grants import Grant
from gateway.store.frames import StoredFrame
from gateway.wire.birth import Channel, ValueKind


@dataclass(frozen=True, slots=True)
class Series:
    """Consecutive readings of one channel in a frame, shared under one grant. `first_row` is the index in the frame."""

    frame: StoredFrame
    index: int
    channel: Channel
    grant: Grant
    first_row: int
    time_ms: int
    step_ms: int
    time_label: str
    values: list[int]
    is_event: bool

    def goes_on(self, row: int, grant: Grant) -> bool:
        """Whether a reading of this row, shared under `grant`, belongs to this series."""
        return not self.is_event and self.grant is grant and self.first_row + len(self.values) == row

    @property
    def last_ms(self) -> int:
        """The time of the last reading."""
        return self.time_ms + self.step_ms * (len(self.values) - 1)


@dataclass(frozen=True, slots=True)
class _Source:
    """One channel's readings in a frame: (row, time_ms, value), without the missing ones."""

    index: int
    channel: Channel
    is_event: bool
    readings: list[tuple[int, int, int]]


def share(
    frame: StoredFrame,
    recipient: str,
    purposes: Sequence[str],
    grants: GrantIndex,
    now_ms: int,
    withheld: Counter[Reason],
) -> Iterator[Series]:
    """What of a frame may leave to a recipient, for each purpose; a reading that may leave for none is counted in
    `withheld`, with the reason that came nearest to a yes."""
    start_ms, label = frame.start()
    for source in _sources(frame, start_ms):
        channel = source.channel
        asked = [
            (purpose, candidates)
            for purpose in purposes
            if (candidates := grants.candidates(recipient, purpose, channel.category, frame.device))
        ]
        if not asked:
            withheld[Reason.NO_GRANT] += len(source.readings)
            continue
        runs: dict[str, Series] = {}
        for row, time_ms, value in source.readings:
            known_ms = None if label == "arrival" else time_ms
            reading = Reading(frame.device, channel.category, known_ms, source.is_event)
            refusals: list[Reason] = []
            for purpose, candidates in asked:
                answer = decide(reading, recipient, purpose, candidates, now_ms)
                if not isinstance(answer, Share):
                    refusals.append(answer.reason)
                    continue
                run = runs.get(purpose)
                if run is not None and run.goes_on(row, answer.grant):
                    run.values.append(value)
                    continue
                if run is not None:
                    yield run
                step_ms = 0 if source.is_event else frame.frame.step_ms
                runs[purpose] = Series(
                    frame, source.index, channel, answer.grant, row, time_ms, step_ms, label, [value], source.is_event
                )
            if len(refusals) == len(asked):
                withheld[nearest(refusals)] += 1
        yield from runs.values()


def _sources(frame: StoredFrame, start_ms: int) -> Iterable[_Source]:
    body = frame.frame
    if body.events:
        for row, event in enumerate(body.events):
            channel = frame.birth.channels[event.channel]
            readings = [(row, start_ms + event.offset_ms, event.value)]
            yield _Source(event.channel, channel, is_event=True, readings=readings)
        return
    for (index, channel), column in zip(frame.birth.series, body.columns, strict=True):
        step_ms = body.step_ms
        yield _Source(
            index,
            channel,
            channel.kind is ValueKind.EVENT,
            [(row, start_ms + row * step_ms, value) for row, value in enumerate(column) if value is not None],
        )
