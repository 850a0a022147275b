"""The `hearthgate` command, run as a person runs it: errors are sentences, and every part says what it did."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.wire.cose import open_sealed
from gateway.wire.downlink import Ack, decode_ack

PATIENCE_S = 40.0


def hearthgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`hearthgate run` in a folder; what it logs goes to the file `log` there."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with (folder / "log").open("a") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run"], cwd=folder, env=environment, stderr=out, text=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def logged(folder: Path, text: str) -> bool:
    """Whether it logs that within our patience."""
    deadline = time.monotonic() + PATIENCE_S
    while text not in (folder / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    return text in (folder / "log").read_text()


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


def test_a_key_that_cannot_be_written_is_given_to_no_device(tmp_path: Path):
    words = ("devices", "add", "5e0000000002", "--write-key")
    assert "Name a new file" in hearthgate(tmp_path, *words, "nowhere/k.key").stderr
    assert "No device yet" in hearthgate(tmp_path, "devices", "list").stdout
    assert hearthgate(tmp_path, *words, "k.key").returncode == 0
    assert (tmp_path / "k.key").stat().st_mode & 0o777 == 0o600
    key = (tmp_path / "k.key").read_text()
    assert "File exists" in hearthgate(tmp_path, *words, "k.key").stderr
    assert (tmp_path / "k.key").read_text() == key
    (tmp_path / "empty.key").touch(0o644)  # what is there stays readable by whoever can read it
    assert "Name a new file" in hearthgate(tmp_path, *words, "empty.key").stderr
    assert (tmp_path / "empty.key").read_text() == ""
    assert hearthgate(tmp_path, "devices", "add", "kitchen", "--write-key", "other.key").returncode == 2
    assert not (tmp_path / "other.key").exists()


def test_a_folder_without_a_household_says_so(tmp_path: Path):
    first = hearthgate(tmp_path, "devices", "list")
    assert "a new household begins here" in first.stderr
    assert hearthgate(tmp_path, "devices", "list").stderr == ""


def test_a_mistyped_command_is_answered_with_the_one_that_is_near(tmp_path: Path):
    for typed, meant in (("fash", "flash"), ("devcies", "devices"), ("rnu", "run")):
        done = hearthgate(tmp_path, typed)
        assert done.returncode == 2
        assert f"Did you mean '{meant}'?" in done.stderr


def test_help_names_what_is_in_brackets_and_keeps_completion_to_the_whole(tmp_path: Path):
    setup = hearthgate(tmp_path, "broker", "setup", "--help").stdout
    assert "[broker] folder" in setup
    assert "--install-completion" not in hearthgate(tmp_path, "devices", "--help").stdout
    assert "--install-completion" in hearthgate(tmp_path, "--help").stdout


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
    assert "`hearthgate broker setup` sets one up" in done.stdout
    assert "no device is enrolled" in done.stdout


def test_the_doctor_tells_of_what_is_missing_full_or_set_aside(tmp_path: Path, household: Any, board: Any):
    from tools import onboard

    gap = onboard.load("frame").gap_frame(2, 1, None, 0, 1, 5, 11)
    household.receive(board.birth(), board.rows(1, [[320, 0, 1500]]), board.say("up", gap))
    aside = tmp_path / "hearthgate.sqlite.damaged-20260101T000000"
    for end in ("", "-wal"):
        aside.with_name(aside.name + end).write_bytes(bytes(2_000_000))
    (tmp_path / "hearthgate.toml").write_text(f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n')
    said = hearthgate(tmp_path, "doctor").stdout
    assert "Kitchen fridge (a0b1c2d3e4f5) lost 7 frame(s)" in said
    assert "0 of 4096 MB used" in said
    assert said.count("was set aside (2 MB)") == 1


def test_a_household_is_carried_to_a_second_gateway(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    hearthgate(first, "devices", "add", "5e0000000002", "--name", "Kitchen", "--write-key", "k.key")
    file = first / "household.json"
    exported = hearthgate(first, "household", "export", "household.json")
    assert exported.returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    key = (first / "k.key").read_text().strip()
    assert key in file.read_text().lower()
    assert key not in exported.stdout
    taken = hearthgate(second, "household", "import", str(file))
    assert (taken.returncode, "1 new device(s), 0 new grant(s)" in taken.stdout) == (0, True)
    assert json.loads(hearthgate(second, "devices", "list", "--json").stdout)[0]["name"] == "Kitchen"
    again = hearthgate(first, "household", "export", "household.json")
    assert again.returncode == 2
    assert "Name a new file" in again.stderr
    other = tmp_path / "other"
    other.mkdir()
    hearthgate(other, "devices", "add", "5e0000000009", "--write-key", "k.key")
    refused = hearthgate(other, "household", "import", str(file))
    assert refused.returncode == 2
    assert "another household already" in refused.stderr


def test_every_command_is_listed_and_says_what_it_is_for(tmp_path: Path):
    said = hearthgate(tmp_path, "--help").stdout
    for command in ("run", "demo", "devices", "consent", "audit", "household", "doctor"):
        assert f" {command} " in said
    assert "import" in hearthgate(tmp_path, "household", "--help").stdout
    assert hearthgate(tmp_path, "nonsense").returncode == 2


def test_a_gateway_that_starts_loads_nothing_that_it_does_not_need(tmp_path: Path):
    heavy = ("nicegui", "fastapi", "aiohttp", "amqtt", "rich.console")
    loaded = "import sys, gateway.cli.main, gateway.cli.running; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {name for name in done.stdout.split() if name.startswith(heavy)}


def test_run_waits_for_a_broker_that_is_not_there_and_stops_when_asked(tmp_path: Path):
    (tmp_path / "hearthgate.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n[console]\nenabled = false\n'
    )
    with running(tmp_path) as process:
        assert logged(tmp_path, "Is it running")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


async def _next(client: aiomqtt.Client, board: Any) -> Ack:
    message = await asyncio.wait_for(anext(client.messages), PATIENCE_S)
    return decode_ack(open_sealed(board.key, "ack", message.payload))


@pytest.mark.asyncio
async def test_a_gateway_that_is_stopped_commits_what_has_come(
    tmp_path: Path, household: Any, board: Any, mosquitto: Callable[[], Any]
):
    port = mosquitto().port
    (tmp_path / "hearthgate.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\n[console]\nport = {free_port()}\n'
    )
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(f"hg/1/{board.device}/ack")
        topic, payload = board.birth()
        await client.publish(topic, payload, qos=1, retain=True)
        with running(tmp_path) as process:
            assert (await _next(client, board)).upto == ((1, 0),)
            assert await asyncio.to_thread(logged, tmp_path, "open http://")
            topic, payload = board.rows(1, [[320, 0, 1500]])
            await client.publish(topic, payload, qos=1)
            await asyncio.sleep(0.5)  # nobody looks: it waits for its window, which is two minutes
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            ack = await _next(client, board)
            assert (ack.upto, ack.wait_s) == (((1, 1),), 120)
            assert time.monotonic() - asked < 5
            assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0
    assert household.count("frame") == 1
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.asyncio
async def test_a_gateway_that_was_killed_goes_on(
    tmp_path: Path, household: Any, board: Any, mosquitto: Callable[[], Any]
):
    port = mosquitto().port
    (tmp_path / "hearthgate.toml").write_text(
        f'[store]\nquiet_commit_window_s = 1\n[broker]\nhost = "127.0.0.1"\nport = {port}\n[console]\nenabled = false\n'
    )
    frames = [board.rows(seq, [[320 + seq, 0, 1500]]) for seq in range(1, 31)]
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(f"hg/1/{board.device}/ack")
        topic, payload = board.birth()
        await client.publish(topic, payload, qos=1, retain=True)
        upto = 0
        for life in (1, 2, 3):
            with running(tmp_path) as process:
                ack = await _next(client, board)
                assert ack.upto[0][1] >= upto  # what was acked before the kill still is
                for topic, payload in frames[upto : 10 * life]:
                    await client.publish(topic, payload, qos=1)
                while upto < 10 * life:
                    upto = (await _next(client, board)).upto[0][1]
                process.kill()
    seqs = household.db.connection.execute("SELECT seq FROM frame ORDER BY id").fetchall()
    assert seqs == [(seq,) for seq in range(1, 31)]
