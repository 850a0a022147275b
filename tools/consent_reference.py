"""What each recipient may hold, recomputed from the rules in words: the other side of consent_model.

Nothing here is taken from gateway/consent or gateway/forward: a reading is asked about alone, every grant is asked, and
an aggregate is the list of its readings until it is sent. It is slow, and short enough to be read beside the rules.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from zoneinfo import ZoneInfo

from tools.consent_house import CHANNELS

__all__ = ["Frame", "Given", "Hours", "Said", "Sink", "Waiting", "may_leave"]

LENGTH_MS = {"5min": 300_000, "15min": 900_000, "hour": 3_600_000, "day": 86_400_000}
SILENCE_MS = 3_600_000  # a device that says nothing for so long after an aggregate's end has said what it had to say
Cell = tuple[int, int, int]  # lowest, mean, highest of a row; three times the same where the row is one reading
Said = tuple[str, ...]  # what an event says, field by field


@dataclass(frozen=True)
class Hours:
    """From one minute of the day to another, in a zone, on some days of the week."""

    start_min: int
    end_min: int
    zone: str
    days: tuple[int, ...] | None

    def hold(self, time_ms: int) -> bool:
        """A night that begins on Friday is Friday's, to its end."""
        here = datetime.fromtimestamp(time_ms // 1000, ZoneInfo(self.zone))
        minute, length = here.hour * 60 + here.minute, (self.end_min - self.start_min) % 1440 or 1440
        return any(
            0 <= minute + 1440 * ago - self.start_min < length
            and (self.days is None or (here.date() - timedelta(days=ago)).weekday() in self.days)
            for ago in (0, 1)
        )


@dataclass
class Given:
    """A grant as it stands now."""

    id: str
    recipient: str
    purpose: str
    category: str
    devices: tuple[str, ...]
    granularity: str
    hours: Hours | None
    start_ms: int
    since_ms: int | None
    expiry_ms: int
    version: int = 1
    revoked: bool = False
    paused: bool = False
    resumed_ms: int = 0

    @property
    def from_ms(self) -> int:
        """Nothing measured before."""
        return max(self.start_ms if self.since_ms is None else self.since_ms, self.resumed_ms)

    def holds(self, now_ms: int) -> bool:
        """Whether anything at all may leave under it now."""
        return not self.revoked and not self.paused and self.start_ms <= now_ms < self.expiry_ms

    def speaks_of(self, device: str, category: str, recipient: str, purpose: str) -> bool:
        """Whether it is about this."""
        about = (self.category, self.recipient, self.purpose) == (category, recipient, purpose)
        return about and (self.devices == ("*",) or device in self.devices)

    def allows(self, first_ms: int, last_ms: int, *, is_event: bool) -> bool:
        """Whether what was measured from one time to another may leave, as far as that hangs on the time."""
        every = {*range(first_ms, last_ms + 1, 1000), last_ms}
        return (
            self.from_ms <= first_ms
            and last_ms < self.expiry_ms
            and (self.hours is None or all(self.hours.hold(at_ms) for at_ms in every))
            and (self.granularity != "event" or is_event)
        )


def fineness(given: Given) -> tuple[int, int, str]:
    """The finest decides, then the one that holds longest, then the lower id."""
    of = {"raw": 0, "event": 1, **LENGTH_MS}
    return of[given.granularity], -given.expiry_ms, given.id


@dataclass
class Frame:
    """What a board measured; `time_ms` is when it really began. `received_ms`: None until the gateway has it."""

    device: str
    boot: int
    seq: int
    time_ms: int
    clocked: bool
    step_ms: int = 0
    each: int = 1
    rows: list[list[Cell | None]] = field(default_factory=list)
    events: list[tuple[int, int, int]] = field(default_factory=list)
    received_ms: int | None = None

    @property
    def end_ms(self) -> int:
        """When its last row is over."""
        return self.time_ms + self.step_ms * len(self.rows)


@dataclass(frozen=True)
class Waiting:
    """One event that waits to be sent."""

    given: Given
    granularity: str
    said: Said
    spans_ms: tuple[tuple[int, int], ...]
    is_event: bool


def may_leave(waiting: Waiting, now_ms: int) -> bool:
    """Whether it still may, at the moment of sending."""
    given = waiting.given
    if not given.holds(now_ms) or given.granularity != waiting.granularity:
        return False
    if given.granularity in LENGTH_MS:
        ((start_ms, end_ms),) = waiting.spans_ms
        return given.from_ms <= start_ms and end_ms <= given.expiry_ms
    return all(given.allows(first, last, is_event=waiting.is_event) for first, last in waiting.spans_ms)


@dataclass
class Bucket:
    """An aggregate that is being filled: its readings, each with how many it stands for."""

    readings: list[tuple[Cell, int]] = field(default_factory=list)
    placed: bool = False
    touched_ms: int = 0


@dataclass
class Sink:
    """One sink: what waits for it, and what is being added up."""

    recipient: str
    purposes: tuple[str, ...]
    name_of: Callable[[str], str]  # what this recipient calls a device now
    waiting: list[Waiting] = field(default_factory=list)
    open: dict[tuple[str, str, int, int], Bucket] = field(default_factory=lambda: defaultdict(Bucket))
    read_ms: dict[str, int] = field(default_factory=dict)

    def drop(self, given: Given) -> None:
        """Its grant no longer allows it, or another version of it does."""
        self.waiting = [waiting for waiting in self.waiting if waiting.given is not given]
        for key in [key for key in self.open if key[0] == given.id]:
            del self.open[key]

    def read(self, frame: Frame, given: Sequence[Given], now_ms: int, *, placed: bool) -> None:
        """Decide on a frame whose time is known."""
        for index, (*_, category) in enumerate(CHANNELS):
            kind = CHANNELS[index][4]
            cells = _cells(frame, index)
            for purpose in self.purposes:
                asked = [g for g in given if g.speaks_of(frame.device, category, self.recipient, purpose)]
                answers = [
                    min(
                        (g for g in asked if g.holds(now_ms) and g.allows(first, last, is_event=kind == 3)),
                        key=fineness,
                        default=None,
                    )
                    for _, first, last, _ in cells
                ]
                for answer, run in _runs(cells, answers, alone=kind == 3):
                    if answer.granularity in LENGTH_MS:
                        self._add(frame, index, answer, run, now_ms, placed=placed)
                    else:
                        self._put(frame, index, answer, run, placed=placed)
        if frame.rows:
            self.read_ms[frame.device] = max(min(frame.end_ms, now_ms), self.read_ms.get(frame.device, 0))

    def look_back(self, frame: Frame, given: Sequence[Given], back: Given, now_ms: int, *, placed: bool) -> None:
        """What was decided on before there was a grant that reaches back to it, for that grant alone."""
        before, read_ms = list(self.waiting), dict(self.read_ms)
        kept = {key: (list(bucket.readings), bucket.placed, bucket.touched_ms) for key, bucket in self.open.items()}
        self.read_ms.pop(frame.device, None)
        self.read(frame, given, now_ms, placed=placed)
        self.read_ms = read_ms
        self.waiting = before + [waiting for waiting in self.waiting[len(before) :] if waiting.given is back]
        for key in [key for key in self.open if key[0] != back.id]:
            if key not in kept:
                del self.open[key]
                continue
            bucket = self.open[key]
            bucket.readings, bucket.placed, bucket.touched_ms = kept[key]

    def close(self, given: dict[str, Given], now_ms: int) -> None:
        """Send what is complete, and no more comes for."""
        while True:
            complete = [key for key, bucket in self.open.items() if self._complete(key, bucket, given, now_ms)]
            for key in complete:
                bucket = self.open.pop(key)
                id_, device, index, start_ms = key
                end_ms = start_ms + LENGTH_MS[given[id_].granularity]
                self.read_ms[device] = max(end_ms, self.read_ms.get(device, 0))
                whole = given[id_].from_ms <= start_ms and end_ms <= given[id_].expiry_ms
                if whole and sum(n for _, n in bucket.readings) >= 4:
                    self._aggregate(given[id_], device, index, start_ms, end_ms, bucket)
            if not complete:
                return

    def _complete(self, key: tuple[str, str, int, int], bucket: Bucket, given: dict[str, Given], now_ms: int) -> bool:
        end_ms = key[3] + LENGTH_MS[given[key[0]].granularity]
        return end_ms <= self.read_ms.get(key[1], 0) or max(end_ms, bucket.touched_ms) + SILENCE_MS <= now_ms

    def _add(self, frame: Frame, index: int, given: Given, run: Iterable[_Cell], now_ms: int, *, placed: bool) -> None:
        length_ms = LENGTH_MS[given.granularity]
        for _, first_ms, _, cell in run:
            start_ms = first_ms // length_ms * length_ms
            late = start_ms + length_ms <= self.read_ms.get(frame.device, 0)
            if late or start_ms < given.from_ms or start_ms + length_ms > given.expiry_ms:
                continue
            bucket = self.open[given.id, frame.device, index, start_ms]
            bucket.readings.append((cell, frame.each))
            bucket.placed |= placed
            bucket.touched_ms = now_ms

    def _put(self, frame: Frame, index: int, given: Given, run: Sequence[_Cell], *, placed: bool) -> None:
        _, _, _, den, kind, _ = CHANNELS[index]
        data = self._data(index, placed=placed)
        if kind == 3:
            data["value"] = _scaled(run[0][3][1], den)
        else:
            if frame.step_ms:
                data["step_ms"] = frame.step_ms
            data["values"] = [_scaled(cell[1], den) for *_, cell in run]
            if frame.each > 1:
                ends = [[_scaled(cell[end], den) for *_, cell in run] for end in (0, 2)]
                data["thinned"] = {"rows_each": frame.each, "min": ends[0], "max": ends[1]}
        # On a grid that all households share: of a series its step's, of what happened ten seconds.
        grid_ms = max(frame.step_ms, 1000) if frame.step_ms else 10_000
        type_ = "event" if kind == 3 else "readings"
        spans = tuple((first, last) for _, first, last, _ in run)
        said = self._said(given, frame.device, index, type_, run[0][1] // grid_ms * grid_ms, data)
        self.waiting.append(Waiting(given, given.granularity, said, spans, is_event=kind == 3))

    def _aggregate(self, given: Given, device: str, index: int, start_ms: int, end_ms: int, bucket: Bucket) -> None:
        den = CHANNELS[index][3]
        values = [(Fraction(cell[1], den), n) for cell, n in bucket.readings]
        data = self._data(index, placed=bucket.placed) | {
            "from": iso(start_ms),
            "to": iso(end_ms),
            "min": _scaled(min(cell[0] for cell, _ in bucket.readings), den),
            "mean": round(float(sum(v * n for v, n in values) / sum(n for _, n in values)), 4),
            "max": _scaled(max(cell[2] for cell, _ in bucket.readings), den),
            "count": sum(n for _, n in values),
        }
        said = self._said(given, device, index, "aggregate", start_ms, data)
        self.waiting.append(Waiting(given, given.granularity, said, ((start_ms, end_ms),), is_event=False))

    def _data(self, index: int, *, placed: bool) -> dict[str, object]:
        _, unit, _, _, _, category = CHANNELS[index]
        return {"unit": unit, "category": category, "time_label": "placed" if placed else "measured"}

    def _said(self, given: Given, device: str, index: int, type_: str, time_ms: int, data: dict[str, object]) -> Said:
        return (
            f"io.hearthgate.{type_}.v1", f"urn:hearthgate:device:{self.name_of(device)}", CHANNELS[index][0],
            iso(time_ms), given.id, str(given.version), given.purpose, given.granularity, iso(given.expiry_ms),
            self.recipient, json.dumps(data, sort_keys=True),
        )  # fmt: skip


_Cell = tuple[int, int, int, Cell]  # row, times of its first and last reading, value


def _cells(frame: Frame, index: int) -> list[_Cell]:
    if frame.events:
        found = [(row, event) for row, event in enumerate(frame.events) if event[0] == index]
        return [(row, frame.time_ms + at, frame.time_ms + at, (value,) * 3) for row, (_, at, value) in found]
    if CHANNELS[index][4] == 3:
        return []
    lasts_ms = frame.step_ms - frame.step_ms // frame.each
    times = [frame.time_ms + row * frame.step_ms for row in range(len(frame.rows))]
    return [(i, t, t + lasts_ms, c) for i, t in enumerate(times) if (c := frame.rows[i][index]) is not None]


def _runs(
    cells: Sequence[_Cell], answers: Sequence[Given | None], *, alone: bool
) -> Iterable[tuple[Given, list[_Cell]]]:
    """Neighbours under one grant leave together; what happened leaves alone."""
    numbered = enumerate(zip(cells, answers, strict=True))
    for _, group in groupby(numbered, lambda at: (id(at[1][1]), at[0] if alone else at[1][0][0] - at[0])):
        run = [pair for _, pair in group]
        answer = run[0][1]
        if answer is not None:
            yield answer, [cell for cell, _ in run]


def _scaled(value: int, den: int) -> int | float:
    scaled = Fraction(value, den)
    return int(scaled) if scaled.denominator == 1 else float(scaled)


def iso(time_ms: int) -> str:
    """A time as events write it."""
    at = datetime.fromtimestamp(time_ms // 1000, UTC) + timedelta(milliseconds=time_ms % 1000)
    return at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds").replace("+00:00", "Z")
