"""Where a MicroPython image goes in the flash of an emulated ESP32, and which files are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tools import esp32_image
from tools.esp32_image import Esp32ImageError, lay_out

FLASH = 4 << 20


def entry(label: bytes, start: int, size: int, kind: int = 1, subtype: int = 0x81) -> bytes:
    return struct.pack("<HBBII16sI", 0x50AA, kind, subtype, start, size, label, 0)


def image(number: int, at: int, *, size: int = 0x180000, partitions: bytes | None = None) -> bytes:
    """As MicroPython's are: from the bootloader on, with its partition table and its application."""
    if partitions is None:
        partitions = entry(b"nvs", 0x9000, 0x6000, 1, 2) + entry(b"factory", 0x10000, 0x1F0000, 0, 0)
        partitions += entry(b"vfs", 0x200000, 0x200000)
    made = bytearray(b"\xa5" * size)
    made[:24] = bytes([0xE9, 3, 2, 0x20]) + bytes(8) + struct.pack("<H", number) + bytes(10)
    made[0x8000 - at : 0x8000 - at + 0xC00] = partitions.ljust(0xC00, b"\xff")
    return bytes(made)


@pytest.mark.parametrize(("number", "chip", "at"), [(0, "esp32", 0x1000), (5, "esp32c3", 0), (9, "esp32s3", 0)])
def test_the_image_lies_where_the_chip_starts_and_all_else_is_erased(number: int, chip: str, at: int):
    given = image(number, at)
    made = lay_out(given)
    assert (made.chip, len(made.flash)) == (chip, FLASH)
    assert made.flash[at : at + len(given)] == given
    assert set(made.flash[:at]) <= {0xFF}
    assert set(made.flash[at + len(given) :]) == {0xFF}
    assert set(made.flash[0x200000:]) == {0xFF}, "MicroPython formats it at the first start"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "does not begin with 0xE9"),
        (b"\x7fELF" + bytes(100), "does not begin with 0xE9"),
        (image(0, 0x1000)[:13], "does not begin with 0xE9"),
        (image(2, 0x1000), "number 2"),
        (image(0, 0x1000, partitions=b""), "no partition table"),
        (image(0, 0x1000, partitions=entry(b"vfs", 0x200000, 0x600000)), "partition vfs ends at 0x800000"),
        (image(9, 0, size=0x280000), "reaches into the partition of the files"),
        (image(9, 0, size=FLASH + 1), "too large"),
    ],
)
def test_what_no_flash_can_be_made_of_is_refused(given: bytes, why: str):
    with pytest.raises(Esp32ImageError, match=why):
        lay_out(given)


def test_the_command_writes_the_flash(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, flash = tmp_path / "micropython.bin", tmp_path / "flash.bin"
    source.write_bytes(image(0, 0x1000))
    assert esp32_image.main([str(source), str(flash)]) == 0
    assert flash.stat().st_size == FLASH
    assert "esp32, 4194304 bytes" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert esp32_image.main([str(tmp_path / "none.bin"), str(tmp_path / "flash.bin")]) == 1
    assert "none.bin" in capsys.readouterr().err
