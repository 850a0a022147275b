"""kill -9 while frames are committed: what was reported is there, windows agree with frames, and the rest can come."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.store.database import Database
from tests.gateway.said import gap

ROWS = [[320, 0, 1800], [321, 0, 1800]]
ROUNDS = 6

WRITER = """
import sys
from pathlib import Path
from gateway.app.examine import examine
from gateway.store import devices, frames, windows
from gateway.store.database import Database
windows.SAVE_FRAMES = 50
lines = sys.stdin.read().split()
db = Database(Path(sys.argv[1]))
if sys.argv[2] == "held":
    assert db.hold()
db.connection.execute("PRAGMA wal_autocheckpoint=30")
known = devices.registry(db)
for at in range(0, len(lines), 4):
    batch = [line.split("@") for line in lines[at : at + 4]]
    done = frames.commit(db, [examine(topic, bytes.fromhex(body), known, 1_780_000_000_000) for topic, body in batch])
    print(at, *(f"{d}/{b}/{upto}" for (d, b), upto in done.acks.items()), flush=True)
"""


def messages(household: Any) -> list[tuple[str, bytes]]:
    """Two boards, two boots each: frames in and out of order, repeated, a gap, a frame that cannot be read."""
    rng = random.Random(11)
    said = []
    for board in (household.board(), household.board("ffffffffffff")):
        for boot in (1, 2):
            mine = [board.birth(boot)]
            for seq in range(1, 400):
                clock = {"time_s": 1_780_000_000 + 20 * seq - 100_000 * (2 - boot)} if seq > 5 else {}
                mine.append(board.rows(seq, ROWS, boot=boot, uptime_ms=20_000 * seq, **clock))
            mine[200] = board.say("up", bytes((1, boot, 0x18, 200, 0xFF)))
            mine[300:304] = [gap(board, 305, boot, 300, 303, boot=boot, uptime_ms=6_050_000)]
            del mine[302]
            for at in range(0, len(mine), 9):
                part = mine[at : at + 9]
                rng.shuffle(part)
                mine[at : at + 9] = part
            said.append(mine)
    mixed = []
    while any(said):
        mine = rng.choice([m for m in said if m])
        mixed.append(mine.pop(0))
        if rng.random() < 0.1:
            mixed.append(rng.choice(mixed))
    return mixed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["shared", "held"])
def test_what_was_acked_is_there_after_kill_9_however_often(household: Any, how: str):
    said = messages(household)
    text = "\n".join(f"{topic}@{body.hex()}" for topic, body in said)
    acked: dict[tuple[int, int], int] = {}
    household.db.close()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    rng = random.Random(3)
    for n in range(ROUNDS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(household.path), how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        assert writer.stdin
        assert writer.stdout
        writer.stdin.write(text)
        writer.stdin.close()
        lines = [writer.stdout.readline()]
        if n < ROUNDS - 1:
            time.sleep(rng.random() * 0.2)
            writer.kill()
        lines += writer.stdout.read().split("\n")[:-1]
        writer.wait()
        for line in lines:
            for ack in line.split()[1:]:
                device_id, boot, upto = map(int, ack.split("/"))
                acked[device_id, boot] = max(upto, acked.get((device_id, boot), 0))
        household.db = Database(household.path)
        agrees(household, acked)
        household.db.close()
    household.db = Database(household.path)
    assert sorted(acked.values()) == [399] * 4
    assert household.db.counters()["frames_stored"] == household.count("frame")


def agrees(household: Any, acked: dict[tuple[int, int], int]) -> None:
    """Every number that was acked is a frame, a gap or a dead letter, and once; and the windows say what is here."""
    db = household.db
    sql = db.connection
    assert db.notice is None
    assert sql.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    here: dict[tuple[int, int], list[int]] = {}
    for device_id, boot, seq in sql.execute("SELECT device_id, boot, seq FROM frame"):
        here.setdefault((device_id, boot), []).append(seq)
    dead = sql.execute("SELECT count(*) FROM dead_letter WHERE reason = 'bad_frame'").fetchone()[0]
    for key, seqs in here.items():
        assert len(seqs) == len(set(seqs))
        window = db.windows.find(*key).window
        known = set(seqs) | ({200} if 200 in window else set())
        if 305 in seqs:
            known |= set(range(300, 304))
        listed = set(range(1, window.upto + 1)) | {s for a, b in window.islands for s in range(a, b + 1)}
        assert listed == known
        assert window.upto >= acked.get(key, 0)
        untimed = sql.execute(
            "SELECT count(*) FROM frame WHERE device_id = ? AND boot = ? AND seq <= ? AND time_ms IS NULL",
            (*key, window.upto),
        ).fetchone()[0]
        assert untimed == 0 or db.windows.find(*key).clock.offset_s is None
    assert dead == sum(200 in db.windows.find(*key).window for key in here)
