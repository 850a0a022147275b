"""A household's identity as one file: what a second gateway needs to be the same household as the first.

Names that leave the house (pseudonyms, ids of events) are keyed with the household's secret. Two gateways with one
secret and the same grants give the same event the same CloudEvents `source` and `id`, and a recipient holds it once.
"""

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from gateway.consent import household_people, register
from gateway.consent.grants import Grant, GrantError
from gateway.consent.people import Person, Role
from gateway.consent.vocabulary import WORD
from gateway.errors import HearthgateError
from gateway.store.database import Database, StoreError
from gateway.wire.topics import DEVICE

FORMAT = "hearthgate-household-2"
_EARLIER = "hearthgate-household-1"  # without people, versions, pauses and new names
_STATE = ("revoked_ms", "paused_ms", "resumed_ms")
_SECRET_BYTES = 32


class HouseholdError(HearthgateError):
    """The file cannot be taken in; the text says why, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Member:
    """A device of the household as the file holds it."""

    device: str
    name: str
    key: str
    enrolled_ms: int
    revoked_ms: int | None
    command_counter: int

    def __post_init__(self) -> None:
        moments = [self.enrolled_ms, self.command_counter, *([] if self.revoked_ms is None else [self.revoked_ms])]
        if not DEVICE.fullmatch(self.device) or not 16 <= len(bytes.fromhex(self.key)) <= 64:
            raise ValueError(f"device {self.device!r:.20} needs an id of 12 hex digits and a key of 16 to 64 bytes")
        if not isinstance(self.name, str) or not all(type(n) is int and 0 <= n < 2**63 for n in moments):
            raise ValueError(f"device {self.device} needs a name, and whole numbers for its times and its counter")


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What an import added."""

    devices: int
    grants: int


def gateway_id(db: Database) -> str:
    """Eight hex digits that name this gateway's database, not the household: never exported. Raises StoreError."""
    try:
        with db.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO meta VALUES ('gateway_id', ?)", (secrets.token_bytes(4),))
            (value,) = sql.execute("SELECT value FROM meta WHERE name = 'gateway_id'").fetchone()
    except sqlite3.OperationalError as why:
        raise StoreError(f"{db.path}: {why}. A gateway that starts for the first time needs some free space.") from why
    return bytes(value).hex()


def export(db: Database) -> str:
    """The household as JSON: its secret, its devices with their keys, every grant. Whoever reads it can be it."""
    members = db.connection.execute(
        "SELECT device, name, hex(key), enrolled_ms, revoked_ms, command_counter FROM device ORDER BY device"
    )
    grants = [
        [
            json.loads(version.to_json()) | {name: getattr(version, name) for name in _STATE}
            for version in register.versions(db, grant.id)
        ]
        for grant in register.grants(db)
    ]
    household = {
        "format": FORMAT,
        "secret": db.secret.hex(),
        "devices": [asdict(Member(*row)) for row in members],
        "grants": grants,
        "people": {somebody.name: somebody.role.value for somebody in household_people.people(db)},
        "pseudonyms": dict(db.connection.execute("SELECT recipient, epoch FROM pseudonym ORDER BY recipient")),
    }
    return json.dumps(household, indent=1, ensure_ascii=False) + "\n"


def take_in(db: Database, text: str, now_ms: int) -> TakenIn:
    """Become the household of an exported file, or, where this is it already, add what is new. Raises HouseholdError.

    Nothing is taken away: a device that is known keeps its name and key, and a counter only grows. What is revoked on
    either side is revoked here, and what rests on either side rests here; a grant's later version wins.
    """
    said = _read(text)
    with db.transaction() as sql:
        if said.secret != db.secret:
            _must_be_empty(sql)
            sql.execute("UPDATE meta SET value = ? WHERE name = 'household_secret'", (said.secret,))
        before = sql.total_changes
        for member in said.members:
            sql.execute(
                "INSERT OR IGNORE INTO device (device, name, key, enrolled_ms, revoked_ms, command_counter) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (member.device, member.name, bytes.fromhex(member.key), member.enrolled_ms, member.revoked_ms,
                 member.command_counter),
            )  # fmt: skip
        devices = sql.total_changes - before
        for member in said.members:
            sql.execute(
                "UPDATE device SET revoked_ms = coalesce(revoked_ms, ?), "
                "command_counter = max(command_counter, ?) WHERE device = ?",
                (member.revoked_ms, member.command_counter, member.device),
            )
        for recipient, epoch in said.epochs.items():
            sql.execute(
                "INSERT INTO pseudonym VALUES (?, ?) ON CONFLICT (recipient) "
                "DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                (recipient, epoch),
            )
        db.revise("devices")
        db.revise("grants")
    for somebody in said.people:
        household_people.put(db, somebody, now_ms)
    return TakenIn(devices, sum(register.take_in(db, versions, now_ms) for versions in said.grants))


def _must_be_empty(sql: sqlite3.Connection) -> None:
    for table, what in (("device", "devices"), ("consent_grant", "grants"), ("frame", "readings")):
        if sql.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608 - one of the three above
            raise HouseholdError(
                f"this gateway is another household already: it has {what} of its own. "
                "Import before anything is enrolled, or name a new file under [store] path."
            )


@dataclass(frozen=True, slots=True)
class _Said:
    """What a file says."""

    secret: bytes
    members: list[Member]
    grants: list[list[Grant]]
    people: list[Person]
    epochs: dict[str, int]


def _read(text: str) -> _Said:
    try:
        household: dict[str, Any] = json.loads(text)
        json.dumps(household, ensure_ascii=False).encode()  # half a surrogate pair is no text, and cannot be kept
        secret = _secret(household["format"], bytes.fromhex(household["secret"]))
        members = [Member(**member) for member in household["devices"]]
        listed = household["grants"]
        if household["format"] == _EARLIER:
            listed = [[grant | {"paused_ms": None, "resumed_ms": None}] for grant in listed]
        grants = [[_grant(version) for version in versions] for versions in listed]
        for versions in grants:
            if not versions or len({version.id for version in versions}) != 1:
                raise ValueError("a grant needs its versions, all of one id")  # noqa: TRY301 - told like the others
        people = [Person(name, Role(role)) for name, role in household.get("people", {}).items()]
        epochs = household.get("pseudonyms", {})
        if not all(WORD.fullmatch(recipient) and _whole(epoch) for recipient, epoch in epochs.items()):
            raise ValueError("pseudonyms are a recipient and a whole number each")  # noqa: TRY301 - told like the others
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, GrantError) as why:
        raise HouseholdError(f"not a household file: {_told(why)}. `hearthgate household export` writes one.") from why
    return _Said(secret, members, grants, people, epochs)


def _told(why: Exception) -> str:
    """What Python says of a file of another form is no sentence."""
    if isinstance(why, KeyError):
        return f"there is no {why.args[0]} in it"
    if isinstance(why, json.JSONDecodeError):
        return f"it is not JSON (line {why.lineno})"
    if isinstance(why, TypeError | AttributeError | RecursionError):
        return "what is in it has another form"
    return str(why)


def _grant(said: dict[str, Any]) -> Grant:
    record = json.dumps({name: value for name, value in said.items() if name not in _STATE})
    grant = Grant.from_json(record, *(said[name] for name in _STATE))
    moments = (grant.created_ms, *(getattr(grant, name) for name in _STATE))
    if not all(moment is None or _whole(moment) for moment in moments):
        raise ValueError(f"grant {grant.id} needs whole numbers for its times")
    return grant


def _whole(n: object) -> bool:
    return type(n) is int and 0 <= n < 2**63


def _secret(form: str, secret: bytes) -> bytes:
    if form not in (FORMAT, _EARLIER):
        raise ValueError(f"its format is {form!r:.40}; this Hearthgate reads {FORMAT}")
    if len(secret) != _SECRET_BYTES:
        raise ValueError(f"its secret has {len(secret)} bytes, not {_SECRET_BYTES}")
    return secret
