"""A grant that says from when may reach back beyond what its sink has decided on: those frames are read again, for it.

What a sink decides on after the grant holds, it decides on with the grant; so it is the frames before its cursor, but
for those that it has parked, that are looked at once more, and only for what leaves under this one grant.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.consent.decide import GrantIndex
from gateway.consent.grants import Grant
from gateway.store.database import Database
from gateway.store.reader import FrameReader, StoredFrame

_FRAMES_A_STEP = 200


@dataclass(frozen=True, slots=True)
class _Look:
    grant: Grant
    next_id: int
    until_id: int


class LookBack:
    """One sink's. Used in the database's thread only."""

    def __init__(self, db: Database, sink: str, recipient: str) -> None:
        self._db = db
        self._sink = sink
        self._recipient = recipient
        self._reader = FrameReader(db)
        self._index: GrantIndex | None = None
        self._reaching: list[Grant] = []
        self._begun: set[tuple[str, int, int]] = set()

    def begin(self, index: GrantIndex, cursor: int, now_ms: int, keep: Callable[[], None]) -> bool:
        """See whether a grant reaches back that did not yet; True if one does. Before anything is decided on with this
        index. `keep` saves the cursor, in the same transaction: what lies before it is this one's from now on."""
        if index is not self._index:
            self._reaching = [g for g in index.by_id.values() if g.recipient == self._recipient and _reaches(g)]
            self._begun = set(
                self._db.connection.execute(
                    "SELECT grant_id, since_ms, start_ms FROM look_back WHERE sink = ?", (self._sink,)
                )
            )
            self._index = index
        begins = [
            grant
            for grant in self._reaching
            if _key(grant) not in self._begun and grant.start_ms <= now_ms < grant.expiry_ms
        ]
        if begins:
            with self._db.transaction() as sql:
                keep()
                for grant in begins:
                    sql.execute("INSERT INTO look_back VALUES (?, ?, ?, ?, 0, ?)", (self._sink, *_key(grant), cursor))
                    sql.execute(
                        "INSERT OR IGNORE INTO look_back_parked SELECT sink, ?, frame_id FROM parked "
                        "WHERE sink = ? AND frame_id <= ?",
                        (grant.id, self._sink, cursor),
                    )
            self._begun.update(map(_key, begins))
        return bool(begins)

    def under_way(self) -> set[str]:
        """The grants that are not through: their aggregates are not complete, whatever their boards say now."""
        rows = self._db.connection.execute(
            "SELECT grant_id FROM look_back WHERE sink = ? AND next_id <= until_id", (self._sink,)
        )
        return {row[0] for row in rows}

    def step(self, index: GrantIndex, room: int, decide: Callable[[StoredFrame, Grant], int]) -> bool:
        """Look at the next frames of one grant; False if there is nothing to look at. In a transaction. `decide` puts
        what leaves under the grant where it belongs, and returns how many events that made; at most `room` are wanted.
        """
        look = self._next(index)
        if look is None:
            return False
        sql = self._db.connection
        parked = {
            row[0]
            for row in sql.execute(
                "SELECT frame_id FROM look_back_parked WHERE sink = ? AND grant_id = ?", (self._sink, look.grant.id)
            )
        }
        seen = self._reader.after(look.next_id, _FRAMES_A_STEP)
        following = look.until_id + 1 if seen.last in (look.next_id, 0) else seen.last
        # What can be read comes in the order of ids, as it did when it was new.
        for frame in sorted((f for f in seen.frames if f.id <= look.until_id), key=lambda f: f.id):
            if room <= 0:
                following = frame.id - 1
                break
            if frame.id not in parked and frame.time_ms is not None:
                room -= decide(frame, look.grant)
        if following > look.until_id:
            sql.execute("DELETE FROM look_back_parked WHERE sink = ? AND grant_id = ?", (self._sink, look.grant.id))
        sql.execute(
            "UPDATE look_back SET next_id = ? WHERE sink = ? AND grant_id = ? AND since_ms = ? AND start_ms = ?",
            (following, self._sink, *_key(look.grant)),
        )
        return True

    def _next(self, index: GrantIndex) -> _Look | None:
        """The first that is not through. One whose grant is gone, or reaches elsewhere now, is through."""
        rows = self._db.connection.execute(
            "SELECT grant_id, since_ms, start_ms, next_id, until_id FROM look_back "
            "WHERE sink = ? AND next_id <= until_id ORDER BY grant_id",
            (self._sink,),
        ).fetchall()
        for grant_id, since_ms, start_ms, next_id, until_id in rows:
            grant = index.by_id.get(grant_id)
            if grant is not None and grant.revoked_ms is None and _key(grant) == (grant_id, since_ms, start_ms):
                return _Look(grant, next_id, until_id)
            self._db.connection.execute(
                "UPDATE look_back SET next_id = until_id + 1 WHERE sink = ? AND grant_id = ? AND since_ms = ? "
                "AND start_ms = ?",
                (self._sink, grant_id, since_ms, start_ms),
            )
        return None


def _reaches(grant: Grant) -> bool:
    return grant.revoked_ms is None and grant.since_ms is not None and grant.since_ms < grant.start_ms


def _key(grant: Grant) -> tuple[str, int, int]:
    """A change that lets something else leave begins anew, and so has another start; one of the expiry has not."""
    return grant.id, grant.agreed_from_ms, grant.start_ms
