"""`hearthgate flash --cable usb`: the port that the board is flashed on is its link afterwards, and the gateway's.

The real command, a real gateway, and a virtual board on a pseudo-terminal. Alone: pytest
tests/emulated/test_flash_cable.py (about a minute).
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.flash import flashing
from gateway.flash.remote import Remote
from gateway.store import devices
from gateway.store.database import Database
from tests.emulated.test_flash import BOARD, HEARTHGATE, command, environment
from tools.serial_board import CHIP_ID, SerialBoard


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path / "flash") as board:
        yield board


@contextlib.contextmanager
def gateway(folder: Path, url: str | None) -> Iterator[None]:
    """`hearthgate run`, with a broker that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = f'[broker]\nhost = "127.0.0.1"\nport = {port}\n[console]\nenabled = false\n'
    (folder / "hearthgate.toml").write_text(settings + (f'[[serial]]\nurl = "{url}"\n' if url else ""))
    with (folder / "log").open("a") as log:
        process = subprocess.Popen([*HEARTHGATE, "run"], cwd=folder, env=environment(), stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def stored(port: str) -> dict[str, object]:
    with Remote.open(port) as remote:
        return flashing.stored_settings(remote)


def test_a_gateway_lets_go_of_the_port_while_its_board_is_flashed_and_hears_it_afterwards(
    board: SerialBoard, tmp_path: Path
) -> None:
    with gateway(tmp_path, f"serial:{board.port}"):
        first = command(tmp_path, "flash", "--port", board.port, "--board", BOARD, "--cable", "usb", "--name", "Mine")
        assert first.returncode == 0, (first.stdout, first.stderr, list(board.console))
        assert "cable: USB" in first.stdout
        assert "Heard: the first frame of Mine is stored" in first.stdout
        assert "[[serial]]" not in first.stdout, "the settings have it"
        # The gateway has the port again, and gives it once more; the board stays on its cable.
        again = command(tmp_path, "flash", "--port", board.port, "--board", BOARD)
        assert "0 files copied" in again.stdout, (again.stdout, again.stderr, list(board.console))
        assert "Heard: the first frame of Mine is stored" in again.stdout
    database = Database(tmp_path / "hearthgate.sqlite")
    known = devices.registry(database)[CHIP_ID]
    birth = devices.newest_birth(database, known.id)
    database.close()
    assert birth is not None
    assert birth.boot == 2
    table = stored(board.port)
    assert (table["link"], table["serial"], table["wifi"]) == ("serial", {"usb": True}, None)
    assert table["key"] == known.key.hex()
    assert "mqtt" not in table


def test_what_the_settings_lack_is_said_and_a_board_that_is_not_heard_too(board: SerialBoard, tmp_path: Path) -> None:
    done = command(tmp_path, "flash", "--port", board.port, "--board", BOARD, "--cable", "usb", "--wait", "1")
    assert f'[[serial]]\nurl = "serial:{board.port}"' in done.stdout
    assert "hearthgate.toml" in done.stdout
    assert done.returncode == 2
    assert "[[serial]] names this port" in done.stderr
    assert "mpremote connect" in done.stderr


def test_back_to_a_broker_with_what_that_takes(board: SerialBoard, tmp_path: Path) -> None:
    flash = ("flash", "--port", board.port, "--board", BOARD, "--wait", "0")
    assert command(tmp_path, *flash, "--cable", "usb").returncode == 0
    back = command(tmp_path, *flash, "--broker", "127.0.0.1:1")
    assert "broker 127.0.0.1:1" in back.stdout, back.stderr
    table = stored(board.port)
    assert "link" not in table
    assert "serial" not in table
    with Remote.open(board.port) as remote:
        there = remote.hashes("/a/", ())
    assert "/a/mqtt.mpy" in there
    assert "/a/serial_link.mpy" not in there
    both = command(tmp_path, *flash, "--cable", "usb", "--broker", "127.0.0.1:1")
    assert "leave out --wifi, --broker or --cable" in both.stderr


def test_a_port_that_another_gateway_has_is_a_sentence(board: SerialBoard, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "other").mkdir()
    with gateway(tmp_path / "home", f"serial:{board.port}"):
        log = tmp_path / "home" / "log"
        while "frames are kept" not in log.read_text():
            pass
        done = command(tmp_path / "other", "flash", "--port", board.port, "--board", BOARD, "--cable", "usb")
    assert done.returncode == 2
    assert "Another program has it" in done.stderr
