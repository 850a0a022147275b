"""`hearthgate export`, run as a person runs it: the file is there whole or not at all, and every part says what it
did."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import pty
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.access import destination
from gateway.access.slices import AccessError
from gateway.store.database import Database
from tests.gateway.test_command import PATIENCE_S, hearthgate

NOW_S = 1_780_000_000
ROWS = [[320, 0, 1800], [321, 1, 1801]]
MANY = 40_000


@pytest.fixture
def house(household: Any, board: Any) -> Any:
    """A household whose database is that of the command's folder."""
    household.receive(board.birth(), board.rows(1, ROWS, time_s=NOW_S))
    household.receive(board.events(2, [(3, 0, 1)], time_s=NOW_S + 60, uptime_ms=60_000))
    return household


@pytest.fixture
def large(house: Any) -> Any:
    """The same, with so many frames that it takes a while."""
    house.db.close()
    with contextlib.closing(sqlite3.connect(house.path)) as sql, sql:
        sql.execute(
            "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO frame "
            "SELECT i, device_id, boot, i, 1, received_ms, time_ms, label, turn, sealed FROM n, frame WHERE id = 1",
            (MANY,),
        )
        sql.execute("UPDATE meta SET value = ? WHERE name = 'saved_id'", (MANY,))
        sql.execute("UPDATE window SET upto = ?, last_id = ?", (MANY, MANY))
    house.db = Database(house.path)
    return house


def command(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    environment = os.environ | {"COLUMNS": "120", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "export", *arguments], cwd=folder, env=environment, **options
    )


def names(folder: Path) -> set[str]:
    """What lies in the folder beside the database."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("hearthgate.sqlite")}


def test_a_file_is_written_that_only_its_owner_reads(house: Any, tmp_path: Path):
    old = os.umask(0)
    try:
        done = hearthgate(tmp_path, "export", "all.csv")
    finally:
        os.umask(old)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "Written: all.csv. 6 readings and 1 events of 1 device(s), 2026-05-28 20:26 to 2026-05-28 20:27 UTC.\n"
    )
    assert names(tmp_path) == {"all.csv"}
    assert stat.S_IMODE((tmp_path / "all.csv").stat().st_mode) == 0o600
    with (tmp_path / "all.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7


def test_what_is_not_in_it_is_told_at_the_end(house: Any, tmp_path: Path):
    other = house.board("ffffffffffff")
    unborn = house.board("eeeeeeeeeeee")
    house.receive(other.birth(), other.rows(1, ROWS), unborn.rows(1, ROWS), other.rows(2, ROWS))
    house.db.connection.execute("UPDATE frame SET sealed = x'00' WHERE id = 5")
    said = hearthgate(tmp_path, "export", "all.jsonl").stderr
    assert "12 readings and 1 events of 2 device(s)" in said
    assert "6 of them have no time" in said
    assert "1 frame(s) are not in it: their device has not said yet" in said
    assert "1 frame(s) are not in it: they are damaged" in said


def test_a_slice_is_what_the_options_say(house: Any, tmp_path: Path):
    (tmp_path / "hearthgate.toml").write_text('timezone = "Europe/Berlin"\n')
    for options, rows in (
        (("--category", "door"), 3), (("--channel", "door", "--channel", "top_shelf"), 4),
        (("--device", "a0b1c2d3e4f5"), 7), (("--from", "2026-05-28T22:27:00"), 1), (("--to", "1780000010"), 3),
        (("--from", "2026-05-28T20:26:50Z", "--to", "2026-05-28T22:27"), 3),
    ):  # fmt: skip
        done = hearthgate(tmp_path, "export", "-", "--format", "jsonl", *options)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, rows), options
    assert names(tmp_path) == {"hearthgate.toml"}


def test_an_empty_slice_is_said(house: Any, tmp_path: Path):
    assert "Nothing is in it" in hearthgate(tmp_path, "export", "a.json", "--from", "2027-01-01").stderr
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_standard_output_holds_nothing_else(house: Any, tmp_path: Path):
    done = hearthgate(tmp_path, "export", "-", "--format", "json")
    assert len(json.loads(done.stdout)) == 7
    assert done.stderr.startswith("Written: standard output. 6 readings")


def test_parquet_goes_to_standard_output_too(house: Any, tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    with command(tmp_path, "-", "--format", "parquet", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert pq.read_table(pa.BufferReader(out)).num_rows == 7


def test_a_reader_that_has_enough_ends_it_without_a_word(large: Any, tmp_path: Path):
    with command(tmp_path, "-", "--format", "csv", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"time,")
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(PATIENCE_S) == 1
    assert said == b""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-"], "add --format, for example --format csv"),
        (["a.txt"], "add --format with one of csv, json, jsonl, senml, parquet"),
        (["no/a.csv"], "Name a file in a folder that can be written"),
        (["there.csv"], "say --force"),
        (["folder.csv", "--force"], "not a file that can be written anew"),
        (["/dev/null", "--format", "csv", "--force"], "not a file that can be written anew"),
        (["a.csv", "--device", "b"], "no device 'b' was ever here; there: a0b1c2d3e4f5."),
        (["a.csv", "--category", "dor"], "there: diagnostics, door, stock, temperature."),
        (["a.csv", "--from", "yesterday"], "write it like 2026-05-28"),
        (["a.csv", "--from", "2026-02-01", "--to", "2026-01-01"], "--from is not before --to"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_leaves_nothing(
    house: Any, tmp_path: Path, arguments: list[str], why: str
):
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    done = hearthgate(tmp_path, "export", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert done.stderr.startswith("hearthgate: ")
    assert names(tmp_path) == {"there.csv", "folder.csv"}
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_force_replaces_a_file_and_makes_it_private(house: Any, tmp_path: Path):
    (tmp_path / "a.csv").write_text("mine")
    (tmp_path / "a.csv").chmod(0o644)
    assert hearthgate(tmp_path, "export", "a.csv", "--force").returncode == 0
    assert (tmp_path / "a.csv").read_text().startswith("time,")
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o600


def written(folder: Path) -> bool:
    """Whether an export is on its way there."""
    with contextlib.suppress(FileNotFoundError):
        return any(path.stat().st_size for path in folder.glob(".a.csv.*.part"))
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_interrupted_leaves_nothing_new(large: Any, tmp_path: Path, number: signal.Signals):
    for _ in range(6):
        (tmp_path / "a.csv").write_text("mine")
        with command(tmp_path, "a.csv", "--force", stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + PATIENCE_S
            while process.poll() is None and not written(tmp_path):
                assert time.monotonic() < deadline
                time.sleep(0.005)
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE_S)
        if process.returncode != 0:
            break  # else a busy machine let it end before the signal came
    assert process.returncode != 0
    assert b"Traceback" not in said
    assert names(tmp_path) == {"a.csv"}
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_a_terminal_gets_a_bar_and_a_program_does_not(large: Any, tmp_path: Path):
    ours, theirs = pty.openpty()
    with command(tmp_path, "a.csv", stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # a terminal ends so
            while piece := os.read(ours, 4096):
                seen += piece
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    assert b"%" in seen
    assert b" readings" in seen
    assert b"Written: a.csv." in seen
    assert "%" not in hearthgate(tmp_path, "export", "b.csv").stderr


def test_a_gateway_may_store_meanwhile(large: Any, board: Any, tmp_path: Path):
    with command(tmp_path, "a.jsonl", stderr=subprocess.PIPE) as process:
        seq = MANY
        while process.poll() is None:
            seq += 1
            assert large.receive(board.rows(seq, ROWS, time_s=NOW_S)).stored == 1
            time.sleep(0.02)
        assert process.stderr is not None
        assert b"Written: a.jsonl" in process.stderr.read()
    assert seq > MANY + 3


def test_only_parquet_loads_pyarrow_and_only_a_terminal_rich():
    loaded = "import sys, gateway.cli.main, gateway.cli.export; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {name for name in done.stdout.split() if name.startswith(("pyarrow", "rich.progress", "aiohttp"))}


def test_the_help_says_what_is_in_it_and_what_is_not(tmp_path: Path):
    said = " ".join(hearthgate(tmp_path, "export", "--help").stdout.split())
    assert "every reading and event" in said
    assert "commands of their own: consent and audit" in said


class TestDestination:
    def test_a_disk_that_is_full_leaves_nothing(self, tmp_path: Path):
        with (
            pytest.raises(AccessError, match="No space left on device"),
            destination.written(tmp_path / "a.csv", force=False) as out,
        ):
            out.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_appeared_meanwhile_is_not_replaced(self, tmp_path: Path):
        with (
            pytest.raises(AccessError, match="there already"),
            destination.written(tmp_path / "a.csv", force=False) as out,
        ):
            out.write(b"ours")
            (tmp_path / "a.csv").write_text("theirs")
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "theirs")]

    def test_it_shows_under_its_name_only_when_it_is_whole(self, tmp_path: Path):
        with destination.written(tmp_path / "a.csv", force=False) as out:
            out.write(b"whole")
            assert not (tmp_path / "a.csv").exists()
        assert (tmp_path / "a.csv").read_bytes() == b"whole"

    def test_signals_mean_what_they_meant_before(self, tmp_path: Path):
        before = signal.getsignal(signal.SIGTERM)
        with destination.written(tmp_path / "a.csv", force=False):
            assert signal.getsignal(signal.SIGTERM) != before
        assert signal.getsignal(signal.SIGTERM) == before
