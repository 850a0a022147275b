"""What the page "What left" shows: the ledger in plain words, and what recipients were asked to erase. Runs in the
store's thread."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.consent import audit, register, update_decisions, update_words
from gateway.consent.grants import GrantError
from gateway.consent.ledger import Head
from gateway.consent.vocabulary import Vocabulary
from gateway.store.database import Database
from gateway.web import words
from gateway.web.consent_view import recipient_name

ROWS_SHOWN = 20
NOTICES_SHOWN = 50
_LATEST_MS = 2**46  # the year 4199: later than any grant
# How many rows after a disclosure are looked through for what became of it.
_OUTCOMES_READ = 2000
_DISCLOSING = "('sending', 'delivered', 'refused', 'aborted')"


class Which(StrEnum):
    """Which rows of the ledger are shown."""

    LEFT = "left"
    ACTS = "acts"


_WHERE = {Which.LEFT: "kind = 'sending'", Which.ACTS: f"kind NOT IN {_DISCLOSING}"}
_OUTCOMES = {
    "delivered": "It arrived.",
    "refused": "The recipient refused it for good.",
    "aborted": "It was ended while it was sent: some of it may have left.",
}
_ON_ITS_WAY = "It is on its way, or was not confirmed yet: it may have left."


@dataclass(frozen=True, slots=True)
class Part:
    """What of one disclosure went under one grant. Times are of the readings in it."""

    grant_id: str
    text: str
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the ledger in words. Of a disclosure there are `parts`, `outcome` and the `digest` of its exact body."""

    n: int
    at_ms: int
    text: str
    parts: tuple[Part, ...] = ()
    outcome: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class LeftPage:
    """Some rows, newest first. `older`: there are more before them."""

    lines: tuple[Line, ...]
    older: bool


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A request to erase. `sinks`: (sink, tries, when it was confirmed); none while no sink leads to the recipient."""

    id: str
    recipient: str
    grant_id: str | None
    reason: str
    created_ms: int
    sinks: tuple[tuple[str, int, int | None], ...]

    @property
    def confirmed_ms(self) -> int | None:
        """When the last of its sinks confirmed it; None while one has not."""
        acked = [acked_ms for _, _, acked_ms in self.sinks]
        times = [acked_ms for acked_ms in acked if acked_ms is not None]
        return max(times) if times and len(times) == len(acked) else None


@dataclass(frozen=True, slots=True)
class RecordView:
    """The end of the ledger, and the requests to erase: all that are not confirmed, and the newest of the others."""

    head: Head
    notices: tuple[NoticeView, ...]


def record(db: Database) -> RecordView:
    """Read it."""
    return RecordView(audit.head(db), tuple(notices(db)))


def left(db: Database, vocabulary: Vocabulary, which: Which, before: int | None) -> LeftPage:
    """The rows before number `before`, or the newest."""
    rows = db.connection.execute(
        f"SELECT n, at_ms, kind, entry FROM ledger WHERE n < ? AND {_WHERE[which]} ORDER BY n DESC LIMIT ?",  # noqa: S608
        (before or 2**62, ROWS_SHOWN + 1),
    ).fetchall()
    shown = [(n, at_ms, kind, _entry(entry)) for n, at_ms, kind, entry in rows[:ROWS_SHOWN]]
    tell = _Teller(db, vocabulary)
    if which is Which.ACTS:
        lines = [Line(n, whole(at_ms), tell.act(str(kind), entry)) for n, at_ms, kind, entry in shown]
    else:
        outcomes = _outcomes(db, [n for n, *_ in shown])
        lines = [
            Line(
                n,
                whole(at_ms),
                tell.sending(entry),
                tuple(tell.part(part) for part in _parts(entry)),
                outcomes.get(n, _ON_ITS_WAY),
                str(entry.get("body_sha256", "")),
            )
            for n, at_ms, _, entry in shown
        ]
    return LeftPage(tuple(lines), len(rows) > ROWS_SHOWN)


def notices(db: Database) -> list[NoticeView]:
    """Every request that is not confirmed, and the newest of those that are; newest first."""
    rows = db.connection.execute(
        "SELECT id, recipient, grant_id, reason, created_ms, json_group_array(json_array(sink, tries, acked_ms)) "
        "FILTER (WHERE sink IS NOT NULL), count(sink) > count(acked_ms) OR count(sink) = 0 AS waits "
        "FROM notice LEFT JOIN notice_sink ON notice_id = id GROUP BY id "
        "ORDER BY waits DESC, created_ms DESC, id LIMIT ?",
        (NOTICES_SHOWN,),
    )
    return [
        NoticeView(id_, recipient, grant_id, reason, created_ms, tuple((s, t, a) for s, t, a in json.loads(sinks)))
        for id_, recipient, grant_id, reason, created_ms, sinks, _ in rows
    ]


class _Teller:
    """Says what rows say, by the names that the household uses."""

    def __init__(self, db: Database, vocabulary: Vocabulary) -> None:
        self._db = db
        self._vocabulary = vocabulary
        self._people: dict[str, str] = dict(db.connection.execute("SELECT id, name FROM person"))
        self._boards = update_decisions.board_names(db)

    def sending(self, entry: Mapping[str, Any]) -> str:
        n, size = words.plural(whole(entry.get("events")), "message"), words.size(whole(entry.get("bytes")))
        return f"{n} ({size}) to {self._recipient(entry)}"

    def part(self, part: Mapping[str, Any]) -> Part:
        what = str(part.get("category", ""))
        sentence = self._vocabulary.categories.get(what, what)
        text = f"{words.plural(whole(part.get('events')), 'message')} of {what}: {sentence}"
        return Part(str(part.get("grant", "")), text, whole(part.get("first_ms")), whole(part.get("last_ms")))

    def act(self, kind: str, entry: Mapping[str, Any]) -> str:
        who, to = self._person(entry.get("by")), self._recipient(entry)
        if kind in update_words.VERBS:
            return f"{update_words.told(kind, entry, who, self._boards)}."
        what = f"that {to} may get {entry.get('category')}, {self._why(str(entry.get('purpose', '')))}"
        grant, sink = self._grant(str(entry.get("grant", ""))), entry.get("sink", "")
        dropped = whole(entry.get("dropped"))
        gone = f" {words.plural(dropped, 'message')} that waited {'was' if dropped == 1 else 'were'} thrown away."
        said = {
            "grant": f"{who} agreed {what}.",
            "change": f"{who} changed what {to} may get ({entry.get('category')}).",
            "pause": f"{who} paused that {grant}.",
            "resume": f"{who} let it go on that {grant}.",
            "revoke": f"{who} stopped that {grant}.",
            "notice": f"{to} is asked to erase what it got while {grant}.",
            "notice_acked": f"{words.sentence(str(sink))} confirmed that it was asked to erase.",
            "rotate": f"{to} knows your appliances by new names from here on.",
            "person": f"{self._person(entry.get('person'))} is in the household, as {_an(entry.get('role'))}.",
            "local_use": f"What {_appliances(entry)} may tell of {entry.get('category')} was set: {_mode(entry)}.",
            "erase": "Data was erased here.",
        }.get(kind) or f"{words.sentence(kind)}."
        return said + (gone if dropped else "")

    def _grant(self, id_: str) -> str:
        """What a grant is about, as a part of a sentence."""
        if not id_:
            return ""
        try:
            grant = register.find(self._db, id_)
        except GrantError:
            return f"{id_} was given"
        to = recipient_name(self._vocabulary, grant.recipient)
        return f"{to} may get {grant.category}, {self._why(grant.purpose)}"

    def _why(self, purpose: str) -> str:
        return self._vocabulary.purposes.get(purpose) or f"for {purpose}"

    def _recipient(self, entry: Mapping[str, Any]) -> str:
        return recipient_name(self._vocabulary, str(entry.get("recipient", "")))

    def _person(self, id_: object) -> str:
        return self._people.get(str(id_), "somebody whose name was erased" if id_ else "Somebody")


def _an(role: object) -> str:
    return {"adult": "an adult", "child": "a child"}.get(str(role), str(role))


def _mode(entry: Mapping[str, Any]) -> str:
    said = words.LOCAL_USE.get(str(entry.get("mode")), str(entry.get("mode")))
    return said[:1].lower() + said[1:]


def _appliances(entry: Mapping[str, Any]) -> str:
    return "every appliance" if entry.get("devices") == "all" else "one appliance"


def _outcomes(db: Database, sendings: Iterable[int]) -> dict[int, str]:
    """What became of disclosures, as far as it is known."""
    waiting = set(sendings)
    found: dict[int, str] = {}
    if not waiting:
        return found
    for kind, entry in db.connection.execute(
        "SELECT kind, entry FROM ledger WHERE n > ? AND kind IN ('delivered', 'refused', 'aborted') ORDER BY n LIMIT ?",
        (min(waiting), _OUTCOMES_READ),
    ):
        n = whole(_entry(entry).get("sending"))
        if n in waiting:
            waiting.discard(n)
            found[n] = _OUTCOMES[kind]
            if not waiting:
                break
    return found


def whole(value: object) -> int:
    """A count or a time (Unix ms) as a row says it; 0 where somebody has made something else of it."""
    return value if isinstance(value, int) and 0 <= value <= _LATEST_MS else 0


def _parts(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = entry.get("grants")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _entry(entry: object) -> dict[str, Any]:
    """What a row says; nothing where somebody has spoilt it: then it is `verify` that says so."""
    try:
        said = json.loads(entry if isinstance(entry, bytes | str) else b"")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
