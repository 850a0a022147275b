"""A whole flash for an emulated ESP32, from the MicroPython image that one downloads for the chip.

    python -m tools.esp32_image IMAGE FLASH     writes the file FLASH, 4 MB

The image goes where the chip starts: at 0x1000 on the ESP32, at 0 on the C3 and S3. All else is erased (0xFF), so that
MicroPython formats its files at the first start.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Esp32Flash", "Esp32ImageError", "lay_out"]

FLASH_BYTES: Final = 4 << 20

# Espressif's "Firmware Image Format": magic, and the chip's number in the extended header of the bootloader.
_MAGIC: Final = 0xE9
_CHIP_AT: Final = 12
_CHIPS: Final = {0: ("esp32", 0x1000), 5: ("esp32c3", 0), 9: ("esp32s3", 0)}
"""Number of the chip -> what QEMU calls its machine, and where its bootloader lies."""

# Its "Partition Tables": entries of 32 bytes, each with a magic.
_PARTITIONS_AT: Final = 0x8000
_PARTITIONS_END: Final = 0x8C00
_ENTRY: Final = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC: Final = 0x50AA


class Esp32ImageError(ValueError):
    """Not an image that a flash can be made of; says why."""


@dataclass(frozen=True, slots=True)
class Esp32Flash:
    """chip: as QEMU names the machine. flash: all of it."""

    chip: str
    flash: bytes


def lay_out(image: bytes, flash_bytes: int = FLASH_BYTES) -> Esp32Flash:
    """The flash of a chip that was erased and then got `image`, a MicroPython .bin.

    Raises Esp32ImageError: not such an image, for a chip that is not known here, or for a larger flash.
    """
    if len(image) <= _CHIP_AT + 1 or image[0] != _MAGIC:
        raise Esp32ImageError("not an image for an ESP32: it does not begin with 0xE9 (an .app-bin is no whole image)")
    (number,) = struct.unpack_from("<H", image, _CHIP_AT)
    if number not in _CHIPS:
        raise Esp32ImageError(f"for a chip that is not known here (number {number}); known: ESP32, ESP32-C3, ESP32-S3")
    chip, at = _CHIPS[number]
    if at + len(image) > flash_bytes:
        raise Esp32ImageError(f"with {len(image)} bytes too large for a flash of {flash_bytes}")
    flash = b"\xff" * at + image + b"\xff" * (flash_bytes - at - len(image))
    partitions = list(_partitions(flash))
    if not partitions:
        raise Esp32ImageError("holds no partition table at 0x8000: take the .bin file, not the .app-bin")
    for label, start, size in partitions:
        if start + size > flash_bytes:
            raise Esp32ImageError(f"for a larger flash: its partition {label} ends at {start + size:#x}")
        if label == "vfs" and start < at + len(image):
            raise Esp32ImageError("reaches into the partition of the files")
    return Esp32Flash(chip, flash)


def _partitions(flash: bytes) -> Iterator[tuple[str, int, int]]:
    """(label, start, size in bytes) of each."""
    for at in range(_PARTITIONS_AT, _PARTITIONS_END, _ENTRY.size):
        magic, _, _, start, size, label, _ = _ENTRY.unpack_from(flash, at)
        if magic != _ENTRY_MAGIC:
            return
        yield label.rstrip(b"\0").decode("ascii", "replace"), start, size


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.esp32_image", description="A flash for an emulated ESP32.")
    parser.add_argument("image", type=Path, help="MicroPython for the chip: the .bin file")
    parser.add_argument("flash", type=Path, help="the file to write")
    options = parser.parse_args(arguments)
    try:
        made = lay_out(options.image.read_bytes())
        options.flash.write_bytes(made.flash)
    except (OSError, Esp32ImageError) as why:
        print(f"{options.image}: {why}", file=sys.stderr)
        return 1
    print(f"{options.flash}: {made.chip}, {len(made.flash)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
