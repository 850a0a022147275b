"""The household's certificate authority is changed, and its boards hear of that over the air: the real commands, a real
gateway, Mosquitto over TLS with its rules, and a virtual board with its own flash and loader.

Alone: pytest tests/emulated/test_update_authority.py (about a minute).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.broker_house import DEVICE, Household
from tools.serial_board import SerialBoard

ROOT = Path(__file__).resolve().parents[2]
HEARTHGATE = [sys.executable, "-m", "gateway"]
WIFI = ("House", "correct horse")  # which also tells the time: else TLS waits a minute for it
ENVIRONMENT = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT), "HEARTHGATE_WIFI_PASSWORD": WIFI[1]}
LIMIT_S = 180.0
PATIENCE_S = 90.0


def settle(folder: Path, broker: Household) -> None:
    """Write the settings that `hearthgate broker setup` tells one to."""
    path = broker.folder.path
    lines = ["[broker]", 'host = "127.0.0.1"', f"port = {broker.port}", 'user = "gateway"', f'folder = "{path}"']
    lines += [f'ca = "{path}/ca.crt"', f'password_file = "{path}/gateway.password"', "[console]", "enabled = false"]
    (folder / "hearthgate.toml").write_text("\n".join(lines))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    with (folder / "log").open("a") as log:
        process = subprocess.Popen([*HEARTHGATE, "run"], cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def command(folder: Path, *arguments: str, fails: bool = False) -> str:
    """What it says. It must do what it was told, or must not."""
    done = subprocess.run(
        [*HEARTHGATE, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert bool(done.returncode) is fails, (arguments, done.stdout, done.stderr, (folder / "log").read_text())
    return done.stdout + done.stderr


def comes_back(folder: Path, board: SerialBoard) -> None:
    """After a power cut it is connected again."""
    board.cut_power()
    until(lambda: not online(folder))
    board.switch_on()
    try:
        until(lambda: online(folder))
    except TimeoutError:
        raise AssertionError("\n".join(board.console)) from None


def online(folder: Path) -> bool:
    (found,) = json.loads(command(folder, "devices", "list", "--json"))
    return bool(found["online"])


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.5)


def test_boards_take_a_new_authority_over_the_air_before_the_broker_goes_over_to_it(
    tmp_path: Path, household_broker: Callable[..., Household]
) -> None:
    broker = household_broker("127.0.0.1")
    settle(tmp_path, broker)
    with SerialBoard(tmp_path / "flash", chip_id=DEVICE, heap_kib=256, wifi=WIFI) as board:
        with running(tmp_path):
            flash = ("flash", "--port", board.port, "--board", "fridge-sim", "--name", "Fridge", "--wifi", WIFI[0])
            assert "Heard: the first frame" in command(tmp_path, *flash)
            command(tmp_path, "broker", "rotate-ca")
            told = command(tmp_path, "broker", "rotate-ca", "--finish", fails=True)
            assert f"Fridge ({DEVICE})" in told
            assert "hearthgate update" in told
            assert broker.folder.expiries().next_ca is not None, "nothing was changed"
        with running(tmp_path):
            until(lambda: online(tmp_path))
            assert "1 of 1 board(s)" in command(tmp_path, "update")
            assert "updated" in command(tmp_path, "update", "status"), (
                "its firmware is the same, its authorities are not"
            )
            assert board.resets
            assert "Mosquitto was told" in command(tmp_path, "broker", "rotate-ca", "--finish")
        with running(tmp_path):
            comes_back(tmp_path, board)
            # The next update, or a cable, lets it forget the old one; what lies in its other slot does not come back.
            assert "Heard: the first frame" in command(tmp_path, *flash)
            assert "1 of 1 board(s)" in command(tmp_path, "update")
            assert "current" in command(tmp_path, "update", "status"), "a cable and an update bring the same"
