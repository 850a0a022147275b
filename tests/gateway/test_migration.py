"""Databases that earlier versions wrote (tests/data, as SQL): each is opened, migrated once, and opened again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import rekeying
from gateway.app.inbox import Arrived, Message
from gateway.consent import audit, register
from gateway.consent.vocabulary import Vocabulary
from gateway.forward.queue import SinkQueue
from gateway.store import crashes, devices, frames, migration, updates
from gateway.store.database import Database, StoreError, migrations
from gateway.store.reader import FrameReader
from gateway.update.rollout import State
from tests.gateway.conftest import FRIDGE as FRIDGE_CHANNELS
from tests.gateway.conftest import Board, Household
from tests.gateway.said import read

DATA = Path(__file__).resolve().parents[1] / "data"
NOW_MS = 1_780_000_480_000
MINUTE = [[320 + i, i % 2, 1800] for i in range(6)]
FRIDGE = "a0b1c2d3e4f5"


def written(name: str, folder: Path) -> Path:
    """The database as that version left it."""
    path = folder / "hearthgate.sqlite"
    db = sqlite3.connect(path)
    db.executescript((DATA / name).read_text(encoding="utf-8"))
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    return path


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Household]:
    house = Household(written("001-troubled.sql", tmp_path))
    house.now_ms = NOW_MS
    yield house
    house.db.close()


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.sql")))
def test_an_old_database_is_opened_twice_and_all_is_there(tmp_path: Path, name: str):
    path = written(name, tmp_path)
    old = sqlite3.connect(path)
    frames = old.execute("SELECT id, device_id, boot, seq, received_ms, sealed FROM frame ORDER BY id").fetchall()
    births = old.execute("SELECT device_id, boot, birth FROM boot WHERE birth IS NOT NULL ORDER BY 1, 2").fetchall()
    columns = {
        table: ", ".join(row[1] for row in old.execute(f"PRAGMA table_info({table})"))
        for table in ("device", "consent_grant", "sink", "parked", "outbox", "bucket", "horizon", "dead_letter")
    }
    kept = {t: old.execute(f"SELECT {named} FROM {t} ORDER BY 1, 2").fetchall() for t, named in columns.items()}
    counters = dict(old.execute("SELECT name, n FROM counter"))
    (secret,) = old.execute("SELECT value FROM meta WHERE name = 'household_secret'").fetchone()
    (version,) = old.execute("PRAGMA user_version").fetchone()
    where = "boot" if version == 1 else "window"
    windows = {
        (d, b): (upto, json.loads(i or "[]"))
        for d, b, upto, i in old.execute(f"SELECT device_id, boot, upto, islands FROM {where}")
    }
    old.close()
    for _ in range(2):
        db = Database(path)
        sql = db.connection
        assert sql.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert db.notice is None
        now = sql.execute("SELECT id, device_id, boot, seq, received_ms, sealed FROM frame ORDER BY id").fetchall()
        assert now == frames
        assert sql.execute("SELECT device_id, boot, birth FROM boot ORDER BY 1, 2").fetchall() == births
        now = {t: sql.execute(f"SELECT {named} FROM {t} ORDER BY 1, 2").fetchall() for t, named in columns.items()}
        assert now == kept
        assert db.counters() == counters
        assert db.secret == secret
        found = {key: db.windows.find(*key) for key in windows}
        assert {k: (b.window.upto, [list(i) for i in b.window.islands]) for k, b in found.items() if b} == windows
        assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert sql.execute("PRAGMA foreign_key_check").fetchall() == []
        for device in devices.registry(db).values():
            assert len(FrameReader(db).of_device(device.id, 1000)) == sum(
                row[1] == device.id and (row[1], row[2]) in {birth[:2] for birth in births} for row in frames
            )
        db.close()


def test_grants_from_before_there_were_versions_hold_and_have_a_history(tmp_path: Path):
    house = Household(written("002-busy.sql", tmp_path))
    house.now_ms = NOW_MS + 1_000_000
    raw, hourly, revoked = sorted(register.grants(house.db), key=lambda grant: grant.id)
    assert [len(register.versions(house.db, g.id)) for g in (raw, hourly, revoked)] == [1, 1, 1]
    assert [event.act.value for event in register.history(house.db, raw.id)] == ["given"]
    cloud = house.queue()
    waiting = cloud.depth()
    assert waiting > 0
    cloud.delivered(cloud.take())
    kinds = [row[0] for row in house.db.connection.execute("SELECT kind FROM ledger ORDER BY n")]
    assert kinds == ["sending", "delivered"]
    assert register.pause(house.db, hourly.id, house.now_ms).paused_ms == house.now_ms
    register.change(house.db, raw.id, house.now_ms, Vocabulary.standard(), text="I still agree.")
    first, second = register.versions(house.db, raw.id)
    assert (first.version, first.text, second.version) == (1, raw.text, 2)  # what was agreed to then is still there
    house.db.close()


def test_a_key_that_was_being_changed_still_is_and_what_waited_goes_on(tmp_path: Path):
    house = Household(written("004-keys.sql", tmp_path))
    house.now_ms = NOW_MS
    (name, rekey), *rest = rekeying.pending(house.db).items()
    assert (name, rest) == (FRIDGE, [])
    board, mute = Board(FRIDGE, bytes(range(32)), FRIDGE_CHANNELS), Board("ffffffffffff", bytes(range(1, 33)), ())
    assert rekey.next.key != board.key
    cloud = house.queue()
    waiting = cloud.depth()
    assert waiting > 0
    assert house.count("parked") == 2
    later = Board(FRIDGE, rekey.next.key, FRIDGE_CHANNELS)
    keys = rekeying.NextKeys()
    keys.refresh(house.db)
    batch = [Arrived(Message(*later.rows(6, MINUTE, time_s=NOW_MS // 1000, uptime_ms=360_000)), house.now_ms)]
    frames.commit(house.db, keys.examine_all(batch, devices.registry(house.db)))
    keys.settle(house.db)
    assert rekeying.pending(house.db) == {}
    assert devices.registry(house.db)[FRIDGE].key == later.key
    # What a board sealed whose birth had not come: it comes now, and its frame before the hole can be decided on.
    mute.channels = FRIDGE_CHANNELS
    house.receive(mute.birth(), mute.rows(2, MINUTE[:1], time_s=NOW_MS // 1000, uptime_ms=120_000))
    while cloud.fill():
        pass
    assert house.count("parked") == 0
    assert cloud.depth() > waiting
    assert audit.verify(house.db, [audit.head(house.db)]).ok
    house.db.close()


def test_an_update_that_was_under_way_still_is(tmp_path: Path):
    house = Household(written("005-updates.sql", tmp_path))
    house.now_ms = NOW_MS
    rows = updates.rows(house.db)
    assert {device: (row.state, row.done) for device, row in rows.items()} == {
        FRIDGE: (State.LOADING, 20),
        "ffffffffffff": (State.WAIT, 0),
    }
    image = updates.find_image(house.db, "fridge-sim 2566")
    assert (image.sequence, image.firmware, len(image.files)) == (rows[FRIDGE].sequence, "0.2.0", 2)
    assert [crash.crash.nth for crash in crashes.newest(house.db, 1)] == [1]
    cloud = house.queue()
    waiting = cloud.depth()
    while cloud.fill():  # a grant that reaches back, given while the old version ran
        pass
    assert cloud.depth() > waiting
    assert audit.verify(house.db, [audit.head(house.db)]).ok
    house.db.close()


def test_a_ledger_from_before_keys_could_change_still_verifies_and_goes_on(tmp_path: Path):
    house = Household(written("003-consent.sql", tmp_path))
    anchor = audit.head(house.db)
    assert audit.verify(house.db, [anchor]).ok
    stock = next(grant for grant in register.grants(house.db) if grant.category == "stock")
    assert [version.version for version in register.versions(house.db, stock.id)] == [1, 2]
    register.take_back(house.db, stock.id, NOW_MS + 2_000_000)
    assert audit.head(house.db).n == anchor.n + 1
    house.db.close()


def test_a_steady_house_goes_on_as_if_nothing_had_been(tmp_path: Path):
    house = Household(written("001-steady.sql", tmp_path))
    house.now_ms = NOW_MS
    assert {f.label for f in read(house)} == {"measured"}
    assert {f.turn == f.id for f in read(house)} == {True}
    board = Board(FRIDGE, bytes(range(32)), house_channels())
    queue = SinkQueue(
        house.db, register.Register(house.db), "cloud", "manufacturer", ["product-improvement"], lambda: NOW_MS
    )
    assert (queue.backlog(), queue.depth()) == (0, 3)
    done = house.receive(board.rows(8, MINUTE, time_s=NOW_MS // 1000 - 60, uptime_ms=420_000))
    assert (done.duplicates, done.acks) == (1, {(1, 1): 8})
    done = house.receive(board.rows(9, MINUTE, time_s=NOW_MS // 1000, uptime_ms=480_000))
    assert (done.stored, done.acks) == (1, {(1, 1): 9})
    house.db.close()


def house_channels() -> Any:
    from tests.gateway.conftest import FRIDGE as CHANNELS

    return CHANNELS


def test_times_are_those_that_the_frames_would_get_today(troubled: Household):
    told = {(f.frame.boot, f.seq): (f.time_ms, f.label) for f in read(troubled) if f.device == FRIDGE}
    start_ms = 1_780_000_000_000
    # without a clock at first, then 40 s ahead; the last lies above a gap
    assert told[1, 1] == (start_ms + 40_000, "placed")
    assert told[1, 2] == (start_ms + 95_000, "placed")
    assert told[1, 3] == (start_ms + 100_000, "placed")
    assert told[1, 4] == (start_ms + 160_000, "measured")
    assert told[1, 6] == (None, "arrival")
    # began with an earlier clock than that of the boot before
    assert [told[2, seq] for seq in (1, 2)] == [(start_ms + 240_000, "measured"), (start_ms + 300_000, "measured")]
    # years ahead, and of a clock that was never set; no birth, and no clock
    assert {told[3, 1], told[3, 2]} == {(None, "arrival")}
    turns = {(f.frame.boot, f.seq): (f.turn, f.id) for f in read(troubled) if f.device == FRIDGE}
    assert [turns[1, seq] for seq in (1, 2, 3, 4)] == [(4, 1), (4, 2), (4, 4), (4, 3)]


def test_what_waited_in_the_old_version_goes_on_in_the_new(troubled: Household):
    board = Board(FRIDGE, bytes(range(32)), house_channels())
    queue = troubled.queue()
    while queue.fill():
        pass
    assert troubled.count("parked") == 3  # above a gap, and without a birth
    done = troubled.receive(
        board.birth(4),
        board.rows(5, MINUTE, time_s=1_780_000_220, uptime_ms=180_000),
        board.rows(3, MINUTE, boot=4, time_s=NOW_MS // 1000, uptime_ms=120_000),
    )
    assert done.acks == {(1, 1): 6, (1, 4): 3}
    while queue.fill():
        pass
    assert troubled.count("parked") == 0
    slow = troubled.queue("slow")
    while slow.fill():
        pass
    assert slow.backlog() == 0
    # the newest two of boot 1 were measured by a clock that was ahead, and run into boot 2: nobody can say when
    assert [f.seq for f in read(troubled) if f.frame.boot == 1 and f.time_ms is None] == [5, 6]
    bodies = [json.loads(event.body) for event in slow.take(1000)]
    raw = [(e["source"], e["time"]) for e in bodies if "values" in e["data"]]
    assert len(raw) == len(set(raw)) == 3 + 4 + 3 + 2  # boots 1, 2 and 4, and the other board
    assert len({e["id"] for e in bodies}) == len(bodies)


CRASHING = """
import sys, os
from pathlib import Path
from gateway.store import migration
from gateway.store.database import Database
give, left = migration._give, [int(sys.argv[2])]
def count(*args):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    give(*args)
migration._give = count
Database(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [1, 9])
def test_a_migration_that_is_killed_is_done_again(tmp_path: Path, after: int):
    path = written("001-troubled.sql", tmp_path)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", CRASHING, path, str(after)], check=False, env=env).returncode == -9
    before = sqlite3.connect(path)
    assert before.execute("PRAGMA user_version").fetchone() == (1,)
    before.close()
    db = Database(path)
    assert db.connection.execute("SELECT count(*) FROM frame WHERE time_ms IS NOT NULL").fetchone() == (10,)
    db.close()


def test_a_migration_that_fails_leaves_the_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = written("001-troubled.sql", tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(migration, "_boot", fail)
    with pytest.raises(StoreError):
        Database(path)
    monkeypatch.undo()
    Database(path).close()


def test_a_year_of_frames_is_migrated_in_reasonable_time(tmp_path: Path):
    """One write for each frame, and no search through the others."""
    path = written("001-steady.sql", tmp_path)
    old = sqlite3.connect(path)
    sealed = old.execute("SELECT sealed FROM frame WHERE id = 1").fetchone()[0]
    with old:
        old.executemany(
            "INSERT INTO frame (device_id, boot, seq, received_ms, sealed) VALUES (1, 1, ?, ?, ?)",
            ((seq, NOW_MS + seq * 60_000, sealed) for seq in range(9, 20_009)),
        )
        old.execute("UPDATE boot SET upto = 20008")
    old.close()
    began = time.monotonic()
    db = Database(path)
    assert time.monotonic() - began < 20
    assert db.windows.newest_id == 20_008
    db.close()
