"""The way back from stored frames: in order for sinks, the newest for the console, and fast in a large database."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from gateway.store import devices
from gateway.store.database import Database
from gateway.store.reader import FrameReader
from gateway.wire.cose import seal
from tests.gateway.said import gap

ROWS = [[320, 0, 1800], [321, 0, 1800]]
FRAMES = 300_000


def test_frames_wait_for_their_birth(household: Any, board: Any):
    reader = FrameReader(household.db)
    household.receive(board.rows(2, ROWS), board.rows(1, ROWS))
    look = reader.after(0, 10)
    assert (look.frames, look.unborn, look.last) == ([], [1, 2], 2)
    household.receive(board.birth())
    look = reader.after(0, 10)
    assert ([f.seq for f in look.frames], look.unborn, look.last) == ([2, 1], [], 2)
    assert reader.after(2, 10).last == 2


def test_all_reads_every_frame_whatever_the_limit_of_a_step(household: Any, board: Any):
    household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 1203)])
    assert [f.seq for f in FrameReader(household.db).all()] == list(range(1, 1203))


def test_the_newest_of_a_device_come_oldest_first_whatever_others_send(household: Any, board: Any):
    other = household.board("ffffffffffff")
    household.receive(board.birth(), other.birth())
    for seq in range(1, 8):
        household.receive(board.rows(seq, ROWS), *[other.rows(3 * seq - n, ROWS) for n in range(3)])
    assert [f.seq for f in FrameReader(household.db).of_device(1, 3)] == [5, 6, 7]
    assert [f.seq for f in FrameReader(household.db).of_device(2, 100)] == list(range(1, 22))


def test_they_are_of_several_boots_where_the_newest_has_too_few(household: Any, board: Any):
    household.receive(board.birth(1), board.birth(2), board.birth(3))
    household.receive(*[board.rows(seq, ROWS) for seq in (1, 2, 3)], board.rows(1, ROWS, boot=3))
    household.receive(board.rows(1, ROWS, boot=2), board.rows(2, ROWS, boot=2))
    found = FrameReader(household.db).of_device(1, 4)
    assert [(f.frame.boot, f.seq) for f in found] == [(1, 3), (2, 1), (2, 2), (3, 1)]


def test_live_frames_above_a_gap_are_shown(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS), board.rows(100, ROWS), board.rows(101, ROWS))
    assert [(f.seq, f.in_order) for f in FrameReader(household.db).of_device(1, 10)] == [
        (1, True), (100, False), (101, False),
    ]  # fmt: skip


def test_a_gap_frame_is_read_like_any_other(household: Any, board: Any):
    household.receive(board.birth(), gap(board, 2, 1, 1, 1))
    (frame,) = FrameReader(household.db).of_device(1, 10)
    assert frame.birth.fits(frame.frame)
    assert frame.frame.values == 0


def test_a_large_database_opens_at_once_and_is_read_without_a_search(household: Any):
    """300,000 frames of 50 boards: half a year of a house, or five million values of a busy one."""
    boards = [household.board(f"a0b1c2d3{n:04x}") for n in range(50)]
    household.receive(*[b.birth() for b in boards])
    payload = b"\x01\x01\x01\x1a\x6a\x18\xa5\x00\x00\x43\x00\x10\x08"
    household.receive(*[b.rows(1, ROWS, time_s=1_780_000_000) for b in boards])
    household.db.close()
    sealed = seal(bytes(range(32)), "up", payload) + bytes(60)
    db = sqlite3.connect(household.path)
    with db:
        db.executemany(
            "INSERT INTO frame VALUES (?, ?, 1, ?, 50, ?, ?, 0, NULL, ?)",
            ((n, (n - 1) % 50 + 1, (n - 1) // 50 + 1, n, n, sealed) for n in range(51, FRAMES + 1)),
        )
        db.execute("UPDATE meta SET value = ? WHERE name = 'saved_id'", (FRAMES,))
        db.execute("UPDATE window SET upto = ?, last_id = ? + device_id", (FRAMES // 50, FRAMES - 50))
    db.close()
    began = time.monotonic()
    household.db = Database(household.path)
    opened_s = time.monotonic() - began
    assert household.db.notice is None
    assert opened_s < 0.3
    household.db.connection.execute("UPDATE frame SET sealed = ? WHERE id > ?", (_whole(household), FRAMES - 50 * 1500))
    reader = FrameReader(household.db)
    began = time.monotonic()
    assert len(reader.of_device(7, 1500)) == 1500
    devices.registry(household.db)
    assert household.receive(boards[3].rows(FRAMES // 50 + 1, ROWS)).stored == 1
    assert household.receive(boards[3].rows(FRAMES // 50 + 1, ROWS)).duplicates == 1
    assert time.monotonic() - began < 1.0


def _whole(household: Any) -> bytes:
    (sealed,) = household.db.connection.execute("SELECT sealed FROM frame WHERE id = 1").fetchone()
    return bytes(sealed)
