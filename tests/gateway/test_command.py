"""The `hearthgate` command, run as a person runs it: errors are sentences, and every part says what it did."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_S = 40.0


def hearthgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_device_is_added_listed_and_revoked(tmp_path: Path):
    assert "No device yet" in hearthgate(tmp_path, "devices", "list").stdout
    added = hearthgate(tmp_path, "devices", "add", "5e0000000002", "--name", "Kitchen", "--write-key", "k.key")
    assert added.returncode == 0
    key = tmp_path / "k.key"
    assert len(bytes.fromhex(key.read_text().strip())) == 32
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text().strip() not in added.stdout + added.stderr
    (listed,) = json.loads(hearthgate(tmp_path, "devices", "list", "--json").stdout)
    assert (listed["device"], listed["name"], listed["revoked"]) == ("5e0000000002", "Kitchen", False)
    assert hearthgate(tmp_path, "devices", "revoke", "5e0000000002").returncode == 0
    assert json.loads(hearthgate(tmp_path, "devices", "list", "--json").stdout)[0]["revoked"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("devices", "add", "kitchen", "--write-key", "k"), "12 lower-case hex digits"),
        (("devices", "add", "5e0000000002"), "--write-key"),
        (("devices", "revoke", "5e0000000009"), "devices list"),
        (("consent", "revoke", "g-0"), "consent list"),
        (("--settings", "nowhere.toml", "devices", "list"), "nowhere.toml"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...], says: str):
    done = hearthgate(tmp_path, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_grant_is_given_listed_and_taken_back(tmp_path: Path):
    words = ("--recipient", "manufacturer", "--category", "temperature", "--purpose", "service", "--subject", "Ada")
    given = hearthgate(tmp_path, "consent", "grant", *words, "--hours", "08:00-20:00", "--yes")
    assert given.returncode == 0
    assert "only between 08:00 and 20:00" in given.stdout
    assert "no sink in the settings" in given.stderr
    (grant,) = json.loads(hearthgate(tmp_path, "consent", "list", "--json").stdout)
    assert grant["text"] in given.stdout
    assert hearthgate(tmp_path, "consent", "revoke", grant["id"]).returncode == 0
    assert "Nothing leaves this house" in hearthgate(tmp_path, "consent", "list").stdout


def test_a_grant_that_nobody_agreed_to_is_not_given(tmp_path: Path):
    words = ("--recipient", "manufacturer", "--category", "temperature", "--purpose", "service", "--subject", "Ada")
    assert hearthgate(tmp_path, "consent", "grant", *words).returncode == 1
    assert json.loads(hearthgate(tmp_path, "consent", "list", "--json").stdout) == []


def test_bad_settings_name_the_line(tmp_path: Path):
    (tmp_path / "hearthgate.toml").write_text('[broker]\nhost = "localhost"\nprot = 1883\n')
    done = hearthgate(tmp_path, "run")
    assert done.returncode == 2
    assert "hearthgate.toml, line 3: broker.prot" in done.stderr


@pytest.mark.parametrize("part", ["broker", "console"])
def test_a_taken_port_is_a_sentence(tmp_path: Path, taken: int, part: str):
    ports = {"broker": free_port(), "console": free_port()} | {part: taken}
    (tmp_path / "hearthgate.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nbuiltin = true\nport = {ports["broker"]}\n'
        f"[console]\nport = {ports['console']}\n"
    )
    done = hearthgate(tmp_path, "run")
    assert done.returncode == 2
    assert str(taken) in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_what_to_mend(tmp_path: Path):
    (tmp_path / "hearthgate.toml").write_text(f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n')
    done = hearthgate(tmp_path, "doctor")
    assert done.returncode == 1
    assert "systemctl start mosquitto" in done.stdout
    assert "no device is enrolled" in done.stdout


def test_run_waits_for_a_broker_that_is_not_there_and_stops_when_asked(tmp_path: Path):
    (tmp_path / "hearthgate.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n[console]\nenabled = false\n'
    )
    command = [sys.executable, "-m", "gateway", "run"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "Is it running" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    assert "Is it running" in log.read_text()
    assert "Traceback" not in log.read_text()
