"""The ceiling of the database: what is oldest, and needed by no sink any more, makes room."""

from collections.abc import Collection

from gateway.store.database import Database, StoreFull
from gateway.store.reader import CLOCK_WAIT_MS, DECIDABLE

_FRAMES_A_STEP = 500
_MOST_STEPS = 20  # a call keeps the store's thread for some tenths of a second, not for minutes
UNDECIDED_MS = 7 * 86_400_000
"""How long a frame that no sink can decide on (its birth or those before it never came) is kept where room is short."""
_SPARE = 100  # so many-th part of the ceiling is freed at a time, so that not each commit has to make room


def used_bytes(db: Database) -> int:
    """What the database takes, without the pages in it that are free."""
    pages, free, size = (
        db.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def retain(db: Database, max_bytes: int, now_ms: int, sinks: Collection[str] | None = None) -> int:
    """Keep the database under its ceiling: the oldest frames go that every sink has passed and that none has parked;
    if there are none, the oldest of those that were parked for UNDECIDED_MS: one board that never says what it is must
    not keep the others' frames out.

    `sinks`: the names that count, where the settings no longer name all that once were (None: all). Returns how many
    frames went; bounded work, so call it again while it is over. Raises StoreFull if it is over the ceiling and
    nothing may go.
    """
    if used_bytes(db) <= max_bytes:
        return 0
    gone = 0
    for _ in range(_MOST_STEPS):
        step = _expire(db, sinks, None) or _expire(db, sinks, now_ms)
        gone += step
        if not step or used_bytes(db) <= max_bytes - max_bytes // _SPARE:
            break
    if gone == 0:
        raise StoreFull(
            f"{db.path} holds {used_bytes(db) // 1_000_000} MB of the {max_bytes // 1_000_000} MB that it may, and "
            f"nothing in it may go: {_why(db, sinks)}."
        )
    return gone


def _why(db: Database, sinks: Collection[str] | None) -> str:
    """What keeps the frames, and what to do about it."""
    waiting = db.connection.execute(
        "SELECT device.name || ' (' || device.device || ')' FROM parked JOIN frame ON frame.id = parked.frame_id "
        "JOIN device ON device.id = frame.device_id GROUP BY device.id ORDER BY count(*) DESC LIMIT 3"
    ).fetchall()
    behind = [
        name
        for name, cursor in db.connection.execute("SELECT name, cursor FROM sink ORDER BY name")
        if cursor < db.windows.newest_id - 1 and (sinks is None or name in sinks)
    ]
    if behind:
        return f"sink {', '.join(behind)} has not had it yet. Mend the sink, or raise [store] max_mb"
    if waiting:
        return (
            f"{', '.join(name for (name,) in waiting)} did not say what its frames hold, or others before them are "
            f"missing; after {UNDECIDED_MS // 86_400_000} days they go. Start it again, or raise [store] max_mb"
        )
    return "it is too small. Raise [store] max_mb"


def _expire(db: Database, sinks: Collection[str] | None, undecided_ms: int | None) -> int:
    """Delete the oldest frames that may go, a bounded number of them: such as no sink has parked, or at the time
    `undecided_ms`, if it is given, those that are parked and that nobody could decide on for too long."""
    with db.transaction() as sql:
        db.windows.refresh()
        known = dict(sql.execute("SELECT name, cursor FROM sink"))
        counted = {name: at for name, at in known.items() if sinks is None or name in sinks}
        # The newest stays whatever happens: ids must go on from it. And what opening reads again is saved first.
        passed = min([db.windows.newest_id - 1, *counted.values()])
        which = " ".join(
            "AND NOT EXISTS (SELECT 1 FROM parked WHERE sink = ? AND frame_id = frame.id)" for _ in counted
        )
        values: tuple[object, ...] = tuple(counted)
        if undecided_ms is not None:
            # What could be decided on waits for a sink: that is no reason to let it go.
            which = f"AND received_ms < ? AND id IN (SELECT frame_id FROM parked) AND NOT ({DECIDABLE})"
            values = (undecided_ms - UNDECIDED_MS, db.windows.newest_id, undecided_ms - CLOCK_WAIT_MS)
        gone = [
            row[0]
            for row in sql.execute(
                f"SELECT id FROM frame WHERE id <= ? {which} ORDER BY id LIMIT ?", (passed, *values, _FRAMES_A_STEP)
            )
        ]
        if gone:
            if gone[-1] > db.windows.saved_id:
                db.windows.save_changes(at_once=True)
            sql.executemany("DELETE FROM frame WHERE id = ?", [(id_,) for id_ in gone])
            if undecided_ms is not None:
                for table in ("parked", "look_back_parked"):
                    sql.executemany(f"DELETE FROM {table} WHERE frame_id = ?", [(id_,) for id_ in gone])
            db.count("frames_expired" if undecided_ms is None else "frames_undecided", len(gone))
        return len(gone)
