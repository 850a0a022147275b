"""The grant: what a person agreed to, as a record (fields after ISO/IEC TS 27560)."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.consent.hours import Hours, HoursError
from gateway.consent.vocabulary import WORD, Granularity, Vocabulary
from gateway.errors import HearthgateError
from gateway.wire.frame import MAX_TIME_S
from gateway.wire.topics import DEVICE

__all__ = ["ANY_DEVICE", "MAX_TEXT", "Grant", "GrantError", "Hours", "agreement", "changed", "describe", "expires"]

ANY_DEVICE = "*"
MAX_TEXT = 4000
MAX_VERSION = 1_000_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_ID = re.compile(r"g-[0-9a-f]{16}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
# What became of a grant is kept beside its record: the record is what was agreed to, and stays as it was.
_STATE = ("revoked_ms", "paused_ms", "resumed_ms")
# Who gets what, and why, is what a grant is about; with another of them it is another grant.
_FIXED = ("category", "recipient", "purpose")
_AGREED_ANEW = frozenset({"subject", "language", "explicit", "start_ms", "expiry_ms", "since_ms"})
_WHAT_LEAVES = frozenset({"devices", "granularity", "hours"})


class GrantError(HearthgateError, ValueError):
    """A grant that cannot be given; the text says which field and what it takes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One yes: who gave it, for which devices and data, to whom, why, how finely, when, until when, in which words.

    Times are Unix milliseconds. `devices` holds device ids, or only "*" for every device of the household. Words are
    checked for their form only: a record stays readable when its words are no longer in the vocabulary.
    Nothing measured before `since_ms` leaves under it (None: before `start_ms`), so a grant is retroactive only if it
    says from when. `explicit`: the second yes, which sensitive categories need. A change of a grant has the same id and
    the next `version`. While `paused_ms` is set nothing leaves; after `resumed_ms` only what was measured since.
    """

    id: str
    subject: str
    devices: tuple[str, ...]
    category: str
    recipient: str
    purpose: str
    granularity: Granularity
    hours: Hours | None
    start_ms: int
    expiry_ms: int
    text: str
    language: str
    created_ms: int
    revoked_ms: int | None = None
    since_ms: int | None = None
    version: int = 1
    explicit: bool = False
    paused_ms: int | None = None
    resumed_ms: int | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def text_sha256(self) -> str:
        """Digest of the exact text that the person agreed to."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def agreed_from_ms(self) -> int:
        """Nothing measured before it was agreed to."""
        return self.start_ms if self.since_ms is None else self.since_ms

    @property
    def measured_from_ms(self) -> int:
        """Nothing measured before it leaves: the agreement says so, or a pause lay before it."""
        return max(self.agreed_from_ms, self.resumed_ms or 0)

    def covers(self, device: str) -> bool:
        """Whether it speaks of this device."""
        return self.devices == (ANY_DEVICE,) or device in self.devices

    def to_json(self) -> str:
        """The record as it is kept. Revocation and pauses are kept beside it, not in it."""
        record = asdict(self)
        for name in _STATE:
            del record[name]
        return json.dumps(record, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(
        cls, text: str, revoked_ms: int | None, paused_ms: int | None = None, resumed_ms: int | None = None
    ) -> "Grant":
        """The grant of a kept record, also of one from before grants had versions. Raises GrantError."""
        try:
            record: dict[str, Any] = json.loads(text)
            hours = record["hours"]
            if hours is not None and hours.get("days") is not None:
                hours = {**hours, "days": tuple(hours["days"])}
            return cls(
                **{
                    **record,
                    "devices": tuple(record["devices"]),
                    "granularity": Granularity(record["granularity"]),
                    "hours": None if hours is None else Hours(**hours),
                    "revoked_ms": revoked_ms,
                    "paused_ms": paused_ms,
                    "resumed_ms": resumed_ms,
                }
            )
        except (AttributeError, KeyError, TypeError, ValueError) as why:
            raise GrantError(f"a kept grant cannot be read: {why}") from why

    def revoked(self, at_ms: int) -> "Grant":
        """The same grant, taken back."""
        return replace(self, revoked_ms=at_ms)

    def paused(self, at_ms: int) -> "Grant":
        """The same grant, at rest from now on; one that rests already stays as it is."""
        return self if self.paused_ms is not None else replace(self, paused_ms=at_ms)

    def resumed(self, at_ms: int) -> "Grant":
        """The same grant, at work again. What was measured before this moment stays at home: a pause would mean little
        if a board that was away then brought the readings of the pause later."""
        return self if self.paused_ms is None else replace(self, paused_ms=None, resumed_ms=max(at_ms, self.paused_ms))


def expires(start_ms: int, days: int) -> int:
    """When a grant of so many days ends: at a full hour, not a moment later than said. Every event carries it, and two
    recipients could tell by its millisecond that their grants were given in one act."""
    end_ms = start_ms + days * _DAY_MS
    return end_ms - end_ms % _HOUR_MS


def changed(grant: Grant, now_ms: int, *, text: str, **fields_: Any) -> Grant:
    """The next version of `grant`: the same id, and a text that is agreed to anew (with `explicit`, if it needs that).

    `fields_`: subject, devices, granularity, hours, start_ms, expiry_ms, since_ms, language, explicit. Where other data
    would leave than before, it counts from now, and for what is measured from now on, unless `start_ms` or `since_ms`
    say otherwise. Raises GrantError; for another category, recipient or purpose too, which take a grant of their own.
    """
    if fixed := [name for name in _FIXED if name in fields_ and fields_[name] != getattr(grant, name)]:
        raise GrantError(f"another {fixed[0]} is another agreement: revoke {grant.id}, and give a new grant")
    if unknown := sorted(fields_.keys() - _AGREED_ANEW - _WHAT_LEAVES - {*_FIXED}):
        raise GrantError(f"{unknown[0]} of a grant cannot be changed")
    if grant.revoked_ms is not None or now_ms >= grant.expiry_ms:
        raise GrantError(f"{grant.id} is {'revoked' if grant.revoked_ms is not None else 'over'}: give a new grant")
    leaves_other = any(name in fields_ and fields_[name] != getattr(grant, name) for name in _WHAT_LEAVES)
    # From now on, but not earlier than it was to start.
    anew = {"start_ms": max(now_ms, grant.start_ms), "since_ms": None} if leaves_other else {}
    return replace(
        grant, **{"explicit": False, **anew, **fields_}, text=text, version=grant.version + 1, created_ms=now_ms
    )


def describe(grant: Grant, names: Mapping[str, str] | None = None, vocabulary: Vocabulary | None = None) -> str:
    """The grant in a sentence for the person who gave it; `names`: what the household calls its devices.

    A word that the vocabulary no longer has is told as it stands."""
    known = vocabulary or Vocabulary.standard()
    party = known.parties.get(grant.recipient)
    who = grant.recipient if party is None or party.name is None else f"{party.name} ({grant.recipient})"
    what = known.categories.get(grant.category, grant.category)
    how = known.granularities.get(grant.granularity, grant.granularity.value)
    why = known.purposes.get(grant.purpose, grant.purpose)
    whose = "all devices"
    if grant.devices != (ANY_DEVICE,):
        whose = ", ".join((names or {}).get(device, device) for device in grant.devices)
    when = "" if grant.hours is None else f", only {grant.hours.in_words()}"
    return f"{who} may get {what} ({how}) of {whose}, {why}{when}"


def agreement(
    grant: Grant,
    until: str,
    names: Mapping[str, str] | None = None,
    *,
    start: str | None = None,
    since: str | None = None,
    vocabulary: Vocabulary | None = None,
) -> str:
    """The words that a person agrees to when giving `grant`: shown before, and kept with it. `until`: its last day.

    `start` and `since`: its start, where that is not now, and what it reaches back to, as a household writes times;
    where they matter and are not given, they are written in UTC.
    """
    starts = "now" if grant.start_ms <= grant.created_ms else start or _moment(grant.start_ms)
    if grant.agreed_from_ms < grant.created_ms:
        back = f"What was measured since {since or _moment(grant.agreed_from_ms)} is sent too, and nothing older."
    else:
        back = f"Nothing that was measured before {starts} is sent."
    explicit = (
        "I know that this is sensitive, and I say yes to it a second time, explicitly. " if grant.explicit else ""
    )
    instead = "This takes the place of what I agreed to before. " if grant.version > 1 else ""
    return (
        f"I, {grant.subject}, agree that {describe(grant, names, vocabulary)}, from {starts} until {until}. "
        f"{back} {explicit}{instead}"
        "I can stop this at any time, and then nothing more leaves my home."
    )


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _check(grant: Grant) -> None:
    if not _ID.fullmatch(grant.id):
        raise GrantError(f"id is {grant.id!r}; it must be g- and 16 hex digits")
    if not grant.subject or len(grant.subject) > 64:
        raise GrantError("subject must name the person who agrees, in up to 64 characters")
    if grant.devices != (ANY_DEVICE,) and not (grant.devices and all(map(DEVICE.fullmatch, grant.devices))):
        raise GrantError(f"devices are {list(grant.devices)}; give device ids of 12 hex digits, or only *")
    for name in _FIXED:
        if not WORD.fullmatch(getattr(grant, name)):
            raise GrantError(f"{name} is {getattr(grant, name)!r}; it must be a lower-case word such as manufacturer")
    if not isinstance(grant.granularity, Granularity):
        raise GrantError(f"granularity is {grant.granularity!r}; it must be one such as {', '.join(Granularity)}")
    _check_times(grant)
    if not grant.text or len(grant.text) > MAX_TEXT:
        raise GrantError(f"text must be the words that the person agreed to, in up to {MAX_TEXT} characters")
    if not _LANGUAGE.fullmatch(grant.language):
        raise GrantError(f"language is {grant.language!r}; it must be a language tag such as en or de-AT")
    if not 1 <= grant.version <= MAX_VERSION or not isinstance(grant.explicit, bool):
        raise GrantError("version must count from 1, and explicit be true or false")


def _check_times(grant: Grant) -> None:
    if grant.hours is not None:
        try:
            grant.hours.check()
        except HoursError as why:
            raise GrantError(str(why)) from None
    if grant.expiry_ms <= grant.start_ms:
        raise GrantError("a grant must expire after it starts")
    if grant.since_ms is not None and not 0 <= grant.since_ms <= grant.start_ms:
        raise GrantError(
            "since must be a time after 1970 and not after the start: it says how far back a grant reaches"
        )
    if grant.start_ms < 0 or grant.expiry_ms > MAX_TIME_S * 1000:
        raise GrantError("a grant must start after 1970 and expire before 4147")
