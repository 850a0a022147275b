"""Writes a MicroPython image that a person chose onto an ESP32, with Espressif's esptool.

At its first start MicroPython makes its file system where its file area begins with an empty block. Where something
else lies there that it cannot mount, it says so for ever (esp32: inisetup.py). So a board that carried other firmware
is erased first; one that may hold frames of ours is not, unless somebody says so.
"""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
import sys
import tempfile
from enum import Enum
from pathlib import Path
from typing import Final

from gateway.flash.port import FlashError, check_port

__all__ = ["Area", "check_image", "erases", "look", "write_image"]

_CHIPS: Final = {"esp32": (0, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0)}
"""Its number in an image's header (ESP-IDF, "App Image Format"), and where its ROM looks for the boot loader, with
which MicroPython's images begin (micropython.org/download)."""

_BAUD: Final = 460_800
_MAGIC: Final = 0xE9
_CHIP_AT: Final = 12

# ESP-IDF, "Partition Tables": entries of 32 bytes, each with a magic.
_PARTITIONS: Final = range(0x8000, 0x8C00, 32)
_ENTRY: Final = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC: Final = 0x50AA
_FILES: Final = (b"vfs", b"ffat")
"""What MicroPython calls the partition of its files. From 1.26 on it is not in the table: it is what the others leave,
behind the last of them (esp32: main.c)."""

_BLOCK: Final = 4096
_LITTLEFS_AT: Final = 8
"""Of the name of littlefs in its first two blocks, which say the same: one of them is always whole (its SPEC.md)."""


class Area(Enum):
    """What a board's flash has where an image has MicroPython's files."""

    EMPTY = "empty"
    FILES = "files of MicroPython"
    OTHER = "something else"


def check_image(chip: str, image: Path) -> None:
    """Raise FlashError if it cannot be written to such a chip."""
    if chip not in _CHIPS:
        raise FlashError(f"--image is for {', '.join(_CHIPS)}, not for {chip}.")
    if importlib.util.find_spec("esptool") is None:
        raise FlashError("writing an image takes esptool: pip install 'hearthgate[image]'")
    _files_at(chip, image)


def erases(asked: bool | None, *, answers: bool, area: Area) -> bool:
    """Whether all of the flash is erased first. asked: what a person said of it; None: nothing. answers: MicroPython
    does. Raises FlashError: the image cannot start over what is there, and files would be lost with that."""
    if asked is not None:
        return asked
    if answers and area is Area.OTHER:
        raise FlashError(
            "the board has MicroPython, and files that this image would not find: it has its own in another place or "
            "form. With --erase all that is on the board is erased; until then press its reset button, and it runs on."
        )
    return not answers and area is not Area.FILES


def look(port: str, chip: str, image: Path) -> Area:
    """What lies where `image` has its files. It stops what runs on the board. Raises FlashError: there is no such chip,
    or it is not in download mode."""
    at = _files_at(chip, image)
    with tempfile.TemporaryDirectory(prefix="hearthgate-image-") as folder:
        there = Path(folder) / "area"
        # It stays in download mode: where no wires switch it, a person has put it there by hand.
        command = [*_esptool(port, chip), "--after", "no-reset", "read-flash", f"{at:#x}", f"{2 * _BLOCK:#x}", there]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            check_port(port)
            raise FlashError(f"{port}: {_why(done.stdout + done.stderr)}")
        blocks = there.read_bytes()
    if any(blocks.startswith(b"littlefs", start + _LITTLEFS_AT) for start in (0, _BLOCK)):
        return Area.FILES
    return Area.EMPTY if blocks[:_BLOCK] == b"\xff" * _BLOCK else Area.OTHER


def write_image(port: str, chip: str, image: Path, *, erase: bool) -> None:
    """Write `image` to the chip; esptool says how far it is. erase: all of its flash first; else what lies outside the
    image stays. Raises FlashError."""
    check_image(chip, image)
    options = ["--erase-all"] if erase else []
    offset = f"{_CHIPS[chip][1]:#x}"
    done = subprocess.run([*_esptool(port, chip), "write-flash", *options, offset, image], check=False)  # noqa: S603
    if done.returncode:
        raise FlashError(
            f"{port}: the image was not written; esptool says why above. The same command writes it again: try another "
            "cable or another USB port."
        )


def _esptool(port: str, chip: str) -> list[str | Path]:
    return [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", str(_BAUD)]


def _why(said: str) -> str:
    """What esptool ends with, as something to do."""
    _, _, error = " ".join(said.split()).rpartition("A fatal error occurred: ")
    error = error.partition(" For troubleshooting")[0] or "esptool ends without a word"
    if found := re.search(r"This chip is (\S+), not (\S+?)\.", error):
        return f"what is attached is an {found[1]}, not an {found[2]}: give the --board that it is, and its image."
    if "could not open" in error.lower():
        return "cannot be opened. Another program has it: close it there, or plug the board in anew."
    if "Failed to connect" in error or "boot mode" in error:
        return (
            f"no ESP32 answers ({error.rstrip('.')}). Hold its BOOT button while you plug it in, let go, and try "
            "again; some cables only charge."
        )
    return f"esptool says: {error}"


def _files_at(chip: str, image: Path) -> int:
    """Where in the flash an image for such a chip has MicroPython's files. Raises FlashError: it is none."""
    try:
        with image.open("rb") as file:
            head = file.read(_PARTITIONS.stop)
    except OSError as why:
        raise FlashError(f"{image}: {why.strerror}. Images are at micropython.org/download.") from why
    number, offset = _CHIPS[chip]
    if len(head) <= _CHIP_AT + 1 or head[0] != _MAGIC:
        raise FlashError(f"{image} is no image for an ESP32. Images are at micropython.org/download: the .bin files.")
    (made_for,) = struct.unpack_from("<H", head, _CHIP_AT)
    if made_for != number:
        known = {of: name for name, (of, _) in _CHIPS.items()}
        raise FlashError(f"{image} is for {known.get(made_for, 'another chip')}, not for {chip}: take that for {chip}.")
    ends: list[int] = []
    for at in range(_PARTITIONS.start - offset, len(head) - _ENTRY.size + 1, _ENTRY.size):
        magic, _, _, start, size, label, _ = _ENTRY.unpack_from(head, at)
        if magic != _ENTRY_MAGIC:
            break
        if label.rstrip(b"\0") in _FILES:
            return int(start)
        ends.append(start + size)
    if not ends:
        raise FlashError(f"{image} is not all of MicroPython: take the .bin file of micropython.org, not the .app-bin.")
    return max(ends)
