"""What a migration does beyond its SQL, in the same transaction: it is done whole, or the next start does it again."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby

from gateway.store.clock import ARRIVAL, Clock, Neighbours, Span
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import decode

_Row = tuple[int, int, int, int, int, bytes]  # device_id, boot, seq, id, received_ms, sealed


def after(db: sqlite3.Connection, version: int) -> None:
    """Finish the migration to a schema version."""
    if version == 2:
        _to_2(db)


def _to_2(db: sqlite3.Connection) -> None:
    """Times, turns, chains and windows of version 1's frames, as if they had come in now, in the order of numbers."""
    rows: Iterator[_Row] = db.execute(
        "SELECT device_id, boot, seq, id, received_ms, sealed FROM frame ORDER BY device_id, boot, seq"
    )
    ends_ms: list[int | None] = []
    last_device = 0
    for (device_id, boot), of_boot in groupby(rows, key=lambda row: row[:2]):
        if device_id != last_device:
            last_device = device_id
            ends_ms.clear()
        ends_ms.append(_boot(db, device_id, boot, list(of_boot), ends_ms))
    (newest,) = db.execute("SELECT coalesce(max(id), 0) FROM frame").fetchone()
    db.execute("INSERT OR REPLACE INTO meta VALUES ('saved_id', ?)", (newest,))
    db.execute(
        "UPDATE window SET seen_ms = max(seen_ms, coalesce((SELECT seen_ms FROM device WHERE id = device_id), 0)) "
        "WHERE old = 0"
    )


def _boot(db: sqlite3.Connection, device_id: int, boot: int, rows: list[_Row], ends_ms: list[int | None]) -> int | None:
    """Fill in the frames and the window of one boot; return when its last reading was taken, if that is known."""
    (upto,) = db.execute("SELECT upto FROM window WHERE device_id = ? AND boot = ?", (device_id, boot)).fetchone()
    clock = Clock()
    turn = 0
    timeless: list[tuple[int, int, Span]] = []
    waiting: list[int] = []
    for _, _, seq, id_, received_ms, sealed in rows:
        turn = max(turn, id_)
        try:
            span = Span.of(decode(split(sealed)))
        except WireError:
            continue
        if seq > upto:
            waiting.append(id_)
            continue
        time = clock.place(span, received_ms, Neighbours.of(ends_ms, (), received_ms))
        if clock.offset_s is None:
            timeless.append((id_, received_ms, span))
            continue
        for early_id, early_ms, early in timeless:
            _give(db, early_id, turn, clock.place(early, early_ms, Neighbours.of(ends_ms, (), early_ms)))
        timeless.clear()
        _give(db, id_, turn, time)
    waiting += [id_ for id_, _, _ in timeless]
    before = 0
    for id_ in sorted(row[3] for row in rows):
        if before:
            db.execute("UPDATE frame SET back = ? WHERE id = ?", (id_ - before, id_))
        before = id_
    db.execute(
        "UPDATE window SET last_id = ?, wait_id = ?, offset_s = ?, begin_ms = ?, end_ms = ?, ahead_ms = ?, "
        "seen_ms = max(seen_ms, ?) WHERE device_id = ? AND boot = ?",
        (
            before, min(waiting, default=None), clock.offset_s, clock.begin_ms, clock.end_ms, clock.ahead_ms,
            max(row[4] for row in rows), device_id, boot,
        ),
    )  # fmt: skip
    return clock.end_ms


def _give(db: sqlite3.Connection, id_: int, turn: int, time: tuple[int, int] | None) -> None:
    if time is None:
        time_ms, label = None, ARRIVAL
    else:
        time_ms, label = time
    db.execute(
        "UPDATE frame SET time_ms = ?, label = ?, turn = ? WHERE id = ?",
        (time_ms, label, turn if turn > id_ else None, id_),
    )
