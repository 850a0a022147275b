"""Writes a MicroPython image that a person chose onto an ESP32, with Espressif's esptool."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Final

from gateway.flash.remote import FlashError

__all__ = ["write_image"]

_OFFSETS: Final = {"esp32": "0x1000", "esp32c3": "0x0", "esp32s3": "0x0"}
"""Where the ROM looks for the boot loader, with which MicroPython's images begin (micropython.org/download)."""

_BAUD: Final = 460_800


def write_image(port: str, chip: str, image: Path) -> None:
    """Write `image` to the chip; esptool says how far it is. The board's files stay, if they were MicroPython's.

    Raises FlashError.
    """
    if chip not in _OFFSETS:
        raise FlashError(f"--image is for {', '.join(_OFFSETS)}, not for {chip}.")
    if not image.is_file():
        raise FlashError(f"{image}: there is no such file. Images are at micropython.org/download.")
    if importlib.util.find_spec("esptool") is None:
        raise FlashError("writing an image takes esptool: pip install hearthgate[image]")
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", str(_BAUD)]
    done = subprocess.run([*command, "write-flash", _OFFSETS[chip], str(image)], check=False)  # noqa: S603
    if done.returncode:
        raise FlashError(
            f"{port}: the image was not written (esptool says why above). Hold the board's BOOT button while it is "
            "plugged in, and try again."
        )
