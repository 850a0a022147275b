"""What the household decided of updates of its boards: ordered, yes, no, stop; each act with its row in the ledger.

A board stands in the ledger under a name that is made of its place in the registry, not of its device id: once it is
forgotten there, nothing tells any more which board it was, and the chain stays whole.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.consent import audit, household_people
from gateway.store import updates
from gateway.store.database import Database
from gateway.update.version import Anyway

__all__ = ["Voice", "Way", "agree", "board_names", "decline", "order", "stop"]

_NAME_BYTES = 8


class Way(StrEnum):
    """How a word of the household came."""

    CONSOLE = "console"
    COMMAND_LINE = "command line"
    API = "api"


@dataclass(frozen=True, slots=True)
class Voice:
    """Who decides: a person of the household by name, or "" where nobody is named, and how that came."""

    way: Way
    by: str = ""


def order(
    db: Database,
    stages: Mapping[str, int],
    now_ms: int,
    voice: Voice,
    *,
    firmware: str | None,
    ask: bool,
    anyway: Anyway | None = None,
) -> None:
    """Let these devices be updated to that version, in these stages; with `ask` once the household has said yes.
    anyway: what is insisted on. What was ordered before is forgotten. Raises StoreError or GrantError (of the person's
    name); nothing is changed then."""
    with db.transaction():
        ordered = updates.order(db, stages, now_ms, firmware=firmware, ask=ask, anyway=anyway)
        more = {"asks": ask} | ({} if anyway is None else {"anyway": anyway.value})
        _note(db, now_ms, "update_order", voice, ordered, more)


def agree(db: Database, now_ms: int, voice: Voice) -> int:
    """Yes to the update that waits for it. How many boards waited. Raises GrantError."""
    return _decide(db, now_ms, voice, "update_yes", updates.allow)


def decline(db: Database, now_ms: int, voice: Voice) -> int:
    """No to it. How many boards waited for a yes. Raises GrantError."""
    return _decide(db, now_ms, voice, "update_no", updates.decline)


def stop(db: Database, now_ms: int, voice: Voice) -> int:
    """Begin nothing more. How many boards are left as they are. Raises GrantError."""
    return _decide(db, now_ms, voice, "update_stop", updates.stop)


def board_names(db: Database) -> dict[str, str]:
    """What the household calls the boards that the ledger speaks of, as far as they are still known here."""
    rows = db.connection.execute("SELECT id, enrolled_ms, name FROM device")
    secret = db.secret
    return {_named(secret, id_, enrolled_ms): str(name) for id_, enrolled_ms, name in rows}


def _decide(db: Database, now_ms: int, voice: Voice, kind: str, act: Callable[[Database, int], Sequence[int]]) -> int:
    with db.transaction():
        boards = act(db, now_ms)
        _note(db, now_ms, kind, voice, boards, {})
    return len(boards)


def _note(
    db: Database, now_ms: int, kind: str, voice: Voice, boards: Sequence[int], more: Mapping[str, object]
) -> None:
    if not boards:  # a word to which nothing happens decides nothing
        return
    enrolled = dict(db.connection.execute("SELECT id, enrolled_ms FROM device"))
    secret = db.secret
    happened = {
        "by": household_people.person_id(db, voice.by, now_ms),
        "way": voice.way.value,
        "firmware": updates.firmware(db),
        "boards": [_named(secret, id_, enrolled[id_]) for id_ in boards],
        **more,
    }
    audit.append(db, now_ms, kind, happened)


def _named(secret: bytes, id_: int, enrolled_ms: int) -> str:
    # With the time: a number in the registry is given again once its board was forgotten.
    return hmac.digest(secret, b"updated\0%d\0%d" % (id_, enrolled_ms), "sha256")[:_NAME_BYTES].hex()
