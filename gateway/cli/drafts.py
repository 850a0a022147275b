"""Grants as somebody writes them on the command line: from the words of the options to what can be agreed to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.access.slices import moment
from gateway.cli.wording import in_full
from gateway.consent import register
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, Hours, agreement, changed, expires
from gateway.consent.hours import DAY_NAMES
from gateway.consent.vocabulary import Granularity, Vocabulary

_WHOLE_DAY = (0, 1440)
_CLOCKS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class House:
    """What the words of a grant are read by, and written with: the household's clock, its words, and what it calls its
    devices."""

    timezone: str
    vocabulary: Vocabulary
    names: Mapping[str, str]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen; None where nothing was said."""

    granularity: str | None = None
    devices: Sequence[str] | None = None
    hours: str | None = None
    weekdays: str | None = None
    any_time: bool = False
    days: int | None = None
    start: str | None = None
    since: str | None = None
    text: str | None = None
    language: str | None = None
    subject: str | None = None


def given(
    house: House, recipient: str, categories: Sequence[str], purpose: str, chosen: Choices, *, explicit: bool
) -> list[Grant]:
    """A grant for each category, with the words to agree to. `explicit`: the second yes is said, or will be asked for,
    where a category needs one. Raises GrantError or AccessError."""
    start_ms = house.now_ms if chosen.start is None else moment(chosen.start, house.timezone)
    drafts = [
        Grant(
            id=register.new_id(),
            subject=chosen.subject or "",
            devices=tuple(chosen.devices or (ANY_DEVICE,)),
            category=category,
            recipient=recipient,
            purpose=purpose,
            granularity=granularity(chosen.granularity or Granularity.DAY),
            hours=_hours(None, chosen, house.timezone),
            start_ms=start_ms,
            expiry_ms=expires(start_ms, chosen.days or 365),
            text="-",
            language=_language(chosen, "en"),
            created_ms=house.now_ms,
            since_ms=None if chosen.since is None else moment(chosen.since, house.timezone),
            explicit=explicit and category in house.vocabulary.sensitive,
        )
        for category in dict.fromkeys(categories)
    ]
    return [replace(draft, text=chosen.text or words(draft, house)) for draft in drafts]


def fields(old: Grant, house: House, chosen: Choices, *, explicit: bool) -> dict[str, Any]:
    """What a change of `old` says, for `grants.changed`; without its text. Raises GrantError or AccessError."""
    said: dict[str, Any] = {}
    if chosen.subject is not None:
        said["subject"] = chosen.subject
    if chosen.granularity is not None:
        said["granularity"] = granularity(chosen.granularity)
    if chosen.devices:
        said["devices"] = tuple(chosen.devices)
    if chosen.hours is not None or chosen.weekdays is not None or chosen.any_time:
        said["hours"] = _hours(old.hours, chosen, house.timezone)
    if chosen.start is not None:
        said["start_ms"] = moment(chosen.start, house.timezone)
    if chosen.since is not None:
        said["since_ms"] = moment(chosen.since, house.timezone)
    if chosen.days is not None:
        said["expiry_ms"] = expires(said.get("start_ms", house.now_ms), chosen.days)
    if not said and chosen.text is None and chosen.language is None:
        raise GrantError("nothing was said to change: for example --granularity day, or --days 90")
    said["language"] = _language(chosen, "en" if chosen.text is None else old.language)
    return said | {"explicit": explicit and old.category in house.vocabulary.sensitive}


def next_version(old: Grant, house: House, chosen: Choices, *, explicit: bool) -> Grant:
    """`old` as it would be after a change, with the words to agree to. Raises GrantError or AccessError."""
    draft = changed(old, house.now_ms, text="-", **fields(old, house, chosen, explicit=explicit))
    return replace(draft, text=chosen.text or words(draft, house))


def words(draft: Grant, house: House) -> str:
    """What a person agrees to by giving it."""
    return agreement(
        draft,
        in_full(draft.expiry_ms, house.timezone),
        house.names,
        start=in_full(draft.start_ms, house.timezone),
        since=in_full(draft.agreed_from_ms, house.timezone),
        vocabulary=house.vocabulary,
    )


def granularity(word: str) -> Granularity:
    """How finely. Raises GrantError."""
    try:
        return Granularity(word)
    except ValueError:
        raise GrantError(
            f"--granularity is {word!r}; it is one of {', '.join(list(Granularity)[:5])}, or a length of time such as "
            "6h that [vocabulary.granularities] of the settings adds"
        ) from None


def weekdays(text: str) -> tuple[int, ...]:
    """Days of the week (0 = Monday) from text such as mon-fri,sun. Raises GrantError."""
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        start, end = _weekday(first, text), _weekday(last if dash else first, text)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(days))


def _weekday(name: str, text: str) -> int:
    name = name.strip()
    found = [day for day, full in enumerate(DAY_NAMES) if len(name) > 2 and full.lower().startswith(name)]
    if len(found) != 1:
        raise GrantError(f"--weekdays is {text!r}; write it like mon-fri or sat,sun")
    return found[0]


def _hours(old: Hours | None, chosen: Choices, timezone: str) -> Hours | None:
    """The hours that were chosen; of what is not said, those that hold."""
    if chosen.any_time:
        if chosen.hours is not None or chosen.weekdays is not None:
            raise GrantError("--any-time is without --hours and --weekdays")
        return None
    if chosen.hours is None and chosen.weekdays is None:
        return old
    start, end = _WHOLE_DAY if old is None else (old.start_min, old.end_min)
    if chosen.hours is not None:
        start, end = _clocks(chosen.hours)
    days = None if old is None else old.days
    if chosen.weekdays is not None:
        days = weekdays(chosen.weekdays)
    return Hours(start, end, timezone, days)


def _clocks(text: str) -> tuple[int, int]:
    match = _CLOCKS.fullmatch(text)
    if not match:
        raise GrantError(f"--hours is {text!r}; write it like 08:00-20:00")
    start_h, start_m, end_h, end_m = map(int, match.groups())
    if start_m > 59 or end_m > 59:
        raise GrantError(f"--hours is {text!r}; minutes go from 00 to 59")
    return start_h * 60 + start_m, end_h * 60 + end_m


def _language(chosen: Choices, otherwise: str) -> str:
    """What the words are in. Those that are made here are English."""
    language = chosen.language or otherwise
    if chosen.text is None and language.partition("-")[0].lower() != "en":
        raise GrantError(f"the words are made in English only: for --language {language} give them with --text")
    return language
