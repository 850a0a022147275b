"""The people of a household in the database."""

import secrets

from gateway.consent import audit
from gateway.consent.people import Person, Role
from gateway.store.database import Database

_ID_BYTES = 8


def people(db: Database) -> list[Person]:
    """Everybody who was named, by name."""
    return [
        Person(name, Role(role)) for name, role in db.connection.execute("SELECT name, role FROM person ORDER BY 1")
    ]


def find(db: Database, name: str) -> Person:
    """One of them; whom nobody has named is an adult. Raises GrantError for a name that cannot be."""
    found = db.connection.execute("SELECT role FROM person WHERE name = ?", (name,)).fetchone()
    return Person(name, Role.ADULT if found is None else Role(found[0]))


def put(db: Database, somebody: Person, now_ms: int) -> None:
    """Add a person, or say that they are something else now. What they agreed to before stays as it is."""
    with db.transaction():
        _put(db, somebody, now_ms)


def person_id(db: Database, name: str, now_ms: int) -> str:
    """What the ledger calls a person: in a transaction, for the name would be written if it was not known."""
    if not name:
        return ""
    _put(db, find(db, name), now_ms)
    (id_,) = db.connection.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchone()
    return str(id_)


def _put(db: Database, somebody: Person, now_ms: int) -> None:
    sql = db.connection
    known = sql.execute("SELECT id, role FROM person WHERE name = ?", (somebody.name,)).fetchone()
    if known is not None and known[1] == somebody.role.value:
        return
    id_ = secrets.token_hex(_ID_BYTES) if known is None else known[0]
    sql.execute(
        "INSERT INTO person (name, role, id) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET role = excluded.role",
        (somebody.name, somebody.role.value, id_),
    )
    audit.append(db, now_ms, "person", {"person": id_, "role": somebody.role.value})
