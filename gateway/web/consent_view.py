"""What the sharing page shows: grants, what became of them, and what was kept at home. Runs in the store's thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.consent import household_people, register
from gateway.consent.decide import Reason
from gateway.consent.grants import Grant, describe
from gateway.consent.local_use import Mode, modes
from gateway.consent.people import Person
from gateway.consent.record import Act, ConsentEvent
from gateway.consent.vocabulary import Vocabulary
from gateway.store import devices
from gateway.store.database import Database
from gateway.web import words
from gateway.wire.birth import ValueKind

REASONS = {
    Reason.NO_GRANT: "nobody was allowed to have it",
    Reason.REVOKED: "you had stopped sharing it",
    Reason.EXPIRED: "the time you allowed was over",
    Reason.NOT_STARTED: "the time you allowed had not begun",
    Reason.BEFORE_GRANT: "it was measured before you allowed it",
    Reason.NO_CLOCK: "the board had no clock, so it may be from before you allowed it",
    Reason.PAUSED: "you had paused sharing it",
    Reason.OUTSIDE_HOURS: "it was outside the hours or days you allowed",
    Reason.NOT_AN_EVENT: "you allowed only things that happen, not the readings between",
    Reason.PARTIAL: "it would have been alone in its summary, or the summary would have been only a part of one",
}
ACTS = {
    Act.GIVEN: "agreed to it",
    Act.CHANGED: "changed it",
    Act.PAUSED: "paused it",
    Act.RESUMED: "let it go on",
    Act.WITHDRAWN: "stopped it",
}
PAST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant and what became of it. `sent` is None where the store keeps no count of it."""

    grant: Grant
    sentence: str
    waiting: int
    collecting: int
    sent: int | None


@dataclass(frozen=True, slots=True)
class SharingView:
    """All that the sharing page shows of the store. `withheld`: (reason in words, how often), most often first.
    `modes`: what may leave a board at all; `by_device`: the categories that each device measures."""

    active: tuple[GrantView, ...]
    past: tuple[GrantView, ...]
    past_count: int
    sent: int
    withheld: tuple[tuple[str, int], ...]
    waiting_by_sink: dict[str, int]
    names: dict[str, str] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    event_categories: frozenset[str] = frozenset()
    people: tuple[Person, ...] = ()
    modes: Mapping[tuple[str, str], Mode] = field(default_factory=dict)
    by_device: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def paused(self) -> int:
        """How many of the active ones rest: nothing leaves under them."""
        return sum(shown.grant.paused_ms is not None for shown in self.active)

    @property
    def shared(self) -> int:
        """How many of them do not rest."""
        return len(self.active) - self.paused

    @property
    def said(self) -> str:
        """How many things are shared and how many rest, as a sentence without its full stop."""
        shared = f"{words.plural(self.shared, 'thing')} {'is' if self.shared == 1 else 'are'} shared"
        count = f"{self.paused:,}" if self.shared else words.plural(self.paused, "thing")
        rest = f", {count} {'is' if self.paused == 1 else 'are'} paused" if self.paused else ""
        return (shared if self.shared else "Nothing leaves your home") + rest


@dataclass(frozen=True, slots=True)
class Story:
    """A grant's versions and everything that was done with it, oldest first."""

    versions: tuple[Grant, ...]
    events: tuple[ConsentEvent, ...]


def story(db: Database, grant_id: str) -> Story:
    """Read it. Raises GrantError."""
    return Story(tuple(register.versions(db, grant_id)), tuple(register.history(db, grant_id)))


def sharing(db: Database, now_ms: int, vocabulary: Vocabulary) -> SharingView:
    """Read it."""
    enrolled = [d for d in devices.registry(db).values() if not d.revoked]
    names = {d.device: d.name for d in enrolled}
    sql = db.connection
    waiting = dict(sql.execute("SELECT grant_id, count(*) FROM outbox GROUP BY grant_id").fetchall())
    collecting = dict(sql.execute("SELECT grant_id, sum(n) FROM bucket GROUP BY grant_id").fetchall())
    counters = db.counters()
    views = [
        GrantView(
            g,
            sentence(g, names, vocabulary),
            waiting.get(g.id, 0),
            collecting.get(g.id, 0),
            counters.get(f"cloud_events_sent.{g.id}"),
        )
        for g in register.grants(db)
    ]
    past = [v for v in reversed(views) if not holds(v.grant, now_ms)]
    births = {d.device: devices.newest_birth(db, d.id) for d in enrolled}
    channels = [c for b in births.values() if b is not None for c in b.channels]
    return SharingView(
        tuple(v for v in views if holds(v.grant, now_ms)),
        tuple(past[:PAST_SHOWN]),
        len(past),
        counters.get("cloud_events_sent", 0),
        _withheld(counters),
        dict(sql.execute("SELECT sink, count(*) FROM outbox GROUP BY sink").fetchall()),
        names,
        frozenset(c.category for c in channels),
        frozenset(c.category for c in channels if c.kind is ValueKind.EVENT),
        tuple(household_people.people(db)),
        modes(db),
        {d: tuple(dict.fromkeys(c.category for c in b.channels)) for d, b in births.items() if b is not None},
    )


def holds(grant: Grant, now_ms: int) -> bool:
    """Whether something may leave under it now or later."""
    return grant.revoked_ms is None and now_ms < grant.expiry_ms


def sentence(grant: Grant, names: Mapping[str, str], vocabulary: Vocabulary) -> str:
    """The grant in a sentence, with the devices' names in place of their ids."""
    return words.sentence(describe(grant, names, vocabulary))


def recipient_name(vocabulary: Vocabulary, recipient: str) -> str:
    """A recipient as a household calls it: by its name where somebody has said it."""
    party = vocabulary.parties.get(recipient)
    return words.sentence(recipient) if party is None or party.name is None else party.name


def recipient_words(vocabulary: Vocabulary, recipient: str) -> str:
    """What is known of a recipient, in a line: what it is, and where and under which law, where that was said."""
    party = vocabulary.parties.get(recipient)
    said = [words.sentence(vocabulary.recipients.get(recipient, ""))]
    if party is not None:
        said += [part for part in (party.address, party.contact, party.url) if part]
        said += [f"under the law of {party.jurisdiction}"] if party.jurisdiction else []
        said += [f"keeps data in {party.storage}"] if party.storage else []
    return ", ".join(part for part in said if part)


def _withheld(counters: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    found = [
        (REASONS.get(Reason(reason)) or words.sentence(reason), n)
        for reason, n in ((key.removeprefix("withheld."), n) for key, n in counters.items() if "withheld." in key)
        if reason in set(Reason)
    ]
    return tuple(sorted(found, key=lambda pair: -pair[1]))
