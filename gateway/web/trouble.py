"""What is wrong at the moment, and what came in and could not be used, in words. Runs in the store's thread."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.store import crashes, devices
from gateway.store.database import Database
from gateway.wire import topics

RECENT_MS = 86_400_000
DETAILS_SHOWN = 5

# What happened, and what a person can do about it.
_REASONS = {
    "unknown_topic": (
        "Messages that no appliance of this home would send",
        "Something else on your network uses the same message service. It does no harm here.",
    ),
    "unknown_device": (
        "An appliance that is not enrolled tried to speak",
        "If it is yours, enrol it: `hearthgate devices add` and its number. If not, it stays outside.",
    ),
    "revoked_device": (
        "An appliance that you removed tried to speak",
        "It is refused. If you want it back, enrol it again.",
    ),
    "bad_mac": (
        "Messages whose seal does not fit the appliance",
        "Either it was set up again and must be enrolled again, or somebody pretends to be it. They are refused.",
    ),
    "bad_frame": ("Messages that are damaged", "They are kept aside. If more come, update the appliance's software."),
    "wrong_version": ("Messages in a newer or older form", "Update the appliance or this gateway."),
    "bad_birth": (
        "An appliance describes itself in a way that makes no sense",
        "Update the appliance's software.",
    ),
    "too_large": (
        "Messages that are far too large",
        "No appliance of this kind sends such messages. They are dropped.",
    ),
    "seq_reused": (
        "Two different messages under the same number",
        "The appliance has lost its memory of what it sent. Restart it.",
    ),
    "not_of_birth": (
        "Messages that do not fit what the appliance said it is",
        "They are kept aside. Restart the appliance.",
    ),
    "birth_changed": ("An appliance changed what it says it is without a restart", "Restart the appliance."),
    "bad_crash": ("A report of a crash that cannot be read", "Update the appliance's software."),
    "malformed": ("Messages that cannot be read", "They are kept aside."),
}


@dataclass(frozen=True, slots=True)
class Unusable:
    """Messages that could not be used for one reason."""

    reason: str
    what: str
    advice: str
    times: int
    last_ms: int
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crashed:
    """The newest crash of an appliance."""

    name: str
    device: str
    last_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class ProblemsView:
    """All that the problems page shows of the store."""

    unusable: tuple[Unusable, ...]
    counters: dict[str, int]
    crashed: tuple[Crashed, ...] = ()

    def recent(self, now_ms: int) -> int:
        """How many kinds of unusable messages came within the last day."""
        return sum(now_ms - u.last_ms < RECENT_MS for u in self.unusable)


def problems(db: Database) -> ProblemsView:
    """Read it, the newest reason first."""
    known = devices.registry(db)
    names = {d.device: d.name for d in known.values()}
    rows = db.connection.execute(
        "SELECT reason, sum(times), max(received_ms) FROM dead_letter GROUP BY reason ORDER BY 3 DESC"
    ).fetchall()
    return ProblemsView(
        tuple(
            Unusable(reason, *_words(reason), times, last_ms, _details(db, reason, names))
            for reason, times, last_ms in rows
        ),
        db.counters(),
        tuple(
            Crashed(device.name, device.device, report.received_ms, report.crash.text or report.crash.headline)
            for device in known.values()
            if not device.revoked
            for report in crashes.newest(db, device.id, 1)
        ),
    )


def _words(reason: str) -> tuple[str, str]:
    return _REASONS.get(reason, ("Messages that could not be used", "They are kept aside."))


def _details(db: Database, reason: str, names: Mapping[str, str]) -> tuple[str, ...]:
    rows = db.connection.execute(
        "SELECT topic, detail FROM dead_letter WHERE reason = ? ORDER BY received_ms DESC LIMIT ?",
        (reason, DETAILS_SHOWN),
    ).fetchall()
    return tuple(dict.fromkeys(f"{_who(topic, names)}: {detail}" for topic, detail in rows))


def _who(topic: str, names: Mapping[str, str]) -> str:
    place = topics.parse(topic)
    if place is None:
        return f"on {topic}"
    return f"{names[place[0]]} ({place[0]})" if place[0] in names else place[0]
