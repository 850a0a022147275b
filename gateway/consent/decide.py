"""The one place where it is decided what leaves the house. Pure and total: no clock, no file, no exception."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.grants import ANY_DEVICE, Grant
from gateway.consent.vocabulary import FINEST_FIRST, Granularity


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
    NOT_STARTED = "not_started"
    BEFORE_GRANT = "before_grant"
    NO_CLOCK = "no_clock"
    OUTSIDE_HOURS = "outside_hours"
    NOT_AN_EVENT = "not_an_event"


# Where several grants fail, the reason that came nearest to a yes is told.
_NEAREST_FIRST = (
    Reason.NOT_AN_EVENT,
    Reason.OUTSIDE_HOURS,
    Reason.BEFORE_GRANT,
    Reason.NO_CLOCK,
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
        reason = _refusal(reading, recipient, purpose, grant, now_ms)
        if reason is None:
            if best is None or _rank(grant) < _rank(best):
                best = grant
        else:
            refusals.append(reason)
    return Withhold(nearest(refusals)) if best is None else Share(best)


def _rank(grant: Grant) -> tuple[int, int, str]:
    return FINEST_FIRST.index(grant.granularity), -grant.expiry_ms, grant.id


def _refusal(reading: Reading, recipient: str, purpose: str, grant: Grant, now_ms: int) -> Reason | None:
    """Why one grant does not allow it; None if it does."""
    if grant.recipient != recipient or grant.purpose != purpose:
        return Reason.NO_GRANT
    if grant.category != reading.category or not grant.covers(reading.device):
        return Reason.NO_GRANT
    if grant.revoked_ms is not None:
        return Reason.REVOKED
    if now_ms >= grant.expiry_ms:
        return Reason.EXPIRED
    if now_ms < grant.start_ms:
        return Reason.NOT_STARTED
    if reading.time_ms is None:
        # It may have been measured before the grant: a board can keep what it measured for days.
        return Reason.NO_CLOCK
    if reading.time_ms >= grant.expiry_ms:
        return Reason.EXPIRED
    if reading.time_ms < grant.start_ms:
        return Reason.BEFORE_GRANT
    if grant.hours is not None and not grant.hours.contain(reading.time_ms):
        return Reason.OUTSIDE_HOURS
    if grant.granularity is Granularity.EVENT and not reading.is_event:
        return Reason.NOT_AN_EVENT
    return None


class GrantIndex:
    """Grants by what they speak of, so that a frame of a device that nobody asked for costs one look-up.

    `candidates` gives all grants that could answer anything but NO_GRANT: deciding over them is deciding over all.
    """

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._by_key: dict[tuple[str, str, str, str], list[Grant]] = defaultdict(list)
        self.by_id: dict[str, Grant] = {}
        for grant in grants:
            self.by_id[grant.id] = grant
            for device in grant.devices:
                self._by_key[grant.recipient, grant.purpose, grant.category, device].append(grant)

    def candidates(self, recipient: str, purpose: str, category: str, device: str) -> list[Grant]:
        """The grants that speak of this recipient, purpose, category and device."""
        named = self._by_key.get((recipient, purpose, category, device), [])
        every = self._by_key.get((recipient, purpose, category, ANY_DEVICE), [])
        return named + every if named and every else named or every
