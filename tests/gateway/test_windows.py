"""What is known of each boot: kept in memory, saved now and then, and never other than the frames tell."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from gateway.store import devices, windows
from gateway.store.database import Database
from tests.gateway.said import gap

ROWS = [[320, 0, 1800], [321, 0, 1800]]
COUNTERS = ("frames_stored", "readings_stored", "values_stored", "payload_bytes", "frames_duplicate")


def crash(household: Any) -> None:
    """The process is gone, and what it had in memory with it."""
    household.db.connection.close()
    household.db = Database(household.path)


def known(db: Database) -> list[Any]:
    """All that is known of every boot."""
    db.windows.refresh()
    rows = db.connection.execute("SELECT device_id, boot FROM window ORDER BY 1, 2").fetchall()
    boots = [db.windows.find(*row) for row in rows]
    return [
        (b.device_id, b.boot, b.window.upto, b.window.islands, b.missing, b.last_id, b.wait_id, b.clock, b.old)
        for b in boots
        if b is not None
    ]


def saved(household: Any) -> list[tuple[int, int]]:
    return household.db.connection.execute("SELECT boot, upto FROM window ORDER BY boot").fetchall()


def test_frames_that_come_in_order_are_not_written_twice(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS))
    before = saved(household)
    household.receive(*[board.rows(seq, ROWS) for seq in range(2, 20)])
    assert saved(household) == before
    assert household.receive(board.rows(1, ROWS)).acks == {(1, 1): 19}


def test_they_are_saved_now_and_then_and_when_the_database_is_closed(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(windows, "SAVE_FRAMES", 10)
    household.receive(*[board.rows(seq, ROWS) for seq in range(1, 10)])
    assert saved(household) == [(1, 0)]
    household.receive(board.rows(10, ROWS))
    assert saved(household) == [(1, 10)]
    household.receive(board.rows(11, ROWS))
    household.db.close()
    household.db = Database(household.path)
    assert saved(household) == [(1, 11)]


def test_what_a_crash_forgets_is_read_again(household: Any, board: Any):
    household.receive(board.birth(), *[board.rows(seq, ROWS, uptime_ms=seq * 20_000) for seq in (1, 2, 3, 6, 7)])
    counters, before = household.db.counters(), known(household.db)
    crash(household)
    assert known(household.db) == before
    assert {k: household.db.counters()[k] for k in COUNTERS[:4]} == {k: counters[k] for k in COUNTERS[:4]}
    assert household.receive(board.rows(7, ROWS, uptime_ms=140_000)).duplicates == 1
    assert household.receive(board.rows(4, ROWS)).acks == {(1, 1): 4}


def test_whatever_comes_and_whenever_it_crashes_the_same_is_known(household: Any, monkeypatch: pytest.MonkeyPatch):
    """Beside a twin that never crashes: frames, gaps, bad frames, births and states of two boards in any order."""
    monkeypatch.setattr(windows, "SAVE_FRAMES", 40)
    twin = type(household)(household.path.with_name("twin.sqlite"))
    rng = random.Random(7)
    boards = [household.board(f"a0b1c2d3e4f{n}") for n in range(2)]
    for b in boards:
        twin.board(b.device)
    said = []
    for b in boards:
        for boot in (1, 2, 3):
            said += [b.birth(boot), b.state(1, boot), b.say("up", bytes((1, boot, 30, 0xFF)))]
            for seq in range(1, 30):
                clock = {"time_s": 1_780_000_000 + 1000 * boot + seq} if seq > 10 else {}
                said.append(b.rows(seq, ROWS, boot=boot, uptime_ms=seq * 1000, **clock))
            said.append(gap(b, 31, 1, 1 + boot, 5 + boot, boot=boot))
    for _ in range(3):
        rng.shuffle(said)
        for at in range(0, len(said), 7):
            batch = [m for m in said[at : at + 7] if rng.random() < 0.8]
            done, other = household.receive(*batch), twin.receive(*batch)
            # A crash forgets that frames came twice; then an earlier boot without a birth is acked a turn later.
            assert done.acks | other.acks == other.acks | done.acks
            assert replace(done, acks={}) == replace(other, acks={})
            if rng.random() < 0.3:
                crash(household)
            assert known(household.db) == known(twin.db)
    kept, twins = household.db.counters(), twin.db.counters()
    assert {k: kept[k] for k in COUNTERS} == {k: twins[k] for k in COUNTERS}
    rows = "SELECT id, device_id, boot, seq, back, time_ms, label, turn, sealed FROM frame ORDER BY id"
    assert household.db.connection.execute(rows).fetchall() == twin.db.connection.execute(rows).fetchall()
    twin.db.close()


def test_what_another_process_stores_is_seen(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS))
    other = type(household)(household.path)
    assert other.receive(board.rows(1, ROWS), board.rows(2, ROWS)).acks == {(1, 1): 2}
    assert household.receive(board.rows(2, ROWS), board.rows(3, ROWS)).duplicates == 1
    assert other.receive(board.rows(4, ROWS)).acks == {(1, 1): 4}
    assert household.db.counters()["frames_stored"] == other.db.counters()["frames_stored"] == 4
    other.db.close()
    assert household.receive(board.rows(5, ROWS)).acks == {(1, 1): 5}


def test_a_command_beside_the_gateway_reads_what_is_not_saved_yet(household: Any, board: Any):
    household.receive(board.birth(), board.rows(1, ROWS))
    household.now_ms += 5000
    household.receive(board.rows(2, ROWS))
    beside = Database(household.path)
    assert devices.registry(beside)[board.device].seen_ms == household.now_ms
    assert beside.counters()["frames_stored"] == 2
    beside.close()
    assert household.receive(board.rows(3, ROWS)).acks == {(1, 1): 3}


def test_a_commit_that_is_taken_back_leaves_nothing_in_memory(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    household.receive(board.birth(), board.rows(1, ROWS))
    before, counters = known(household.db), household.db.counters()

    def fail() -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(household.db.windows, "save_changes", fail)
    with pytest.raises(RuntimeError):
        household.receive(board.rows(2, ROWS), board.rows(4, ROWS), gap(board, 5, 1, 3, 3))
    monkeypatch.undo()
    assert known(household.db) == before
    after = household.db.counters()
    assert {k: after[k] for k in COUNTERS[:4]} == {k: counters[k] for k in COUNTERS[:4]}
    assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 2}


def test_only_the_newest_boot_of_a_device_lies_among_those_that_change(household: Any, board: Any):
    for boot in (1, 3, 2, 5):
        household.receive(board.rows(1, ROWS, boot=boot))
    rows = household.db.connection.execute("SELECT old, boot FROM window ORDER BY old, boot").fetchall()
    assert rows == [(0, 5), (1, 1), (1, 2), (1, 3)]
    assert household.receive(board.birth(2), board.rows(2, ROWS, boot=2)).acks == {(1, 2): 2}


def test_more_boots_than_fit_into_memory_are_all_known(household: Any, board: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(windows, "_MAX_BOOTS", 5)
    monkeypatch.setattr(windows, "SAVE_FRAMES", 3)
    for boot in range(1, 30):
        household.receive(board.rows(1, ROWS, boot=boot), board.rows(2, ROWS, boot=boot))
    assert all(household.receive(board.rows(2, ROWS, boot=boot)).duplicates == 1 for boot in range(1, 30))
