"""From an empty board to its first reading in the console, on a 32-bit processor: the real `hearthgate flash`, the
firmware on its own from there, a cable to the real `hearthgate run`, and its JSON API.

The board's one line takes one program at a time: it is the gateway's, which lends it to whoever flashes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import _free_port
from tests.qemu.conftest import Report
from tests.qemu.machine.conftest import Machine
from tools.qemu_board import ROOT

BOARD = "fridge-sim"
DEVICE = "5e0000000032"
HEARTHGATE = [sys.executable, "-m", "gateway"]
ENVIRONMENT = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)}
START_S, READING_S, FLASH_S = 60.0, 150.0, 240.0


@pytest.fixture
def machine(bare_machine: Machine) -> Machine:
    """Not the ESP32: its first UART is its own."""
    return bare_machine


@pytest.fixture
def url(qemu: Any, free_port: int) -> str:
    assert qemu.poll() is None
    return f"socket://127.0.0.1:{free_port}"


class House:
    """A folder with a gateway that runs in it, and its console."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._console = _free_port()
        (folder / "hearthgate.toml").write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {_free_port()}\n\n[console]\nport = {self._console}\n\n'
            f'[[serial]]\nurl = "{url}"\n'
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen([*HEARTHGATE, "run"], cwd=self.folder, env=ENVIRONMENT, stdout=log, stderr=log)
        try:
            self.until(lambda: self.get("/api/devices") is not None, START_S)
            yield
        finally:
            process.terminate()
            process.wait(30)

    def get(self, path: str) -> Any:
        """What the console answers; None while it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._console}{path}", timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def until(self, reached: Callable[[], object], limit_s: float) -> None:
        until = time.monotonic() + limit_s
        while not reached():
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.2)

    def readings(self) -> list[Any]:
        """Those of the fridge's temperature that the console shows."""
        answer = self.get(f"/api/readings?device={DEVICE}&channel=fridge_temp")
        return [] if answer is None else [one["value"] for one in answer["readings"] if one["value"] is not None]

    def flash(self, url: str, *arguments: str) -> tuple[str, float]:
        """What the command said, and how long it took until the board was heard, in seconds."""
        began = time.monotonic()
        done = subprocess.run(
            [*HEARTHGATE, "flash", "--port", url, "--board", BOARD, *arguments],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=FLASH_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr + (self.folder / "log").read_text()
        return done.stdout, time.monotonic() - began


def test_an_empty_board_is_flashed_over_its_cable_and_its_first_reading_is_shown(
    url: str, tmp_path: Path, report: Report
):
    house = House(tmp_path, url)
    with house.running():
        began = time.monotonic()
        said, took_s = house.flash(url, "--cable", "usb", "--name", "Fridge")
        assert "MicroPython" in said
        assert "cable: USB" in said
        assert "Heard: the first frame of Fridge is stored" in said
        house.until(house.readings, READING_S)
        reading_s = time.monotonic() - began
        (value, *_) = house.readings()
        assert -5 < value < 15, "degrees Celsius, in a fridge"
        (device,) = house.get("/api/devices")
        assert (device["name"], device["online"]) == ("Fridge", True)
        said, again_s = house.flash(url)
        assert "0 files copied" in said, "and it stays on its cable"
    report(
        f"{BOARD} over its cable: flashed and heard in {took_s:.1f} s, a second time in {again_s:.1f} s; the first "
        f"reading in the console {reading_s:.0f} s after the flash began (it reports once a minute)"
    )
