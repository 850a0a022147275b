"""The shapes of the JSON API that are about consent: grants, people, previews."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Discriminator, Field, Tag

from gateway.consent.grants import MAX_TEXT, Grant
from gateway.consent.hours import Hours, clock
from gateway.consent.people import MAX_NAME, Person, Role
from gateway.consent.record import ConsentEvent
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.forward.cloudevent import timestamp
from gateway.forward.preview import Preview
from gateway.web.consent_view import holds, sentence

MAX_BUNDLE = 32
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Days = Annotated[int, Field(ge=1, le=3650, description="for how many days; it ends at a full hour")]
Devices = Annotated[list[str], Field(max_length=64, description="none or * means all, also later ones")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, description="the exact words that were agreed to")]
Language = Annotated[str, Field(pattern=_LANGUAGE)]
Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HoursIO(_In):
    """Only what is measured between `start` and `end` (times of day; they may pass midnight), and on these weekdays.
    `timezone`: by default the household's."""

    start: Clock = "00:00"
    end: Clock = "24:00"
    weekdays: Annotated[list[Weekday], Field(min_length=1)] = list(_WEEKDAYS)
    timezone: Annotated[str, Field(max_length=64)] | None = None

    def hours(self, timezone: str) -> Hours:
        """As a grant keeps them."""
        days = tuple(sorted({_WEEKDAYS.index(day) for day in self.weekdays}))
        return Hours(
            _minute(self.start), _minute(self.end), self.timezone or timezone, None if len(days) == 7 else days
        )

    @classmethod
    def of(cls, hours: Hours | None) -> "HoursIO | None":
        """As the API says them."""
        if hours is None:
            return None
        days = range(7) if hours.days is None else hours.days
        return cls.model_validate(
            {
                "start": clock(hours.start_min),
                "end": clock(hours.end_min),
                "weekdays": [_WEEKDAYS[day] for day in days],
                "timezone": hours.timezone,
            }
        )


class GrantIn(_In):
    """A grant to give. It starts now or at `start`; what was measured before is sent only from `since` on, if that is
    said. A sensitive category takes a second yes to this one thing: `explicit`."""

    subject: Name
    recipient: str
    category: str
    purpose: str
    granularity: Granularity = Granularity.DAY
    devices: Devices = []
    hours: HoursIO | None = None
    start: AwareDatetime | None = None
    since: AwareDatetime | None = None
    days: Days = 90
    text: Text
    language: Language = "en"
    explicit: bool = False


class GrantChange(_In):
    """The next version of a grant: what is not said stays as it was. `text` and `explicit` are said anew. Where other
    data would leave than before, it counts from now and for what is measured from now on, unless `start` or `since`
    say otherwise. `days` count from now, or from its start if that lies ahead."""

    text: Text
    subject: Name | None = None
    granularity: Granularity | None = None
    devices: Devices | None = None
    hours: HoursIO | None = Field(None, description="null: at any time")
    start: AwareDatetime | None = None
    since: AwareDatetime | None = None
    days: Days | None = None
    language: Language | None = None
    explicit: bool = False


GrantsIn = Annotated[
    Annotated[GrantIn, Tag("grant")] | Annotated[list[GrantIn], Field(min_length=1, max_length=MAX_BUNDLE), Tag("act")],
    Discriminator(lambda asked: "act" if isinstance(asked, list) else "grant"),
]
"""One grant, or several that one person agrees to in one act; a sensitive one stands alone."""


class ByIn(_In):
    """Who says so: somebody of the household, or nobody in particular."""

    by: Annotated[str, Field(max_length=MAX_NAME)] = ""


class PersonIO(_In):
    """Somebody of the household. A child cannot agree to every purpose."""

    name: Name
    role: Role = Role.ADULT

    @classmethod
    def of(cls, person: Person) -> "PersonIO":
        """As the API says them."""
        return cls(name=person.name, role=person.role)


class GrantOut(BaseModel):
    """A grant in its newest version. `holds`: something may leave under it now or later. `since`: what was measured
    before it never leaves (null: before `start`)."""

    id: str
    version: int
    sentence: str
    holds: bool
    subject: str
    devices: list[str]
    category: str
    recipient: str
    purpose: str
    granularity: str
    hours: HoursIO | None
    start: str
    since: str | None
    expiry: str
    revoked: str | None
    paused: str | None
    resumed: str | None
    explicit: bool
    text: str
    language: str


class ActOut(BaseModel):
    """What was done with a grant: given, changed, paused, resumed or withdrawn; by whom, when, in which version."""

    act: str
    at: str
    by: str
    version: int


class VersionOut(BaseModel):
    """The words of one version, and the SHA-256 of them."""

    version: int
    at: str
    text: str
    language: str
    text_sha256: str


class StoryOut(GrantOut):
    """A grant with everything that became of it, oldest first."""

    versions: list[VersionOut]
    history: list[ActOut]


class PreviewOut(BaseModel):
    """What a grant would have sent of the time from `from` to `to`. `events` are the first of `total`, exactly as they
    would leave; `bytes`: the size of all of them. `withheld`: readings that would have stayed, by reason. `whole` is
    false where only the first part of that time was looked at."""

    from_: Annotated[str, Field(serialization_alias="from")]
    to: str
    total: int
    bytes: int
    whole: bool
    withheld: dict[str, int]
    events: list[dict[str, Any]]


def unix_ms(time: datetime | None) -> int | None:
    """Unix milliseconds."""
    return None if time is None else int(time.timestamp() * 1000)


def grant_out(grant: Grant, now_ms: int, vocabulary: Vocabulary) -> GrantOut:
    """A grant as JSON."""
    times = {name: _time(getattr(grant, f"{name}_ms")) for name in ("since", "revoked", "paused", "resumed")}
    same = ("id", "version", "subject", "category", "recipient", "purpose", "explicit", "text", "language")
    return GrantOut(
        **{name: getattr(grant, name) for name in same},
        sentence=sentence(grant, {}, vocabulary),
        holds=holds(grant, now_ms),
        devices=list(grant.devices),
        granularity=grant.granularity.value,
        hours=HoursIO.of(grant.hours),
        start=timestamp(grant.start_ms),
        expiry=timestamp(grant.expiry_ms),
        **times,
    )


def version_out(version: Grant) -> VersionOut:
    """The words of a version as JSON."""
    return VersionOut(
        version=version.version,
        at=timestamp(version.created_ms),
        text=version.text,
        language=version.language,
        text_sha256=version.text_sha256,
    )


def act_out(event: ConsentEvent) -> ActOut:
    """What somebody did as JSON."""
    return ActOut(act=event.act.value, at=timestamp(event.at_ms), by=event.person, version=event.version)


def preview_out(found: Preview, events: list[dict[str, Any]]) -> PreviewOut:
    """A preview as JSON."""
    return PreviewOut(
        from_=timestamp(found.from_ms),
        to=timestamp(found.to_ms),
        total=found.total,
        bytes=found.bytes,
        whole=found.whole,
        withheld={reason.value: n for reason, n in found.withheld.items()},
        events=events,
    )


def _time(unix: int | None) -> str | None:
    return None if unix is None else timestamp(unix)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
