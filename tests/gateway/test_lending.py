"""The gateway has the database for itself and lends it to commands: real processes, killed at bad moments too."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.app.borrowing import address, borrowed, socket_path
from gateway.app.lending import SoleGateway
from gateway.store import devices
from gateway.store.database import Database, StoreError

PATIENCE_S = 40.0
DEVICE = "5e0000000002"
# The check of the file comes at once, and nothing waits long: else each test would take half a minute.
RUN = """
from gateway.app import gateway, lending
gateway._CHECK_AFTER_S = 0.0
lending.QUIET_S, lending.AGAIN_S = 0.4, 0.4
seen = gateway.Gateway.consent_changed
async def changed(self):
    await seen(self)
    print("changed", len(await self.store(gateway.devices.registry, self.db)), flush=True)
gateway.Gateway.consent_changed = changed
from gateway.cli.main import main
main()
"""
# Borrows, writes without committing, says so, and stays until it is killed.
STAY = """
import sys, time
from pathlib import Path
from gateway.cli.opened import opened_at
with opened_at(Path(sys.argv[1])) as db:
    db.connection.execute("BEGIN IMMEDIATE")
    db.connection.execute("DELETE FROM device")
    print("writing", flush=True)
    time.sleep(60)
"""
ENVIRONMENT = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`hearthgate run` in a folder, with a broker that is not there; killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "hearthgate.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\n[console]\nenabled = false\n'
    )
    with (
        (folder / "log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-c", RUN, "run"], cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log
        ) as process,
    ):
        try:
            yield process  # type: ignore[misc]
        finally:
            process.kill()
    assert "Traceback" not in (folder / "log").read_text()


def hearthgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def add(folder: Path, device: str = DEVICE) -> subprocess.CompletedProcess[str]:
    return hearthgate(folder, "devices", "add", device, "--name", "Kitchen", "--write-key", f"{device}.key")


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shm(folder: Path) -> Path:
    return folder / "hearthgate.sqlite-shm"


def held(folder: Path) -> bool:
    """Whether no other process gets in; looked at in a process of its own, as SQLite's locks are of a process."""
    if not socket_path(folder / "hearthgate.sqlite").exists():
        return False  # it is locked for a moment while it is made, too
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT 1 FROM meta')"
    command = [sys.executable, "-c", look, str(folder / "hearthgate.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "database is locked" in done.stderr


def devices_in(folder: Path) -> list[str]:
    return [device["device"] for device in json.loads(hearthgate(folder, "devices", "list", "--json").stdout)]


def test_a_gateway_has_its_database_for_itself_and_no_index_on_disk(tmp_path: Path):
    with gateway(tmp_path):
        until(lambda: held(tmp_path))
        assert not shm(tmp_path).exists()
        assert (tmp_path / "hearthgate.sqlite.sock").stat().st_mode & 0o777 == 0o600


def test_a_command_beside_it_is_let_in_and_what_it_changed_is_seen(tmp_path: Path):
    with gateway(tmp_path):
        until(lambda: held(tmp_path))
        added = add(tmp_path)
        assert added.returncode == 0, added.stderr
        assert "changed 1" in (tmp_path / "log").read_text()  # before the command ended
        assert devices_in(tmp_path) == [DEVICE]
        assert (tmp_path / "log").read_text().count("changed 1") == 1  # to look is no change
        doctor = hearthgate(tmp_path, "doctor")
        assert "0 frames stored" in doctor.stdout
        until(lambda: held(tmp_path))
        assert not shm(tmp_path).exists()


def test_two_commands_at_once_are_both_let_in(tmp_path: Path):
    with gateway(tmp_path), contextlib.ExitStack() as stack:
        until(lambda: held(tmp_path))
        other = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "gateway", "devices", "add", "ffffffffffff", "--write-key", "f.key"],
                cwd=tmp_path,
                env=ENVIRONMENT,
            )
        )
        assert add(tmp_path).returncode == 0
        assert other.wait(PATIENCE_S) == 0
        assert sorted(devices_in(tmp_path)) == [DEVICE, "ffffffffffff"]
        until(lambda: held(tmp_path))


def test_a_gateway_that_was_killed_while_it_held_the_database_starts_again(tmp_path: Path):
    for life in range(3):
        with gateway(tmp_path) as process:
            until(lambda: held(tmp_path))
            assert add(tmp_path, f"5e000000000{life}").returncode == 0
            until(lambda: held(tmp_path))
            process.kill()
            process.wait()
            assert socket_path(tmp_path / "hearthgate.sqlite").exists()  # stale: nobody listens
            assert len(devices_in(tmp_path)) == life + 1


def test_a_command_that_is_killed_while_it_borrows_has_given_it_back(tmp_path: Path):
    with gateway(tmp_path):
        until(lambda: held(tmp_path))
        assert add(tmp_path).returncode == 0
        with subprocess.Popen(
            [sys.executable, "-c", STAY, str(tmp_path / "hearthgate.sqlite")],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdout
            assert command.stdout.readline() == "writing\n"
            assert not held(tmp_path)
            command.send_signal(signal.SIGKILL)
        until(lambda: held(tmp_path))
        assert devices_in(tmp_path) == [DEVICE]


@pytest.mark.parametrize("said", [b"", b"junk\n", b"[1]\n", b"[" * 4000 + b"\n", b"x" * 100_000])
def test_who_borrows_and_talks_nonsense_has_given_it_back(tmp_path: Path, said: bytes):
    with gateway(tmp_path):
        until(lambda: held(tmp_path))
        with socket.socket(socket.AF_UNIX) as link, address(socket_path(tmp_path / "hearthgate.sqlite")) as where:
            link.connect(where)
            assert link.recv(100) == b'{"ready": true}\n'
            with contextlib.suppress(BrokenPipeError):
                link.sendall(said)
        until(lambda: held(tmp_path))


def test_a_second_gateway_is_refused_at_once(tmp_path: Path):
    with gateway(tmp_path):
        for ready in (lambda: socket_path(tmp_path / "hearthgate.sqlite").exists(), lambda: held(tmp_path)):
            until(ready)
            began = time.monotonic()
            second = hearthgate(tmp_path, "run")
            assert second.returncode == 2
            assert "another gateway runs on hearthgate.sqlite" in second.stderr
            assert time.monotonic() - began < 8
        assert add(tmp_path).returncode == 0  # the first goes on


def test_a_gateway_waits_where_another_process_has_the_file_open(tmp_path: Path):
    path = tmp_path / "hearthgate.sqlite"
    Database(path).close()
    with contextlib.closing(sqlite3.connect(path)) as other, gateway(tmp_path):
        other.execute("SELECT count(*) FROM meta").fetchone()
        until(lambda: "frames are kept" in (tmp_path / "log").read_text())
        time.sleep(1.5)
        assert add(tmp_path).returncode == 0
        assert other.execute("SELECT device FROM device").fetchall() == [(DEVICE,)]
        other.close()
        until(lambda: held(tmp_path))


def test_a_long_path_is_no_hindrance(tmp_path: Path):
    folder = tmp_path / ("kitchen-" * 12) / ("kitchen-" * 12)
    folder.mkdir(parents=True)
    with gateway(folder):
        until(lambda: held(folder))
        path = folder / "hearthgate.sqlite"
        with borrowed(path) as loan, contextlib.closing(Database(path)) as db:
            devices.enrol(db, DEVICE, "Kitchen", 1, None)
            loan.changed = True
        assert "changed 1" in (folder / "log").read_text()


def test_only_one_gateway_at_a_time(tmp_path: Path):
    first = SoleGateway(tmp_path / "new" / "db.sqlite")
    with pytest.raises(StoreError, match="another gateway runs"):
        SoleGateway(tmp_path / "new" / "db.sqlite")
    SoleGateway(tmp_path / "new" / "other.sqlite").release()
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "new" / "db.sqlite")
    with pytest.raises(StoreError, match=r"another gateway runs on .*link"):
        SoleGateway(tmp_path / "link.sqlite")
    first.release()
    SoleGateway(tmp_path / "new" / "db.sqlite").release()
