"""MicroPython onto a board: the real esptool, and a chip's boot loader at the other end (tools/esp_rom.py)."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli import flash_image
from gateway.flash import image as image_module
from gateway.flash.image import Area, check_image, erases, look, write_image
from gateway.flash.port import FlashError
from tests.gateway.images import FILES_AT, OFFSETS, image, program
from tools.esp_rom import FLASH_BYTES, EspRom

CHIPS = list(OFFSETS)
LITTLEFS = b"\x01\0\0\0\xf0\x0f\xff\xf7littlefs"
BLOCK = 4096
ESPHOME = {0x1000: b"another boot loader", FILES_AT: b"another firmware"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "ESP32.bin").write_bytes(image("esp32"))
    return tmp_path / "ESP32.bin"


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MicroPython answers here, whatever the patience."""
    monkeypatch.setattr(flash_image, "_PATIENCE_S", 0.0)


def starts(flash: bytearray) -> bool:
    """Whether MicroPython gets beyond its file area: modules/inisetup.py of its esp32 port makes files only there."""
    first = flash[FILES_AT : FILES_AT + BLOCK]
    return first.startswith(LITTLEFS) or first == b"\xff" * BLOCK


def put(rom: EspRom, file: Path, erase: bool | None = None) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    flash_image.put_image(console, rom.port, "esp32", file, erase)
    return console.export_text()


@pytest.mark.parametrize("chip", CHIPS)
def test_the_image_lies_where_the_chip_starts_and_what_is_around_it_stays(chip: str, tmp_path: Path) -> None:
    file, made = tmp_path / "image.bin", image(chip)
    file.write_bytes(made)
    esptool = [sys.executable, "-m", "esptool"]
    info = subprocess.run([*esptool, "image-info", file], capture_output=True, text=True, check=True).stdout
    assert info.count("(valid)") == 2
    with EspRom(chip, {FILES_AT: LITTLEFS}) as rom:
        write_image(rom.port, chip, file, erase=False)
        at = OFFSETS[chip]
        assert rom.flash[at : at + len(made)] == made
        assert set(rom.flash[:at]) <= {0xFF}
        assert rom.flash[FILES_AT:].startswith(LITTLEFS)
        assert rom.erasures == 0
        write_image(rom.port, chip, file, erase=True)
        assert rom.flash == (b"\xff" * at + made).ljust(FLASH_BYTES, b"\xff")
        assert rom.erasures == 1


@pytest.mark.parametrize("chip", CHIPS)
def test_what_lies_where_the_files_will_be_is_seen(chip: str, tmp_path: Path) -> None:
    file = tmp_path / "image.bin"
    file.write_bytes(image(chip))
    lies: list[tuple[dict[int, bytes], Area]] = [
        ({}, Area.EMPTY),
        (ESPHOME, Area.OTHER),
        ({FILES_AT: LITTLEFS}, Area.FILES),
        ({FILES_AT: b"torn", FILES_AT + BLOCK: LITTLEFS}, Area.FILES),  # power went while the first block was written
    ]
    for holds, area in lies if chip == "esp32" else lies[2:3]:
        with EspRom(chip, holds) as rom:
            assert look(rom.port, chip, file) is area


def test_an_image_that_names_the_place_of_its_files_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "v1.25.bin"
    file.write_bytes(image("esp32", vfs_at=0x310000))
    with EspRom("esp32", {FILES_AT: b"the end of MicroPython", 0x310000: LITTLEFS}) as rom:
        assert look(rom.port, "esp32", file) is Area.FILES


@pytest.mark.parametrize(
    ("asked", "answers", "area", "wanted"),
    [
        (None, False, Area.EMPTY, True),
        (None, False, Area.OTHER, True),
        (None, False, Area.FILES, False),
        (None, True, Area.FILES, False),
        (None, True, Area.EMPTY, False),
        (True, True, Area.FILES, True),
        (True, True, Area.OTHER, True),
        (True, False, Area.FILES, True),
        (False, False, Area.OTHER, False),
    ],
)
def test_when_a_board_is_erased(asked: bool | None, answers: bool, area: Area, wanted: bool) -> None:
    assert erases(asked, answers=answers, area=area) is wanted


def test_a_board_with_other_firmware_starts_with_micropython(file: Path) -> None:
    with EspRom("esp32", ESPHOME) as rom:
        said = put(rom, file)
        assert starts(rom.flash)
    assert "is erased" in said
    assert "leave --image out the next time" in said


def test_a_board_that_does_not_answer_and_has_files_keeps_them(file: Path) -> None:
    with EspRom("esp32", {FILES_AT: LITTLEFS, FILES_AT + 5 * BLOCK: b"frames"}) as rom:
        said = put(rom, file)
        assert starts(rom.flash)
        assert rom.flash[FILES_AT + 5 * BLOCK :].startswith(b"frames")
        assert "they stay" in said
        said = put(rom, file, erase=True)
        assert "loses them for ever" in said
        assert rom.erasures == 1


def test_a_board_that_answers_is_erased_only_if_somebody_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash_image, "_frames", lambda port: 3)
    with EspRom("esp32", {0x300000: LITTLEFS, **ESPHOME}) as rom:
        with pytest.raises(FlashError, match="With --erase all that is on the board is erased"):
            put(rom, file)
        assert rom.flash[FILES_AT:].startswith(b"another firmware")
        assert not rom.verified.is_set()
        assert "loses them for ever" in put(rom, file, erase=True)
        assert starts(rom.flash)


def test_it_is_asked_once_more_where_somebody_can_answer(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash_image, "_frames", lambda port: 3)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("typer.confirm", lambda text, *, abort: asked.append((text, abort)))
    with EspRom("esp32", {FILES_AT: LITTLEFS}) as rom:
        put(rom, file, erase=True)
    assert asked == [("Erase all that is on the board?", True)]


def test_another_chip_is_said_and_no_button_is_to_be_held(file: Path) -> None:
    with EspRom("esp32c3") as rom, pytest.raises(FlashError) as caught:
        look(rom.port, "esp32", file)
    assert "what is attached is an ESP32-C3, not an ESP32" in str(caught.value)
    assert "BOOT" not in str(caught.value)


def test_a_board_that_is_not_in_download_mode_is_to_be_put_there(file: Path) -> None:
    with EspRom("esp32", deaf=True) as rom, pytest.raises(FlashError, match="Hold its BOOT button"):
        look(rom.port, "esp32", file)


def test_a_port_that_cannot_be_opened_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlashError, match="there is no such port"):
        look("/dev/ttyNobody", "esp32", file)
    with EspRom("esp32") as rom:
        other = os.open(rom.port, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(FlashError, match="Another program has it"):
            look(rom.port, "esp32", file)
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(FlashError, match="usermod -aG dialout"):
            look(rom.port, "esp32", file)
        os.close(other)


def test_a_write_that_fails_says_so_and_that_it_can_be_repeated(file: Path) -> None:
    with EspRom("esp32c3") as rom, pytest.raises(FlashError, match="The same command writes it again") as caught:
        write_image(rom.port, "esp32", file, erase=False)
    assert "BOOT" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"", "no image for an ESP32"),
        (b"<html>404</html>", "no image for an ESP32"),
        (image("esp32c3"), "is for esp32c3, not for esp32"),
        (b"\xe9" * 14, "is for another chip"),
        (program("esp32", 64_000), "not all of MicroPython"),
    ],
)
def test_what_is_no_image_for_the_chip_is_refused_before_the_board_is_touched(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "image.bin"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FlashError, match=why):
        check_image("esp32", file)


def test_without_esptool_it_is_said_how_to_get_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_image("esp32", file)
    monkeypatch.setattr(image_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FlashError, match=r"pip install 'hearthgate\[image\]'"):
        check_image("esp32", file)
    with pytest.raises(FlashError, match="not for unix"):
        check_image("unix", file)
