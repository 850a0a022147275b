"""The ceiling of the database: what is oldest, and needed by no sink any more, makes room."""

from collections.abc import Collection

from gateway.store.database import Database, StoreFull

_FRAMES_A_STEP = 500
_MOST_STEPS = 20  # a call keeps the store's thread for some tenths of a second, not for minutes
_SPARE = 100  # so many-th part of the ceiling is freed at a time, so that not each commit has to make room


def used_bytes(db: Database) -> int:
    """What the database takes, without the pages in it that are free."""
    pages, free, size = (
        db.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def retain(db: Database, max_bytes: int, sinks: Collection[str] | None = None) -> int:
    """Keep the database under its ceiling: the oldest frames go that every sink has passed and that none has parked.

    `sinks`: the names that count, where the settings no longer name all that once were (None: all). Returns how many
    frames went; bounded work, so call it again while it is over. Raises StoreFull if it is over the ceiling and
    nothing may go.
    """
    if used_bytes(db) <= max_bytes:
        return 0
    gone = 0
    for _ in range(_MOST_STEPS):
        step = _expire(db, sinks)
        gone += step
        if not step or used_bytes(db) <= max_bytes - max_bytes // _SPARE:
            break
    if gone == 0:
        raise StoreFull(
            f"{db.path} holds {used_bytes(db) // 1_000_000} MB of the {max_bytes // 1_000_000} MB that it may, and "
            "nothing in it may go: a sink has not had it yet. Mend the sink, or raise [store] max_mb."
        )
    return gone


def _expire(db: Database, sinks: Collection[str] | None) -> int:
    """Delete the oldest frames that may go, a bounded number of them."""
    with db.transaction() as sql:
        db.windows.refresh()
        known = dict(sql.execute("SELECT name, cursor FROM sink"))
        counted = {name: at for name, at in known.items() if sinks is None or name in sinks}
        # The newest stays whatever happens: ids must go on from it. And what opening reads again is saved first.
        passed = min([db.windows.newest_id - 1, *counted.values()])
        parked = " ".join(
            "AND NOT EXISTS (SELECT 1 FROM parked WHERE sink = ? AND frame_id = frame.id)" for _ in counted
        )
        gone = [
            row[0]
            for row in sql.execute(
                f"SELECT id FROM frame WHERE id <= ? {parked} ORDER BY id LIMIT ?", (passed, *counted, _FRAMES_A_STEP)
            )
        ]
        if gone:
            if gone[-1] > db.windows.saved_id:
                db.windows.save_changes(at_once=True)
            sql.executemany("DELETE FROM frame WHERE id = ?", [(id_,) for id_ in gone])
            db.count("frames_expired", len(gone))
        return len(gone)
