"""From the choices of a form to a grant with its words, or to the next version of one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.consent import register
from gateway.consent.grants import Grant, GrantError, Hours, agreement, changed, expires
from gateway.consent.people import Person
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.web import words

LANGUAGE = "en"
NO_WORDS = "-"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person has chosen. `start_ms` is None for now, `since_ms` for nothing from before; `keep_times` (of a
    change only) leaves both as they were agreed, and so does `days` None with the end. `person` is None until named."""

    person: Person | None
    recipient: str
    purpose: str
    category: str
    devices: tuple[str, ...]
    granularity: Granularity
    hours: Hours | None
    start_ms: int | None
    since_ms: int | None
    days: int | None
    explicit: bool
    keep_times: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the words of a draft, as this household writes times and calls its devices."""

    zone: ZoneInfo
    names: Mapping[str, str]
    vocabulary: Vocabulary

    def words(self, draft: Grant) -> Grant:
        """The draft with the text that a person is to agree to."""
        text = agreement(
            draft,
            words.date(draft.expiry_ms - 1, self.zone),
            self.names,
            start=words.date_time(draft.start_ms, self.zone),
            since=words.date_time(draft.agreed_from_ms, self.zone),
            vocabulary=self.vocabulary,
        )
        return replace(draft, text=text)


def new(choices: Choices, now_ms: int, writer: Writer) -> Grant:
    """A grant that was not given yet. Raises GrantError."""
    start_ms = _start_ms(choices, now_ms)
    draft = Grant(
        id=register.new_id(),
        subject=_subject(choices),
        devices=choices.devices,
        category=choices.category,
        recipient=choices.recipient,
        purpose=choices.purpose,
        granularity=choices.granularity,
        hours=choices.hours,
        start_ms=start_ms,
        since_ms=choices.since_ms,
        expiry_ms=expires(start_ms, choices.days or 1),
        text=NO_WORDS,
        language=LANGUAGE,
        created_ms=now_ms,
        explicit=choices.explicit,
    )
    return writer.words(draft)


def begun(draft: Grant, now_ms: int) -> Grant:
    """A new grant as it is given: what said that it begins now begins when it is."""
    start_ms = now_ms if draft.start_ms <= draft.created_ms else draft.start_ms
    return replace(draft, start_ms=start_ms, created_ms=now_ms)


def fields(choices: Choices, grant: Grant, now_ms: int) -> dict[str, Any]:
    """What of a grant is to be other than it is, for `register.change`. Raises GrantError."""
    other: dict[str, Any] = {
        "subject": _subject(choices),
        "devices": choices.devices,
        "granularity": choices.granularity,
        "hours": choices.hours,
        "explicit": choices.explicit,
        "language": LANGUAGE,
    }
    start_ms = grant.start_ms
    if not choices.keep_times:
        start_ms = other["start_ms"] = _start_ms(choices, now_ms)
        other["since_ms"] = choices.since_ms
    if choices.days is not None:
        other["expiry_ms"] = expires(max(start_ms, now_ms), choices.days)
    return other


def next_version(choices: Choices, grant: Grant, now_ms: int, writer: Writer) -> Grant:
    """The next version of a grant, with the words to agree to anew. Raises GrantError."""
    return writer.words(changed(grant, now_ms, text=NO_WORDS, **fields(choices, grant, now_ms)))


def local_ms(text: str, zone: ZoneInfo, what: str) -> int:
    """Unix ms of a time such as 2026-11-22T08:00 in the household's zone. Raises GrantError."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise GrantError(f"say {what}, as a day and a time") from None


def local_text(time_ms: int, zone: ZoneInfo) -> str:
    """The same the other way, to the minute."""
    return datetime.fromtimestamp(time_ms / 1000, zone).strftime("%Y-%m-%dT%H:%M")


def minute_of(text: str, what: str) -> int:
    """Minutes after midnight of a time such as 08:00. Raises GrantError."""
    try:
        at = datetime.strptime(text[:5], "%H:%M")  # noqa: DTZ007 - a time of any day
    except ValueError:
        raise GrantError(f"say {what}, as a time of day") from None
    return at.hour * 60 + at.minute


def _start_ms(choices: Choices, now_ms: int) -> int:
    if choices.start_ms is None:
        return now_ms
    if choices.start_ms <= now_ms:
        raise GrantError("that start has passed; for what was measured before, say from when on it may be sent")
    return choices.start_ms


def _subject(choices: Choices) -> str:
    return "…" if choices.person is None else choices.person.name
