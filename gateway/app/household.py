"""A household's identity as one file: what a second gateway needs to be the same household as the first.

Names that leave the house (pseudonyms, ids of events) are keyed with the household's secret. Two gateways with one
secret and the same grants give the same event the same CloudEvents `source` and `id`, and a recipient holds it once.
"""

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from gateway.consent import register
from gateway.consent.grants import Grant, GrantError
from gateway.errors import HearthgateError
from gateway.store.database import Database
from gateway.wire.topics import DEVICE

FORMAT = "hearthgate-household-1"
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
    """Eight hex digits that name this gateway's database: not the household's, and never exported."""
    with db.transaction() as sql:
        sql.execute("INSERT OR IGNORE INTO meta VALUES ('gateway_id', ?)", (secrets.token_bytes(4),))
        (value,) = sql.execute("SELECT value FROM meta WHERE name = 'gateway_id'").fetchone()
    return bytes(value).hex()


def export(db: Database) -> str:
    """The household as JSON: its secret, its devices with their keys, every grant. Whoever reads it can be it."""
    members = db.connection.execute(
        "SELECT device, name, hex(key), enrolled_ms, revoked_ms, command_counter FROM device ORDER BY device"
    )
    grants = [json.loads(grant.to_json()) | {"revoked_ms": grant.revoked_ms} for grant in register.grants(db)]
    household = {
        "format": FORMAT,
        "secret": db.secret.hex(),
        "devices": [asdict(Member(*row)) for row in members],
        "grants": grants,
    }
    return json.dumps(household, indent=1, ensure_ascii=False) + "\n"


def take_in(db: Database, text: str, now_ms: int) -> TakenIn:
    """Become the household of an exported file, or, where this is it already, add what is new. Raises HouseholdError.

    Nothing is taken away: a device that is known keeps its name and key, and a counter only grows. What is revoked on
    either side is revoked here.
    """
    secret, members, grants = _read(text)
    with db.transaction() as sql:
        if secret != db.secret:
            _must_be_empty(sql)
            sql.execute("UPDATE meta SET value = ? WHERE name = 'household_secret'", (secret,))
        before = sql.total_changes
        for member in members:
            sql.execute(
                "INSERT OR IGNORE INTO device (device, name, key, enrolled_ms, revoked_ms, command_counter) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (member.device, member.name, bytes.fromhex(member.key), member.enrolled_ms, member.revoked_ms,
                 member.command_counter),
            )  # fmt: skip
        devices = sql.total_changes - before
        for member in members:
            sql.execute(
                "UPDATE device SET revoked_ms = coalesce(revoked_ms, ?), "
                "command_counter = max(command_counter, ?) WHERE device = ?",
                (member.revoked_ms, member.command_counter, member.device),
            )
        before = sql.total_changes
        for grant in grants:
            sql.execute(
                "INSERT OR IGNORE INTO consent_grant (id, record, created_ms, revoked_ms) VALUES (?, ?, ?, ?)",
                (grant.id, grant.to_json(), grant.created_ms, grant.revoked_ms),
            )
        added = sql.total_changes - before
        db.revise("devices")
        db.revise("grants")
    held = {grant.id for grant in register.grants(db) if grant.revoked_ms is None}
    for grant in grants:
        if grant.revoked_ms is not None and grant.id in held:
            register.take_back(db, grant.id, now_ms)
    return TakenIn(devices, added)


def _must_be_empty(sql: sqlite3.Connection) -> None:
    for table, what in (("device", "devices"), ("consent_grant", "grants"), ("frame", "readings")):
        if sql.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():  # noqa: S608 - one of the three above
            raise HouseholdError(
                f"this gateway is another household already: it has {what} of its own. "
                "Import before anything is enrolled, or name a new file under [store] path."
            )


def _read(text: str) -> tuple[bytes, list[Member], list[Grant]]:
    try:
        household: dict[str, Any] = json.loads(text)
        json.dumps(household, ensure_ascii=False).encode()  # half a surrogate pair is no text, and cannot be kept
        secret = _secret(household["format"], bytes.fromhex(household["secret"]))
        members = [Member(**member) for member in household["devices"]]
        grants = [
            Grant.from_json(json.dumps({k: v for k, v in grant.items() if k != "revoked_ms"}), grant["revoked_ms"])
            for grant in household["grants"]
        ]
        for grant in grants:
            _check_times(grant)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, GrantError) as why:
        raise HouseholdError(f"not a household file: {why}. `hearthgate household export` writes one.") from why
    return secret, members, grants


def _check_times(grant: Grant) -> None:
    moments = [grant.created_ms, 0 if grant.revoked_ms is None else grant.revoked_ms]
    if not all(type(n) is int and 0 <= n < 2**63 for n in moments):
        raise ValueError(f"grant {grant.id} needs whole numbers for its times")


def _secret(form: str, secret: bytes) -> bytes:
    if form != FORMAT:
        raise ValueError(f"its format is {form!r:.40}; this Hearthgate reads {FORMAT}")
    if len(secret) != _SECRET_BYTES:
        raise ValueError(f"its secret has {len(secret)} bytes, not {_SECRET_BYTES}")
    return secret
