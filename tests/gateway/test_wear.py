"""What a commit writes to the disk: an SD card wears with every page, so each page that a commit touches is a reason.

Run alone, `python tests/gateway/test_wear.py FOLDER` prints the figures of every page size.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store import database, devices, frames
from gateway.store.database import Database
from gateway.store.frames import SealedFrame
from gateway.wire.cose import seal
from gateway.wire.frame import decode
from tools import onboard

BOARDS = 50
COMMITS = 200
NOW_S = 1_780_000_000
KEY = bytes(32)
# Rows that make frames of about so many bytes.
ROWS = {55: 3, 90: 19}


def written_bytes() -> int:
    """What this process has dirtied of pages that go to a disk, each time that it did."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(fields["write_bytes"])


def bytes_a_frame(path: Path, page_bytes: int, size: int, per_commit: int) -> tuple[float, float]:
    """(bytes written a frame, mean size of a frame) of commits by 50 boards, far from the first and from a restart."""
    database.PAGE_BYTES = page_bytes
    db = Database(path)
    rng = random.Random(1)
    rows = [devices.enrol(db, f"a0b1c2d3{n:04x}", "x", 0, KEY).id for n in range(BOARDS)]
    frame = onboard.load("frame")
    columns = frame.Columns(6, ROWS[size])
    framer = frame.Framer(6, ROWS[size])
    seqs = dict.fromkeys(rows, 0)
    written = sizes = 0
    for n in range(2 * COMMITS):
        if n == COMMITS:
            # What is in the log is written to the file sooner or later: a whole round of it is counted.
            db.connection.execute("PRAGMA wal_checkpoint")
            written, sizes = written_bytes(), 0
        batch = []
        for device_id in rng.sample(rows, per_commit):
            seqs[device_id] = seq = seqs[device_id] + 1
            columns.clear()
            for _ in range(ROWS[size]):
                columns.add([rng.randint(320, 323) for _ in range(6)])
            head = 3, seq, NOW_S + 60 * seq, 60_000 * seq, 10_000
            sealed = seal(KEY, "up", bytes(framer.columns(*head, columns)))
            batch.append(SealedFrame(device_id, "t", 3, seq, sealed, (NOW_S + 60 * n) * 1000, decode(sealed[8:-9])))
            sizes += len(sealed)
        assert frames.commit(db, batch).stored == per_commit
    db.connection.execute("PRAGMA wal_checkpoint")
    written = written_bytes() - written
    db.close()
    return written / COMMITS / per_commit, sizes / COMMITS / per_commit


def measure(folder: Path, *what: int) -> tuple[float, float]:
    """The same in a process of its own, whose bytes are nobody else's."""
    script = (
        f"from tests.gateway.test_wear import *; print(*bytes_a_frame(Path({str(folder / 'w.sqlite')!r}), *{what}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    ).stdout
    a_frame, size = map(float, out.split())
    return a_frame, size


@pytest.mark.parametrize(("size", "per_commit", "most"), [(55, 50, 400), (90, 10, 1200)])
def test_a_frame_costs_the_disk_little_more_than_its_bytes(tmp_path: Path, size: int, per_commit: int, most: int):
    a_frame, mean = measure(tmp_path, database.PAGE_BYTES, size, per_commit)
    if a_frame == 0:
        pytest.skip("this folder is in memory: nothing is written to a disk")
    assert abs(mean - size) < 8
    assert a_frame < most


if __name__ == "__main__":
    for per in (10, 50):
        for wanted in (55, 90):
            for page in (512, 1024, 2048, 4096):
                place = Path(sys.argv[1]) / f"{per}-{wanted}-{page}"
                place.mkdir(parents=True)
                cost, mean_size = measure(place, page, wanted, per)
                print(f"{per} frames of {mean_size:.0f} bytes a commit, pages of {page}: {cost:.0f} bytes a frame")
