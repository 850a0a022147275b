"""`hearthgate flash --image` as a person types it: the real esptool writes the image to a chip's boot loader
(tools/esp_rom.py), and then MicroPython is at that port, which was gone for a moment, as a chip's own USB port is.

Alone: pytest tests/emulated/test_flash_image.py (about half a minute).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import flash_image
from gateway.flash.remote import FlashError, Remote
from tests.gateway.images import FILES_AT, OFFSETS, image
from tools.esp_rom import EspRom
from tools.serial_board import CHIP_ID, SerialBoard

ROOT = Path(__file__).resolve().parents[2]
GONE_S = 2.0


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path / "flash") as board:
        yield board


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """Where boards are plugged in; nothing is yet."""
    return tmp_path / "ttyACM0"


def plug_in_later(port: Path, board: SerialBoard) -> threading.Timer:
    timer = threading.Timer(GONE_S, lambda: port.symlink_to(board.port))
    timer.start()
    return timer


def test_an_image_is_written_and_then_micropython_is_waited_for(port: Path, board: SerialBoard, tmp_path: Path) -> None:
    file, made = tmp_path / "image.bin", image("esp32c3")
    file.write_bytes(made)
    with EspRom("esp32c3", {FILES_AT: b"another firmware"}) as rom:
        port.symlink_to(rom.port)
        asked = ["flash", "--port", str(port), "--board", "fridge-esp32c3", "--image", str(file)]
        with subprocess.Popen(
            [sys.executable, "-m", "gateway", *asked, "--cable", "usb"],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as flash:
            assert rom.verified.wait(60)
            port.unlink()
            timer = plug_in_later(port, board)
            said, _ = flash.communicate(timeout=60)
            timer.join()
        at = OFFSETS["esp32c3"]
        assert rom.flash[at : at + len(made)] == made
        assert rom.erasures == 1
    assert "First all that is on the board is erased." in said
    assert "leave --image out the next time" in said
    # MicroPython was found; that it is no ESP32 is where this differs from a board.
    assert "but what is attached is an emulated board" in said, said
    assert flash.returncode != 0


def test_a_port_that_comes_later_is_waited_for(port: Path, board: SerialBoard) -> None:
    timer = plug_in_later(port, board)
    with Remote.open(str(port)) as remote:
        assert remote.facts().device == CHIP_ID
    timer.join()


def test_a_port_that_goes_while_nothing_answers_is_opened_anew(port: Path, board: SerialBoard) -> None:
    ours, theirs = os.openpty()
    port.symlink_to(os.ttyname(theirs))
    os.close(theirs)

    def unplug() -> None:
        time.sleep(0.5)
        port.unlink()
        os.close(ours)
        plug_in_later(port, board).join()

    thread = threading.Thread(target=unplug)
    thread.start()
    with Remote.open(str(port)) as remote:
        assert remote.facts().device == CHIP_ID
    thread.join()


def test_a_port_that_does_not_come_is_told_after_the_patience(port: Path) -> None:
    began = time.monotonic()
    with pytest.raises(FlashError, match="there is no such port"), Remote.open(str(port), 1.0):
        pass
    assert 1.0 <= time.monotonic() - began < 5


def test_frames_of_ours_are_seen_before_anything_is_erased(board: SerialBoard) -> None:
    assert flash_image._frames(board.port) == 0
    with Remote.open(board.port) as remote:
        remote.make_folder("/frames")
        list(remote.write("/frames/1", b"sealed"))
    assert flash_image._frames(board.port) == 1
