"""Gives stored frames their time, in the order of their numbers, as soon as every frame before them is known."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.store.clock import ARRIVAL, Neighbours, Span
from gateway.store.windows import Boot, Windows
from gateway.wire.cose import split
from gateway.wire.errors import WireError
from gateway.wire.frame import Frame, decode

CHAIN = (
    "WITH RECURSIVE chain (id, back) AS (SELECT id, back FROM frame WHERE id = ? UNION ALL "
    "SELECT frame.id, frame.back FROM chain JOIN frame ON frame.id = chain.id - chain.back "
    "WHERE chain.back > 0 AND frame.id >= ? LIMIT ?)"
)
"""The frames of a boot from an id back to another, so many at the most (-1: all), newest first: each names the one
before it, so no index is needed and what other boards sent in between is not read."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: int
    seq: int
    received_ms: int
    span: Span


def time_of(windows: Windows, boot: Boot, seq: int, frame: Frame, received_ms: int) -> tuple[int | None, int]:
    """(time_ms, label) of a frame that is about to be stored; its number is in the window already.

    A frame above a gap waits: what its clock says holds only after what those before it say.
    """
    if seq > boot.window.upto:
        return None, ARRIVAL
    return _place(windows, boot, Span.of(frame), received_ms) or (None, ARRIVAL)


def give_times(sql: sqlite3.Connection, windows: Windows, boot: Boot, turn: int) -> None:
    """Give the frames that wait and that no gap keeps any more their time. In the transaction that closes the gap, or
    that brings the boot's first clock; `turn` is the id of the frame that did."""
    waiting = sorted(_waiting(sql, boot), key=lambda w: w.seq)
    timeless: list[_Waiting] = []
    for frame in waiting:
        if frame.seq > boot.window.upto:
            break
        time = _place(windows, boot, frame.span, frame.received_ms)
        if boot.clock.offset_s is None:
            timeless.append(frame)
            continue
        # The first of a boot that tells the time tells it for those before it too.
        for before in timeless:
            _give(sql, before.id, turn, _place(windows, boot, before.span, before.received_ms))
        timeless.clear()
        _give(sql, frame.id, turn, time)
    boot.wait_id = min([w.id for w in waiting if w.seq > boot.window.upto] + [w.id for w in timeless], default=None)


def _place(windows: Windows, boot: Boot, span: Span, received_ms: int) -> tuple[int, int] | None:
    # The boots beside it count for a boot's first reading, and as long as it can run into one that came before it.
    beside = windows.beside(boot, received_ms) if boot.old or boot.clock.end_ms is None else Neighbours()
    return boot.clock.place(span, received_ms, beside)


def _give(sql: sqlite3.Connection, id_: int, turn: int, time: tuple[int, int] | None) -> None:
    if time is not None:
        later = turn if turn > id_ else None
        sql.execute("UPDATE frame SET time_ms = ?, label = ?, turn = ? WHERE id = ?", (*time, later, id_))


def _waiting(sql: sqlite3.Connection, boot: Boot) -> Iterator[_Waiting]:
    rows = sql.execute(
        f"{CHAIN} SELECT frame.id, seq, received_ms, sealed FROM chain JOIN frame USING (id) WHERE time_ms IS NULL",
        (boot.last_id, boot.wait_id, -1),
    )
    for id_, seq, received_ms, sealed in rows:
        try:
            yield _Waiting(id_, seq, received_ms, Span.of(decode(split(sealed))))
        except WireError:
            continue  # damaged on the disk: it has no time to give
