"""The one place where it is decided what leaves the house. Pure and total: no clock, no file, no exception."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.grants import ANY_DEVICE, Grant
from gateway.consent.vocabulary import Granularity

_Key = tuple[str, str, str, str]  # recipient, purpose, category, device


@dataclass(frozen=True, slots=True)
class Reading:
    """What `decide` needs to know of a reading: whose, of what kind, measured when (Unix ms; None where nobody knows,
    because the board had no clock)."""

    device: str
    category: str
    time_ms: int | None
    is_event: bool


class Reason(StrEnum):
    """Why a reading stays at home."""

    NO_GRANT = "no_grant"
    REVOKED = "revoked"
    EXPIRED = "expired"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    BEFORE_GRANT = "before_grant"
    NO_CLOCK = "no_clock"
    OUTSIDE_HOURS = "outside_hours"  # or outside the days of the week
    NOT_AN_EVENT = "not_an_event"
    PARTIAL = (
        "partial"  # allowed, but the aggregate that it would be in is cut short by the grant, or holds nothing else
    )


# Where several grants fail, the reason that came nearest to a yes is told.
_NEAREST_FIRST = (
    Reason.PARTIAL,
    Reason.NOT_AN_EVENT,
    Reason.OUTSIDE_HOURS,
    Reason.BEFORE_GRANT,
    Reason.NO_CLOCK,
    Reason.PAUSED,
    Reason.NOT_STARTED,
    Reason.EXPIRED,
    Reason.REVOKED,
    Reason.NO_GRANT,
)


@dataclass(frozen=True, slots=True)
class Share:
    """Yes, under this grant, at its granularity."""

    grant: Grant

    @property
    def granularity(self) -> Granularity:
        """How finely the reading may leave."""
        return self.grant.granularity


@dataclass(frozen=True, slots=True)
class Withhold:
    """No, and why."""

    reason: Reason


def nearest(reasons: Iterable[Reason]) -> Reason:
    """Of several refusals the one that came nearest to a yes; NO_GRANT where there is none."""
    return min(reasons, key=_NEAREST_FIRST.index, default=Reason.NO_GRANT)


def decide(reading: Reading, recipient: str, purpose: str, grants: Iterable[Grant], now_ms: int) -> Share | Withhold:
    """Whether `reading` may leave to `recipient` for `purpose` at `now_ms`, at which granularity; the default is no.

    Of several grants that allow it the finest decides, then the one that holds longest, then the lower id: the answer
    does not hang on the order in which grants are given.
    """
    best: Grant | None = None
    refusals: list[Reason] = []
    for grant in grants:
        reason = _refusal_now(reading.device, reading.category, recipient, purpose, grant, now_ms)
        reason = reason or _refusal_then(reading.time_ms, reading.is_event, grant)
        if reason is None:
            if best is None or _rank(grant) < _rank(best):
                best = grant
        else:
            refusals.append(reason)
    return Withhold(nearest(refusals)) if best is None else Share(best)


def decide_span(
    device: str,
    category: str,
    first_ms: int | None,
    last_ms: int | None,
    recipient: str,
    purpose: str,
    grants: Iterable[Grant],
    now_ms: int,
    *,
    is_event: bool,
) -> Share | Withhold | None:
    """What `decide` answers for every reading of a device and category from `first_ms` to `last_ms`, at once.

    None if the answer may differ within: some grant begins, ends or has an edge of its hours there.
    """
    refusals: list[Reason] = []
    for grant in grants if isinstance(grants, Ranked) else Ranked.of(grants):
        reason = _refusal_now(device, category, recipient, purpose, grant, now_ms)
        if reason is None:
            reason = _refusal_then(first_ms, is_event, grant)
            if first_ms is not None and last_ms is not None and first_ms != last_ms:
                # Every bound but the hours lies on one side of the whole span if it lies on one side of both its ends.
                if _refusal_then(last_ms, is_event, grant) is not reason:
                    return None
                if grant.hours and reason in _HOURS_ASKED and not grant.hours.steady(first_ms, last_ms):
                    return None
        if reason is None:
            return Share(grant)
        refusals.append(reason)
    return Withhold(nearest(refusals))


def decide_whole(
    device: str,
    category: str,
    first_ms: int | None,
    last_ms: int | None,
    recipient: str,
    purpose: str,
    grants: Iterable[Grant],
    now_ms: int,
    *,
    is_event: bool,
) -> Share | Withhold:
    """Whether something that was made of all readings from `first_ms` to `last_ms`, and cannot be taken apart, may
    leave: the finest grant that allows every moment of that time, or why none does."""
    refusals: list[Reason] = []
    for grant in grants if isinstance(grants, Ranked) else Ranked.of(grants):
        reason = (
            _refusal_now(device, category, recipient, purpose, grant, now_ms)
            or _refusal_then(first_ms, is_event, grant)
            or _refusal_then(last_ms, is_event, grant)
        )
        if reason is None and grant.hours and first_ms is not None and last_ms is not None:
            reason = None if grant.hours.contain_all(first_ms, last_ms) else Reason.OUTSIDE_HOURS
        if reason is None:
            return Share(grant)
        refusals.append(reason)
    return Withhold(nearest(refusals))


def decide_runs(
    device: str,
    category: str,
    times_ms: Sequence[int],
    recipient: str,
    purpose: str,
    grants: Iterable[Grant],
    now_ms: int,
    *,
    is_event: bool,
) -> Iterator[tuple[int, int, Share | Withhold]]:
    """What `decide` answers for readings of one device and category at `times_ms`, as (start, stop, answer) over them.

    A frame is one question as a rule; where an answer changes in it, it is halved until it does not.
    """
    ranked = grants if isinstance(grants, Ranked) else Ranked.of(grants)
    waiting = [(0, len(times_ms))] if times_ms else []
    run: tuple[int, int, Share | Withhold] | None = None
    while waiting:
        start, stop = waiting.pop()
        part = times_ms[start:stop]
        # The times of a frame's rows are a range, as a rule: its ends are known without going through it.
        ends = (part[0], part[-1]) if isinstance(part, range) and part.step > 0 else (min(part), max(part))
        answer = decide_span(device, category, *ends, recipient, purpose, ranked, now_ms, is_event=is_event)
        if answer is None:
            half = (start + stop) // 2
            waiting += [(half, stop), (start, half)]
            continue
        if run is not None and run[2] == answer:
            start = run[0]
        elif run is not None:
            yield run
        run = (start, stop, answer)
    if run is not None:
        yield run


def _rank(grant: Grant) -> tuple[tuple[int, int], int, str]:
    return grant.granularity.fineness, -grant.expiry_ms, grant.id


def _refusal_now(device: str, category: str, recipient: str, purpose: str, grant: Grant, now_ms: int) -> Reason | None:
    """Why one grant allows nothing of this device and category at this moment; None if it may allow some."""
    if grant.recipient != recipient or grant.purpose != purpose:
        return Reason.NO_GRANT
    if grant.category != category or not grant.covers(device):
        return Reason.NO_GRANT
    if grant.revoked_ms is not None:
        return Reason.REVOKED
    if now_ms >= grant.expiry_ms:
        return Reason.EXPIRED
    if grant.paused_ms is not None:
        return Reason.PAUSED
    return Reason.NOT_STARTED if now_ms < grant.start_ms else None


def _refusal_then(time_ms: int | None, is_event: bool, grant: Grant) -> Reason | None:
    """Why it does not allow what was measured at `time_ms`; None if it does."""
    if time_ms is None:
        # It may have been measured before the grant: a board can keep what it measured for days.
        return Reason.NO_CLOCK
    if time_ms >= grant.expiry_ms:
        return Reason.EXPIRED
    if time_ms < grant.agreed_from_ms:
        return Reason.BEFORE_GRANT
    if time_ms < grant.measured_from_ms:
        return Reason.PAUSED
    if grant.hours is not None and not grant.hours.contain(time_ms):
        return Reason.OUTSIDE_HOURS
    if grant.granularity is Granularity.EVENT and not is_event:
        return Reason.NOT_AN_EVENT
    return None


# What is answered once the hours were asked.
_HOURS_ASKED = frozenset({None, Reason.OUTSIDE_HOURS, Reason.NOT_AN_EVENT})


class Ranked(tuple[Grant, ...]):
    """Grants in the order in which they decide: the first that allows a reading is the one that counts."""

    __slots__ = ()

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> "Ranked":
        """Put them in order."""
        return cls(sorted(grants, key=_rank))


class GrantIndex:
    """Grants by what they speak of, so that a frame of a device that nobody asked for costs one look-up.

    `candidates` gives the grants that make the difference: deciding over them is deciding over all.
    """

    def __init__(self, grants: Iterable[Grant]) -> None:
        self.by_id: dict[str, Grant] = {grant.id: grant for grant in grants}
        self._by_key: dict[_Key, list[Grant]] = defaultdict(list)
        revoked: set[_Key] = set()
        for grant in self.by_id.values():
            for device in grant.devices:
                key = (grant.recipient, grant.purpose, grant.category, device)
                if grant.revoked_ms is not None:
                    # All revoked ones answer the same, always: years of grants given and taken back cost what one does.
                    if key in revoked:
                        continue
                    revoked.add(key)
                self._by_key[key].append(grant)
        self._ranked: dict[_Key, Ranked] = {}

    def candidates(self, recipient: str, purpose: str, category: str, device: str) -> Ranked:
        """The grants that speak of this recipient, purpose, category and device; of several revoked ones one."""
        key = (recipient, purpose, category, device)
        ranked = self._ranked.get(key)
        if ranked is None:
            named = self._by_key.get(key, [])
            ranked = Ranked.of(named + self._by_key.get((recipient, purpose, category, ANY_DEVICE), []))
            self._ranked[key] = ranked
        return ranked
