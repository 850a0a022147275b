"""`hearthgate flash` on a virtual board: the real command, a real gateway and a real broker; and the power cut in it.

Alone: pytest tests/emulated/test_flash.py (about two minutes).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.broker.access import mqtt_password
from gateway.flash import flashing
from gateway.flash.configuring import Broker, table
from gateway.flash.remote import FlashError, Remote
from gateway.flash.sources import find_board
from gateway.store import devices
from gateway.store.database import Database
from tests.conftest import BrokerFactory
from tools.serial_board import CHIP_ID, SerialBoard

ROOT = Path(__file__).resolve().parents[2]
HEARTHGATE = [sys.executable, "-m", "gateway"]
BOARD = "kettle-sim"
KEY = bytes(range(32))
WIFI_PASSWORD = "correct horse battery"
LIMIT_S = 120


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path / "flash") as board:
        yield board


@pytest.fixture
def house(tmp_path: Path, mosquitto: BrokerFactory) -> Iterator[Path]:
    """A folder with a gateway that runs in it."""
    port = mosquitto().port
    settings = f'[broker]\nhost = "127.0.0.1"\nport = {port}\n[console]\nenabled = false\n'
    (tmp_path / "hearthgate.toml").write_text(settings)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*HEARTHGATE, "run"], cwd=tmp_path, env=environment(), stdout=log, stderr=log)
    yield tmp_path
    process.terminate()
    process.wait(30)


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)} | more


def command(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HEARTHGATE, *arguments],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def put(port: str, key: bytes = KEY) -> flashing.Done:
    """Flash as the command does, without its gateway."""
    made = find_board(BOARD)
    values = table(made, device=CHIP_ID, key=key, name="Bench", broker=Broker("127.0.0.1", 1, tls=False), wifi=None)
    with Remote.open(port) as remote:
        done = flashing.put(remote, made, remote.facts(), values, None)
        remote.reset()
    return done


def test_a_new_board_is_flashed_and_heard_and_the_second_time_nothing_is_copied(
    board: SerialBoard, house: Path
) -> None:
    first = command(house, "flash", "--port", board.port, "--board", BOARD, "--name", "My kettle")
    assert first.returncode == 0, (first.stdout, first.stderr, list(board.console))
    assert "Heard: the first frame of My kettle is stored" in first.stdout
    assert int(re.search(r"(\d+) files copied and verified", first.stdout)[1]) > 30  # type: ignore[index]
    again = command(house, "flash", "--port", board.port, "--board", BOARD)
    assert "0 files copied" in again.stdout
    assert "Heard: the first frame of My kettle is stored" in again.stdout, "its name stays"
    listed = command(house, "boards", "--port", board.port, "--json")
    (one,) = json.loads(listed.stdout)
    assert (one["chip"], one["board"], one["device"]) == ("unix", BOARD, CHIP_ID)
    assert re.fullmatch(r"\d+\.\d+\.\d+", one["micropython"])
    assert one["firmware"] == "0.1.0"


def test_only_what_changed_is_copied_and_what_is_too_many_goes(board: SerialBoard) -> None:
    put(board.port)
    with Remote.open(board.port) as remote:
        remote.remove("/a/cbor.mpy")
        list(remote.write("/a/clock.mpy", b"rotten"))
        list(remote.write("/a/stray.mpy", b""))
        list(remote.write("/mine.txt", b"a person's own"))
    done = put(board.port)
    assert (done.copied, done.removed) == (3, 2), "two modules and the manifest; the stray and the manifest before it"
    with Remote.open(board.port) as remote:
        assert remote.read("/mine.txt") == b"a person's own"
    assert put(board.port) == flashing.Done(0, 0, done.module_bytes)
    assert put(board.port, key=bytes(32)).copied == 2, "a new key is one file, and the one before is another"


def test_a_slot_that_is_not_whole_does_not_run(board: SerialBoard) -> None:
    put(board.port)
    with Remote.open(board.port) as remote:
        remote.remove("/a/manifest.json")
        assert flashing.installed(remote) is None
    board.cut_power()
    board.console.clear()
    board.switch_on()
    with Remote.open(board.port) as remote:
        assert any("firmware is not whole" in line for line in board.console)
        assert remote.facts().device == CHIP_ID


@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_in_the_middle_is_mended_by_flashing_again(board: SerialBoard, seed: int) -> None:
    """The flash takes so many bytes and no more: within a block as a rule. What came before is not copied again."""
    board.cut_power()
    dice = random.Random(seed)
    cuts = 0
    while True:
        board.switch_on(cut_after=dice.randrange(1_000, 300_000))
        with contextlib.suppress(FlashError):
            put(board.port)
            break
        assert board.wait_off(20)
        cuts += 1
        assert cuts < 100
    assert cuts > 0 or seed
    board.cut_power()
    board.switch_on()
    assert put(board.port).copied == 0
    with Remote.open(board.port) as remote:
        assert flashing.installed(remote) == (BOARD, "0.1.0")


def test_a_board_of_another_chip_is_refused_before_anything_is_written(board: SerialBoard, tmp_path: Path) -> None:
    done = command(
        tmp_path,
        "flash",
        "--port",
        board.port,
        "--board",
        "fridge-esp32c3",
        "--wifi",
        "w",
        HEARTHGATE_WIFI_PASSWORD="p",
    )
    assert done.returncode == 2
    assert "is for an ESP32-C3" in done.stderr
    assert "--board fridge-sim or kettle-sim" in done.stderr
    with Remote.open(board.port) as remote:
        assert remote.hashes("/a/", ["/main.py", "/board.json"]) == {}


def test_what_is_wrong_is_a_sentence(board: SerialBoard, tmp_path: Path) -> None:
    unknown = command(tmp_path, "flash", "--port", board.port, "--board", "toaster")
    assert "use one of fridge-esp32c3" in unknown.stderr
    nowhere = command(tmp_path, "flash", "--port", str(tmp_path / "tty"), "--board", BOARD)
    assert "there is no such port" in nowhere.stderr
    assert "Traceback" not in unknown.stderr + nowhere.stderr


def test_a_board_that_is_not_heard_is_told_with_what_it_said(board: SerialBoard, tmp_path: Path) -> None:
    done = command(tmp_path, "flash", "--port", board.port, "--board", BOARD, "--broker", "127.0.0.1:1", "--wait", "4")
    assert done.returncode == 2
    assert "no frame of it came within 4 s" in done.stderr
    assert "No gateway runs" in done.stdout
    assert "hearthgate: kettle" in done.stderr, "what the board said"


def test_no_secret_is_in_the_process_list_or_in_what_is_said(board: SerialBoard, tmp_path: Path) -> None:
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = command(
        tmp_path,
        *("flash", "--port", board.port, "--board", BOARD, "--wifi", "House", "--wait", "2"),
        HEARTHGATE_WIFI_PASSWORD=WIFI_PASSWORD,
    )
    over.set()
    watcher.join()
    said = "\n".join([done.stdout, done.stderr, *board.console, *seen])
    database = Database(tmp_path / "hearthgate.sqlite")
    key = devices.registry(database)[CHIP_ID].key
    database.close()
    with Remote.open(board.port) as remote:
        stored = flashing.stored_settings(remote)
    assert stored["key"] == key.hex()
    assert stored["wifi"] == {"ssid": "House", "password": WIFI_PASSWORD}
    assert stored["mqtt"]["password"] == mqtt_password(key)
    assert "flash --port" in said, "the command itself was seen"
    for secret in (WIFI_PASSWORD, key.hex(), mqtt_password(key)):
        assert secret not in said
