"""`hearthgate broker` and what `hearthgate devices` tells Mosquitto, as processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from gateway.broker.access import mqtt_password
from gateway.broker.folder import BrokerFolder
from tests.broker_house import DEVICE

PATIENCE_S = 20.0


def hearthgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path, free_port: int) -> Path:
    """A folder with a household whose broker is set up, and one board."""
    assert hearthgate(tmp_path, "devices", "add", DEVICE, "--write-key", "board.key").returncode == 0
    done = hearthgate(tmp_path, "broker", "setup", "--host", "pi.local", "--port", str(free_port))
    assert done.returncode == 0, done.stderr
    section = done.stdout.partition("     [broker]\n")[2].partition("3. Boards")[0]
    lines = ["[broker]", *(line.strip() for line in section.splitlines())]
    (tmp_path / "hearthgate.toml").write_text("\n".join(lines))
    (tmp_path / "said").write_text(done.stdout)
    return tmp_path


@pytest.fixture
def running(home: Path) -> Iterator[BrokerFolder]:
    """Its Mosquitto runs, by the command that setup named."""
    command = (home / "said").read_text().partition("or, to try: ")[2].splitlines()[0].split()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait((home / "broker" / "mosquitto.pid").exists)
        time.sleep(0.2)
        yield BrokerFolder(home / "broker")
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def test_what_it_prints_is_a_settings_file_that_works_and_holds_no_secret(home: Path, running: BrokerFolder):
    said = (home / "said").read_text()
    for secret in (running.password("gateway"), running.password("look"), mqtt_password(key(home))):
        assert secret not in said
    doctor = hearthgate(home, "doctor").stdout
    assert "answers" in doctor
    assert "the broker's certificate is good until" in doctor
    assert "BAD" not in doctor


def key(home: Path) -> bytes:
    return bytes.fromhex((home / "board.key").read_text())


def test_the_doctor_tells_what_runs_out_and_what_does_not_fit(home: Path, running: BrokerFolder):
    running.renew(datetime.now(UTC) - timedelta(days=720))
    doctor = hearthgate(home, "doctor")
    assert "hearthgate broker renew" in doctor.stdout
    assert "Nothing is wrong" not in doctor.stdout
    assert doctor.returncode == 1
    (home / "broker" / "gateway.password").write_text("x\n")
    assert "do not fit together" in hearthgate(home, "doctor").stdout


def test_a_board_comes_in_when_it_is_added_and_is_out_when_it_is_revoked(home: Path, running: BrokerFolder):
    port = int((home / "said").read_text().partition("port = ")[2].split()[0])
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=DEVICE)
    client.username_pw_set(DEVICE, mqtt_password(key(home)))
    client.tls_set(str(running.path / "ca.crt"))
    ended: list[float] = []
    client.on_disconnect = lambda *_: ended.append(time.monotonic())
    client.connect("localhost", port)
    client.loop_start()
    wait(client.is_connected)
    other = hearthgate(home, "devices", "add", "5e0000000002", "--write-key", "other.key")
    assert "Mosquitto was told" in other.stdout
    assert client.is_connected()
    done = hearthgate(home, "devices", "revoke", DEVICE)
    assert "Mosquitto was told" in done.stdout
    wait(lambda: bool(ended))
    client.loop_stop()
    # Without the gateway's own user there is no way back in.
    assert DEVICE not in (running.path / "passwords").read_text()


def test_the_authority_is_changed_by_two_commands(home: Path, running: BrokerFolder):
    first = running.ca()
    assert "give it to each board" in hearthgate(home, "broker", "rotate-ca").stdout
    assert running.ca() != first
    assert "is being changed" in hearthgate(home, "doctor").stdout
    # Nobody has told this board of it.
    refused = hearthgate(home, "broker", "rotate-ca", "--finish")
    assert refused.returncode == 2
    assert DEVICE in refused.stderr
    assert "--force" in refused.stderr
    assert running.ca().startswith(first)
    assert "Mosquitto was told" in hearthgate(home, "broker", "rotate-ca", "--finish", "--force").stdout
    assert not running.ca().startswith(first)
    assert "Mosquitto was told" in hearthgate(home, "broker", "renew").stdout
    assert "answers" in hearthgate(home, "doctor").stdout


def test_a_key_that_is_being_changed_is_shown(home: Path):
    assert "is told its new key" in hearthgate(home, "devices", "rotate", DEVICE).stdout
    assert "being changed already" in hearthgate(home, "devices", "rotate", DEVICE).stderr
    assert json.loads(hearthgate(home, "devices", "list", "--json").stdout)[0]["new_key_since_ms"] > 0


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path):
    done = hearthgate(tmp_path, "broker", "renew")
    assert done.returncode == 2
    assert "hearthgate broker setup" in done.stderr
    assert "Traceback" not in done.stderr


def wait(reached: object) -> None:
    assert callable(reached)
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
