"""The grant: what a person agreed to, as a record (fields after ISO/IEC TS 27560)."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.consent.vocabulary import CATEGORIES, GRANULARITIES, PURPOSES, Granularity
from gateway.errors import HearthgateError
from gateway.wire.frame import MAX_TIME_S
from gateway.wire.topics import DEVICE

ANY_DEVICE = "*"
MAX_TEXT = 4000
_WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ID = re.compile(r"g-[0-9a-f]{16}")


class GrantError(HearthgateError, ValueError):
    """A grant that cannot be given; the text says which field and what it takes."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day in which readings may be shared, as minutes after midnight in `timezone`; may pass midnight."""

    start_min: int
    end_min: int
    timezone: str

    def contain(self, time_ms: int) -> bool:
        """Whether the local time of day at `time_ms` lies in [start, end)."""
        local = datetime.fromtimestamp(time_ms / 1000, ZoneInfo(self.timezone))
        minute = local.hour * 60 + local.minute
        if self.start_min <= self.end_min:
            return self.start_min <= minute < self.end_min
        return minute >= self.start_min or minute < self.end_min


@dataclass(frozen=True, slots=True)
class Grant:
    """One yes: who gave it, for which devices and data, to whom, why, how finely, when, until when, in which words.

    Times are Unix milliseconds. `devices` holds device ids, or only "*" for every device of the household.
    Nothing measured before `start_ms` leaves under it: a grant is never retroactive.
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

    def __post_init__(self) -> None:
        _check(self)

    @property
    def text_sha256(self) -> str:
        """Digest of the exact text that the person agreed to."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def covers(self, device: str) -> bool:
        """Whether it speaks of this device."""
        return self.devices == (ANY_DEVICE,) or device in self.devices

    def to_json(self) -> str:
        """The record as it is kept. The moment of revocation is kept beside it, not in it."""
        record = asdict(self)
        del record["revoked_ms"]
        return json.dumps(record, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, revoked_ms: int | None) -> "Grant":
        """The grant of a kept record. Raises GrantError."""
        try:
            record: dict[str, Any] = json.loads(text)
            hours = record["hours"]
            return cls(
                **{
                    **record,
                    "devices": tuple(record["devices"]),
                    "granularity": Granularity(record["granularity"]),
                    "hours": None if hours is None else Hours(**hours),
                    "revoked_ms": revoked_ms,
                }
            )
        except (KeyError, TypeError, ValueError) as why:
            raise GrantError(f"a kept grant cannot be read: {why}") from why

    def revoked(self, at_ms: int) -> "Grant":
        """The same grant, taken back."""
        return replace(self, revoked_ms=at_ms)


def describe(grant: Grant, names: Mapping[str, str] | None = None) -> str:
    """The grant in a sentence for the person who gave it; `names`: what the household calls its devices."""
    what = CATEGORIES.get(grant.category, grant.category)
    how = GRANULARITIES[grant.granularity]
    why = PURPOSES.get(grant.purpose, grant.purpose)
    whose = "all devices"
    if grant.devices != (ANY_DEVICE,):
        whose = ", ".join((names or {}).get(device, device) for device in grant.devices)
    when = ""
    if grant.hours is not None:
        start, end = (f"{m // 60:02}:{m % 60:02}" for m in (grant.hours.start_min, grant.hours.end_min))
        when = f", only between {start} and {end} ({grant.hours.timezone})"
    return f"{grant.recipient} may get {what} ({how}) of {whose}, {why}{when}"


def agreement(grant: Grant, until: str, names: Mapping[str, str] | None = None) -> str:
    """The words that a person agrees to when giving `grant`: shown before, and kept with it. `until`: its last day."""
    return (
        f"I, {grant.subject}, agree that {describe(grant, names)}, from now until {until}. "
        "Nothing that was measured before now is sent. "
        "I can stop this at any time, and then nothing more leaves my home."
    )


def _check(grant: Grant) -> None:
    if not _ID.fullmatch(grant.id):
        raise GrantError(f"id is {grant.id!r}; it must be g- and 16 hex digits")
    if not grant.subject or len(grant.subject) > 64:
        raise GrantError("subject must name the person who agrees, in up to 64 characters")
    if grant.devices != (ANY_DEVICE,) and not (grant.devices and all(map(DEVICE.fullmatch, grant.devices))):
        raise GrantError(f"devices are {list(grant.devices)}; give device ids of 12 hex digits, or only *")
    if grant.category not in CATEGORIES:
        raise GrantError(f"category is {grant.category!r}; it must be one of {', '.join(CATEGORIES)}")
    if grant.purpose not in PURPOSES:
        raise GrantError(f"purpose is {grant.purpose!r}; it must be one of {', '.join(PURPOSES)}")
    if not _WORD.fullmatch(grant.recipient):
        raise GrantError(f"recipient is {grant.recipient!r}; it must be a lower-case word such as manufacturer")
    _check_times(grant)
    if not grant.text or len(grant.text) > MAX_TEXT:
        raise GrantError(f"text must be the words that the person agreed to, in up to {MAX_TEXT} characters")


def _check_times(grant: Grant) -> None:
    if grant.hours is not None:
        minutes = (grant.hours.start_min, grant.hours.end_min)
        if not all(0 <= m <= 1440 for m in minutes) or minutes[0] == minutes[1]:
            raise GrantError("hours must be two different times of day from 00:00 to 24:00")
        try:
            ZoneInfo(grant.hours.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise GrantError(f"timezone {grant.hours.timezone!r} is not known; for example Europe/Berlin") from None
    if grant.expiry_ms <= grant.start_ms:
        raise GrantError("a grant must expire after it starts")
    if grant.start_ms < 0 or grant.expiry_ms > MAX_TIME_S * 1000:
        raise GrantError("a grant must start after 1970 and expire before 4147")
