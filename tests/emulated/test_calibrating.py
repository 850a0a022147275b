"""boards/CALIBRATING.md, as a person follows it: its own commands, on a virtual board whose parts are scripted.

Alone: pytest tests/emulated/test_calibrating.py (about half a minute).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.flash import flashing
from gateway.flash.boardfile import to_board_json
from gateway.flash.remote import Remote
from gateway.flash.sources import find_board
from tools.serial_board import SerialBoard

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "boards" / "CALIBRATING.md").read_text(encoding="utf-8")
REAL = ("fridge-esp32c3", "fridge-esp32s3", "kettle-esp32")

HARDWARE = """
# What is wired to the board: every HX711 has always converted the same, and nothing else answers.
import machine
class Pin:
    IN = OUT = OPEN_DRAIN = PULL_UP = IRQ_FALLING = IRQ_RISING = 0
    pulses = 0
    def __init__(self, number, mode=None, pull=None, value=None):
        self.number = number
    def irq(self, handler, edges):
        pass
    def __call__(self, level=None):
        if level is not None:
            Pin.pulses += level and self.number == CLOCK
            return
        if self.number != DATA:
            return 1
        at = Pin.pulses
        if at > 24:
            Pin.pulses = 0
            return 1
        return COUNTS >> (24 - at) & 1 if at else 0
machine.Pin = Pin
machine.disable_irq = machine.enable_irq = lambda state=0: 0
"""
COUNTS = 83211
ONEWIRE = "class OneWire:\n    __init__ = lambda self, pin: None\n    reset = lambda self: False\n"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path / "flash") as board:
        yield board


def environment() -> dict[str, str]:
    return os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)}


def typed(folder: Path, port: str, block: str) -> str:
    """What is said to these commands; with this checkout and this board in place of those at home."""
    for written, instead in (
        ("~/hearthgate/.venv/bin/", f"{Path(sys.executable).parent}/"),
        ("~/hearthgate/", f"{ROOT}/"),
        ("cd ~/house", f"cd {folder}"),
        ("/dev/ttyUSB0", port),
    ):
        block = block.replace(written, instead)
    done = subprocess.run(
        ["bash", "-euc", block], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)


def put_drivers(remote: Remote, slot: str) -> None:
    """The slot runs, and has the drivers of a real kettle; the other has nothing."""
    kettle = find_board("kettle-esp32")
    remote.make_folder(f"/{slot}")
    for source in kettle.driver_files():
        more = ""
        if source.stem == "parts":  # the first to be loaded
            more = HARDWARE.replace("CLOCK", "33").replace("DATA", "25").replace("COUNTS", str(COUNTS))
        list(remote.write(f"/{slot}/{source.name}", source.read_bytes() + more.encode()))
    list(remote.write(f"/{slot}/onewire.py", ONEWIRE.encode()))
    values = {"device": None, "key_hex": "00" * 32, "name": None, "mqtt": {"host": "x"}, "wifi": None, "sim": None}
    list(remote.write("/board.json", json.dumps(to_board_json(kettle, **values)).encode()))
    if slot == "b":
        list(remote.write("/slot", b"b 1 0 0\n"))


@pytest.mark.parametrize("slot", ["a", "b"])
def test_what_the_sensors_read_is_told_whichever_slot_runs(board: SerialBoard, tmp_path: Path, slot: str) -> None:
    with Remote.open(board.port) as remote:
        put_drivers(remote, slot)
    said = typed(tmp_path, board.port, blocks("sh")[0])
    for line in blocks("text")[0].splitlines():
        wanted = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(f"^{wanted}", said, re.MULTILINE), f"{line!r} was not said:\n{said}"
    assert f"water_mass: nothing, raw {COUNTS} ({COUNTS} to {COUNTS})\n" in said
    assert "heater: 0\n" in said


def test_what_was_measured_is_written_where_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(tmp_path, "", blocks("sh")[1])
    monkeypatch.chdir(tmp_path)
    mine = find_board("my-kettle")
    assert mine.not_calibrated() == []
    assert {part.name: part.row()[2] for part in mine.parts}["water_temp"]["offset_16ths"] == -5
    assert blocks("sh")[2] == "hearthgate flash --port /dev/ttyUSB0 --board my-kettle\n"


def test_a_households_own_board_is_flashed_under_its_name(board: SerialBoard, tmp_path: Path) -> None:
    (tmp_path / "boards" / "my-kettle").mkdir(parents=True)
    own = 'base = "kettle-sim"\n[board]\ndisplay_name = "Kettle upstairs"\n'
    (tmp_path / "boards" / "my-kettle" / "board.toml").write_text(own)
    arguments = ("flash", "--port", board.port, "--board", "my-kettle", "--broker", "127.0.0.1:1", "--wait", "0")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with Remote.open(board.port) as remote:
        found = flashing.installed(remote)
        assert found is not None
        assert found[0] == "my-kettle"
        assert flashing.stored_settings(remote)["name"] == "Kettle upstairs"


def test_every_real_boards_page_leads_there() -> None:
    for name in REAL:
        page = (ROOT / "boards" / name / "README.md").read_text(encoding="utf-8")
        assert "(../CALIBRATING.md)" in page
        assert "mpremote" not in page, "there is one place for its commands"
