"""Images as micropython.org has them: boot loader, partition table and MicroPython, of which each is what esptool
takes for one, with random bytes for code."""

from __future__ import annotations

import functools
import hashlib
import operator
import random
import struct

FILES_AT = 0x200000
NUMBERS = {"esp32": 0, "esp32c3": 5, "esp32s3": 9}
OFFSETS = {"esp32": 0x1000, "esp32c3": 0, "esp32s3": 0}
_ADDRESS = 0x3FFF0000


def image(chip: str, vfs_at: int | None = None) -> bytes:
    """A whole one, 130 KB, as 1.27 is: the files go behind the last partition. vfs_at: the table says where they go, as
    it did until 1.25."""
    files = [] if vfs_at is None else [(b"vfs", 1, 0x81, vfs_at, 0x100000)]
    table = b"".join(
        struct.pack("<HBBII16sI", 0x50AA, kind, subkind, at, size, label, 0)
        for label, kind, subkind, at, size in (
            (b"nvs", 1, 2, 0x9000, 0x6000),
            (b"factory", 0, 0, 0x10000, FILES_AT - 0x10000),
            *files,
        )
    )
    table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
    boot_loader = program(chip, 3000).ljust(0x8000 - OFFSETS[chip], b"\xff")
    return boot_loader + table.ljust(0x8000, b"\xff") + program(chip, 64_000)


def program(chip: str, size: int) -> bytes:
    """One segment, as ESP-IDF's "App Image Format" has it."""
    code = random.Random(size).randbytes(size)
    header = struct.pack("<BBBBIBBBBH9sB", 0xE9, 1, 2, 0x20, _ADDRESS, 0xEE, 0, 0, 0, NUMBERS[chip], bytes(9), 1)
    body = header + struct.pack("<II", _ADDRESS, size) + code
    body += bytes(15 - len(body) % 16) + bytes([functools.reduce(operator.xor, code, 0xEF)])
    return body + hashlib.sha256(body).digest()
