"""The store: what is committed is on disk, each frame once, whatever comes in whatever order; and the file itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.store import database, devices, frames
from gateway.store.database import APPLICATION_ID, Database, StoreError
from gateway.store.frames import DeadLetter, FrameReader, StateChange
from gateway.store.window import MAX_ISLANDS

ROWS = [[320, 0, 1800], [321, 0, 1800]]
CHANGED = [[320, 0, 1800], [999, 0, 1800]]


class TestFrames:
    def test_a_frame_is_stored_once_however_often_it_comes(self, household: Any, board: Any):
        frame = board.rows(1, ROWS)
        done = household.receive(frame, frame)
        assert (done.stored, done.duplicates, done.acks) == (1, 1, {(1, 1): 1})
        done = household.receive(frame)
        assert (done.stored, done.duplicates, done.acks) == (0, 1, {(1, 1): 1})
        assert household.count("frame") == 1
        assert household.dead() == []
        counters = household.db.counters()
        assert [counters[k] for k in ("frames_stored", "frames_duplicate", "readings_stored", "values_stored")] == [
            1,
            2,
            2,
            6,
        ]
        assert counters["payload_bytes"] == len(frame[1])

    def test_what_is_kept_are_the_sealed_bytes(self, household: Any, board: Any):
        frame = board.rows(1, ROWS)
        household.receive(frame)
        assert household.db.connection.execute("SELECT sealed FROM frame").fetchall() == [(frame[1],)]

    def test_acks_say_only_what_is_here_without_a_gap(self, household: Any, board: Any):
        assert household.receive(board.rows(1, ROWS), board.rows(3, ROWS)).acks == {(1, 1): 1}
        assert household.receive(board.rows(4, ROWS)).acks == {(1, 1): 1}
        assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 4}
        assert household.receive(board.rows(4, ROWS)).acks == {(1, 1): 4}

    def test_boots_and_boards_have_windows_of_their_own(self, household: Any, board: Any):
        other = household.board("ffffffffffff")
        done = household.receive(
            board.rows(1, ROWS), board.rows(1, ROWS, boot=2), other.rows(1, ROWS), other.rows(2, ROWS)
        )
        assert done.stored == 4
        assert done.acks == {(1, 1): 1, (1, 2): 1, (2, 1): 2}

    def test_a_number_used_twice_is_a_dead_letter_and_the_first_frame_stays(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        done = household.receive(board.rows(1, CHANGED))
        assert (done.stored, done.dead, done.acks) == (0, 1, {(1, 1): 1})
        assert household.dead() == [("seq_reused", 1)]
        assert [f.frame.columns[0] for f in _read(household, board)] == [[320, 321]]

    def test_a_frame_that_cannot_be_read_is_set_aside_and_acked_so_that_it_does_not_come_for_ever(
        self, household: Any, board: Any
    ):
        for payload in (b"\x01\x01\x02\xff", b"\x01\x01\x02\xf6\x00", b"\x01\x01\x02\xf9\x3c\x00"):
            poison = board.say("up", payload)
            household.receive(board.rows(1, ROWS))
            done = household.receive(poison, board.rows(3, ROWS))
            assert done.acks == {(1, 1): 3}
        assert household.dead()[0] == ("bad_frame", 1)
        (kept,) = household.db.connection.execute("SELECT payload FROM dead_letter WHERE id = 1").fetchone()
        assert kept == board.say("up", b"\x01\x01\x02\xff")[1]
        assert [f.seq for f in _read(household, board)] == [1, 3]

    def test_a_frame_that_is_not_of_its_birth_is_set_aside_and_acked(self, household: Any, board: Any):
        household.receive(board.birth())
        done = household.receive(board.rows(1, [[1, 2]]), board.events(2, [(60, 0, 1)]), board.rows(3, ROWS))
        assert (done.stored, done.dead, done.acks) == (1, 2, {(1, 1): 3})
        assert household.dead() == [("not_of_birth", 1), ("not_of_birth", 1)]

    def test_a_frame_beyond_the_open_gaps_is_neither_stored_nor_acked(self, household: Any, board: Any):
        gappy = [board.rows(3 + 2 * i, ROWS) for i in range(MAX_ISLANDS)]
        household.receive(*gappy)
        done = household.receive(board.rows(5000, ROWS))
        assert (done.stored, done.deferred, done.acks) == (0, 1, {(1, 1): 0})
        assert household.count("frame") == MAX_ISLANDS
        household.receive(board.rows(1, ROWS), board.rows(2, ROWS))
        assert household.receive(board.rows(5000, ROWS)).stored == 1

    def test_a_commit_that_fails_leaves_nothing_behind(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        def fail(*_: Any) -> None:
            raise RuntimeError("power cut")

        monkeypatch.setattr(frames, "_birth", fail)
        with pytest.raises(RuntimeError):
            household.receive(board.rows(1, ROWS), board.birth())
        assert household.count("frame") == 0
        assert household.db.counters() == {}
        monkeypatch.undo()
        assert household.receive(board.rows(1, ROWS), board.birth()).stored == 1

    def test_a_full_disk_is_told_and_the_store_works_again_when_there_is_room(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        (pages,) = household.db.connection.execute("PRAGMA page_count").fetchone()
        household.db.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            household.receive(*[board.events(seq, [(i % 4, i, i * i) for i in range(256)]) for seq in range(2, 60)])
        household.db.connection.execute("PRAGMA max_page_count = 1000000")
        assert household.receive(board.rows(2, ROWS)).acks == {(1, 1): 2}
        assert household.count("frame") == 2


class TestBirths:
    def test_a_birth_that_comes_again_changes_nothing_and_is_answered_with_the_ack(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(1, ROWS))
        done = household.receive(board.birth())
        assert (done.dead, done.acks) == (0, {(1, 1): 1})

    def test_a_birth_that_changes_its_mind_is_a_dead_letter_and_the_first_holds(self, household: Any, board: Any):
        household.receive(board.birth(name="Kitchen"))
        done = household.receive(board.birth(name="Cellar"))
        assert done.dead == 1
        assert household.dead() == [("birth_changed", 1)]
        assert devices.newest_birth(household.db, 1).name == "Kitchen"

    def test_a_new_boot_may_be_born_otherwise(self, household: Any, board: Any):
        household.receive(board.birth(boot=1, name="Kitchen"), board.birth(boot=2, name="Cellar"))
        assert household.dead() == []
        assert devices.newest_birth(household.db, 1).name == "Cellar"

    def test_each_frame_is_read_with_the_birth_of_its_boot(self, household: Any, board: Any):
        fewer = board.channels[:1]
        household.receive(board.birth(boot=1), board.birth(boot=2, channels=fewer))
        household.receive(board.rows(1, ROWS, boot=1), board.rows(1, [[5], [6]], boot=2))
        assert [[c.name for _, c in f.birth.series] for f in _read(household, board)] == [
            ["fridge_temp", "door", "top_shelf"],
            ["fridge_temp"],
        ]


class TestTimes:
    def test_a_time_says_how_it_is_known(self, household: Any, board: Any):
        household.receive(board.birth(), board.rows(1, ROWS, uptime_ms=5_250))
        (frame,) = _read(household, board)
        assert frame.start() == (household.now_ms - 10_000, "arrival")  # the last of two rows came now
        household.receive(board.rows(2, ROWS, uptime_ms=65_250, time_s=1_780_000_000))
        first, second = _read(household, board)
        assert first.start() == (1_780_000_000_250 - 60_000, "placed")
        assert second.start() == (1_780_000_000_250, "measured")

    def test_events_without_a_clock_are_put_so_that_the_last_one_came_now(self, household: Any, board: Any):
        household.receive(board.birth(), board.events(1, [(3, 0, 1), (3, 4_000, 0)]))
        (frame,) = _read(household, board)
        assert frame.start() == (household.now_ms - 4_000, "arrival")

    def test_another_boot_says_nothing_about_the_clock(self, household: Any, board: Any):
        household.receive(board.birth(boot=1), board.birth(boot=2))
        household.receive(board.rows(1, ROWS, boot=1), board.rows(1, ROWS, boot=2, time_s=1_780_000_000))
        assert [f.start()[1] for f in _read(household, board)] == ["arrival", "measured"]


class TestDeadLetters:
    def test_the_same_bytes_again_only_count_up(self, household: Any):
        for _ in range(5):
            household.receive(("hg/1/ffffffffffff/up", b"junk"))
        assert household.dead() == [("unknown_device", 5)]
        assert household.db.counters()["dead_letters"] == 5

    def test_their_number_is_bounded_and_the_newest_stay(self, household: Any, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(frames, "MAX_DEAD_LETTERS", 20)
        for i in range(50):
            household.receive(("hg/1/ffffffffffff/up", b"junk %d" % i))
        assert household.count("dead_letter") == 20
        (newest,) = household.db.connection.execute(
            "SELECT payload FROM dead_letter ORDER BY id DESC LIMIT 1"
        ).fetchone()
        assert newest == b"junk 49"

    def test_a_strangers_megabyte_is_cut_off(self, household: Any):
        household.receive(("hg/1/ffffffffffff/up", bytes(1_000_000)), ("x" * 5000, b""))
        kept = household.db.connection.execute(
            "SELECT size, length(payload), length(topic) FROM dead_letter"
        ).fetchall()
        assert kept == [(1_000_000, 4096, 20), (0, 0, 128)]

    def test_strangers_do_not_push_out_what_a_known_board_was_acked_for(
        self, household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(frames, "MAX_DEAD_LETTERS", 20)
        poison = board.say("up", b"\x01\x01\x01\xff")
        assert household.receive(poison).acks == {(1, 1): 1}
        for i in range(50):
            household.receive(("hg/1/ffffffffffff/up", b"junk %d" % i))
        kept = household.db.connection.execute("SELECT payload FROM dead_letter WHERE reason = 'bad_frame'").fetchall()
        assert kept == [(poison[1],)]


class TestDevices:
    def test_a_state_is_remembered(self, household: Any, board: Any):
        household.receive(board.state(1))
        assert devices.registry(household.db)[board.device].online
        frames.commit(household.db, [StateChange(1, 1, online=False, received_ms=5)])
        assert not devices.registry(household.db)[board.device].online

    def test_an_old_state_that_somebody_kept_changes_nothing(self, household: Any, board: Any):
        old = board.state(0, boot=1)
        household.receive(board.birth(boot=2), board.state(1, boot=2), old)
        assert devices.registry(household.db)[board.device].online

    def test_a_revoked_device_is_refused_and_what_it_sent_is_kept(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        devices.revoke(household.db, board.device, household.now_ms)
        assert household.receive(board.rows(2, ROWS)).stored == 0
        assert household.dead() == [("revoked_device", 1)]
        assert household.count("frame") == 1

    def test_a_device_that_is_enrolled_again_keeps_its_row_and_gets_its_new_key(self, household: Any, board: Any):
        household.receive(board.rows(1, ROWS))
        devices.revoke(household.db, board.device, household.now_ms)
        again = household.board(key=bytes(32))
        assert household.receive(again.rows(2, ROWS)).acks == {(1, 1): 2}
        assert household.receive(board.rows(3, ROWS)).dead == 1

    @pytest.mark.parametrize("name", ["", "a0b1c2d3e4f", "A0B1C2D3E4F5", "a0b1c2d3e4f5\n", "kitchen", "../../../etc"])
    def test_only_a_device_id_can_be_enrolled(self, household: Any, name: str):
        with pytest.raises(StoreError, match="12 lower-case hex digits"):
            devices.enrol(household.db, name, "x", 0)

    @pytest.mark.parametrize("size", [0, 15, 65])
    def test_a_key_that_a_board_would_refuse_is_refused_here(self, household: Any, size: int):
        with pytest.raises(StoreError, match="16 to 64 bytes"):
            devices.enrol(household.db, "a0b1c2d3e4f5", "x", 0, bytes(size))

    def test_unknown_devices_cannot_be_revoked(self, household: Any):
        with pytest.raises(StoreError, match="devices list"):
            devices.revoke(household.db, "a0b1c2d3e4f5", 0)

    def test_a_key_is_never_shown(self, household: Any, board: Any):
        assert board.key.hex() not in repr(devices.registry(household.db))
        assert repr(board.key) not in repr(devices.registry(household.db))

    def test_command_counters_only_grow_and_survive(self, household: Any, board: Any):
        assert [devices.next_command(household.db, 1) for _ in range(3)] == [1, 2, 3]
        household.db.close()
        household.db = Database(household.path)
        devices.enrol(household.db, board.device, "again", 0, bytes(32))
        assert devices.next_command(household.db, 1) == 4

    def test_revisions_grow_with_every_change_and_are_seen_by_another_connection(self, household: Any, board: Any):
        other = Database(household.path)
        before = other.revision("devices")
        devices.revoke(household.db, board.device, 0)
        assert other.revision("devices") == before + 1
        devices.enrol(household.db, board.device, "x", 0)
        assert other.revision("devices") == before + 2
        assert other.revision("never heard of") == 0
        other.close()


class TestDatabase:
    def test_it_opens_twice_with_the_same_secret_and_content(self, tmp_path: Path):
        path = tmp_path / "deep" / "er" / "h.sqlite"
        first = Database(path)
        devices.enrol(first, "a0b1c2d3e4f5", "x", 0)
        secret = first.secret
        first.close()
        second = Database(path)
        assert second.secret == secret
        assert len(secret) == 32
        assert list(devices.registry(second)) == ["a0b1c2d3e4f5"]
        assert second.connection.execute("PRAGMA user_version").fetchone() == (len(database.migrations()),)
        assert second.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        second.close()

    def test_only_its_owner_can_read_it(self, tmp_path: Path):
        path = tmp_path / "h.sqlite"
        db = Database(path)
        devices.enrol(db, "a0b1c2d3e4f5", "x", 0)
        for file in tmp_path.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file.name
        db.close()

    def test_a_migration_that_fails_leaves_the_version_before_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        path = tmp_path / "h.sqlite"
        Database(path).close()
        steps = [*database.migrations(), "CREATE TABLE more (x);\nCREATE TABLE more (x);\n"]
        monkeypatch.setattr(database, "migrations", lambda: steps)
        with pytest.raises(StoreError):
            Database(path)
        monkeypatch.setattr(database, "migrations", lambda: [*steps[:-1], "CREATE TABLE more (x);\n"])
        db = Database(path)
        assert db.connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
        db.close()

    @pytest.mark.parametrize(
        "script",
        [
            "PRAGMA application_id = 7; CREATE TABLE theirs (x)",
            "PRAGMA user_version = 3; CREATE TABLE theirs (x)",
            "CREATE TABLE theirs (x)",
            "CREATE TABLE device (id)",
        ],
    )
    def test_another_programs_database_is_left_as_it_is(self, tmp_path: Path, script: str):
        path = tmp_path / "theirs.sqlite"
        theirs = sqlite3.connect(path)
        theirs.executescript(script)
        theirs.close()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="another program's database"):
            Database(path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["theirs.sqlite"]

    def test_a_newer_database_is_left_as_it_is(self, tmp_path: Path):
        path = tmp_path / "h.sqlite"
        db = Database(path)
        db.connection.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(StoreError, match="newer Hearthgate"):
            Database(path)

    def test_what_is_no_database_is_told(self, tmp_path: Path):
        path = tmp_path / "h.sqlite"
        path.write_bytes(b"a letter to a friend " * 100)
        with pytest.raises(StoreError, match="not a database"):
            Database(path)
        with pytest.raises(StoreError, match=str(tmp_path)):
            Database(tmp_path)

    def test_its_application_id_is_readable_by_file(self):
        assert APPLICATION_ID.to_bytes(4, "big") == b"HGAT"

    def test_it_is_as_durable_as_it_says(self, household: Any):
        assert household.db.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert household.db.connection.execute("PRAGMA synchronous").fetchone() == (2,)


class TestReader:
    def test_frames_wait_for_their_birth_and_for_the_gap_before_them(self, household: Any, board: Any):
        reader = FrameReader(household.db)
        household.receive(board.rows(2, ROWS), board.rows(1, ROWS))
        assert reader.after(0, 10) == ([], [1, 2], 2)
        household.receive(board.birth())
        ready, waiting, cursor = reader.after(0, 10)
        assert ([f.seq for f in ready], waiting, cursor) == ([1, 2], [], 2)
        household.receive(board.rows(4, ROWS))
        ready, waiting, cursor = reader.after(cursor, 10)
        assert (ready, waiting, cursor) == ([], [3], 3)
        household.receive(board.rows(3, ROWS))
        assert [f.seq for f in reader.all()] == [1, 2, 3, 4]

    def test_all_reads_every_frame_whatever_the_limit_of_a_step(self, household: Any, board: Any):
        household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 1203)])
        assert [f.seq for f in FrameReader(household.db).all()] == list(range(1, 1203))

    def test_the_newest_of_a_device_come_oldest_first(self, household: Any, board: Any):
        household.receive(board.birth(), *[board.rows(seq, ROWS) for seq in range(1, 8)])
        assert [f.seq for f in FrameReader(household.db).of_device(1, 3)] == [5, 6, 7]


WRITER = """
import sys
from gateway.app.examine import examine
from gateway.store import devices, frames
from gateway.store.database import Database
from pathlib import Path
lines = sys.stdin.read().split()
db = Database(Path(sys.argv[1]))
for at in range(0, len(lines), 3):
    batch = [("hg/1/a0b1c2d3e4f5/up", bytes.fromhex(line)) for line in lines[at : at + 3]]
    done = frames.commit(db, [examine(*m, devices.registry(db), 0) for m in batch])
    print(done.acks[1, 1], flush=True)
"""


def test_what_was_acked_is_there_after_kill_9_and_the_board_can_send_the_rest_again(household: Any, board: Any):
    sealed = [board.rows(seq, ROWS, uptime_ms=seq) for seq in range(1, 1501)]
    household.db.close()
    for after_s in (0.0, 0.05):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(household.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        assert writer.stdin
        assert writer.stdout
        writer.stdin.write("\n".join(payload.hex() for _, payload in sealed))
        writer.stdin.close()
        acked = int(writer.stdout.readline())
        time.sleep(after_s)
        writer.kill()
        said = writer.stdout.read().split("\n")
        acked = max([acked, *(int(line) for line in said[:-1])])
        writer.wait()
        household.db = Database(household.path)
        here = [seq for (seq,) in household.db.connection.execute("SELECT seq FROM frame ORDER BY seq")]
        assert 0 < acked < len(sealed)
        assert here == list(range(1, len(here) + 1))
        assert len(here) >= acked
        assert household.db.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        household.db.close()
    household.db = Database(household.path)
    done = household.receive(*sealed)
    assert done.stored + done.duplicates == len(sealed)
    assert done.acks == {(1, 1): len(sealed)}
    assert household.dead() == []


def test_every_kind_of_dead_letter_is_counted_by_its_reason(household: Any, board: Any):
    frames.commit(household.db, [DeadLetter("t", b"1", "one", "", 0), DeadLetter("t", b"2", "two", "", 0)])
    counters = household.db.counters()
    assert [counters[f"dead_letters{k}"] for k in ("", ".one", ".two")] == [2, 1, 1]


def _read(household: Any, board: Any) -> list[frames.StoredFrame]:
    household.receive(board.birth())
    return list(FrameReader(household.db).all())
