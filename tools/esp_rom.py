"""The boot loader in an ESP32's ROM, and the part that esptool loads beside it, on a pseudo-terminal.

The real esptool takes it for a chip in download mode, and writes a real image. What comes and goes is Espressif's
serial protocol (docs.espressif.com/projects/esptool, "Serial Protocol"). The flash is NOR: what is written only clears
bits, what is erased sets them.
"""

from __future__ import annotations

import hashlib
import os
import select
import struct
import threading
import tty
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

__all__ = ["FLASH_BYTES", "EspRom"]

FLASH_BYTES: Final = 4 << 20
_SECTOR: Final = 4096

_CHIPS: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "esp32": (0, 0x3FF42000, 0x24, 0x80),
    "esp32c3": (5, 0x60002000, 0x20, 0x58),
    "esp32s3": (9, 0x60002000, 0x20, 0x58),
}
"""Its number; where the registers of its SPI begin, and among them those of a command to the flash and its answer."""

_MAGIC: Final = 0x40001000
_UART_DIVIDER: Final = 0x3FF40014
_ESP32: Final = {_MAGIC: 0x00F01D83, _UART_DIVIDER: 347}
"""Registers by which esptool knows an ESP32, which does not say its number, and its crystal of 40 MHz."""
_READ_ID: Final = 0x9F
_FLASH_ID: Final = 0x1640EF
"""Of a flash with 4 MiB, as JEDEC has it: maker, kind, 2^22 bytes."""

_DONE: Final = bytes(4)
_REFUSED: Final = b"\x01\x05\0\0"


class EspRom:
    """A chip in download mode on `port`, which is there in a `with`. `flash` is its flash; `erasures` counts how often
    all of it was erased; `verified` is set when esptool has compared what it wrote.

    chip: as board.toml has it. holds: address -> bytes there; all else is erased. deaf: it is not in download mode.
    """

    def __init__(self, chip: str, holds: Mapping[int, bytes] | None = None, *, deaf: bool = False) -> None:
        self.flash = bytearray(b"\xff" * FLASH_BYTES)
        self.erasures = 0
        self.verified = threading.Event()
        for at, data in (holds or {}).items():
            self._program(at, data)
        self._number, self._spi, self._spi_command, self._spi_answer = _CHIPS[chip]
        self._registers = dict(_ESP32) if chip == "esp32" else {}
        self._commands = self._rom() | ({} if chip == "esp32" else {0x14: self._security})
        self._deaf = deaf
        self._at = 0
        self._inflate: Any = None
        self._line, self._kept = os.openpty()
        tty.setraw(self._kept)
        self.port = os.ttyname(self._kept)
        self._closed, self._close = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._close, b"!")
        self._thread.join()
        for end in (self._line, self._kept, self._closed, self._close):
            os.close(end)

    def _serve(self) -> None:
        for packet in self._packets():
            if self._deaf or len(packet) < 8 or packet[0] != 0:  # or the acknowledgment of what was read
                continue
            command = packet[1]
            does = self._commands.get(command)
            value, data = (0, _REFUSED) if does is None else does(packet[8:])
            for _ in range(8 if command == 0x08 else 1):
                self._say(struct.pack("<BBHI", 1, command, len(data), value) + data)
            if command == 0x06:  # what was loaded runs now, and greets
                self._commands |= self._loaded()
                self._say(b"OHAI")
            elif command == 0xD2 and data == _DONE:
                self._read(packet[8:])

    def _packets(self) -> Iterator[bytes]:
        """What comes in SLIP (RFC 1055), until it is closed."""
        came = b""
        while True:
            ready, _, _ = select.select([self._line, self._closed], [], [])
            if self._closed in ready:
                return
            *packets, came = (came + os.read(self._line, 1 << 16)).split(b"\xc0")
            for packet in packets:
                yield packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")

    def _say(self, packet: bytes) -> None:
        rest = b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
        while rest:
            rest = rest[os.write(self._line, rest) :]

    def _rom(self) -> dict[int, Callable[[bytes], tuple[int, bytes]]]:
        """Number of a command -> what it does with its data: the value and the data of the answer."""
        nothing = (
            0x05,
            0x06,
            0x07,
            0x0B,
            0x0D,
            0x0F,
        )  # what is loaded and started; the flash's pins and size; the baud
        return dict.fromkeys(nothing, _nothing) | {
            0x08: lambda _: (0 if 0xD0 in self._commands else 0x20120707, _DONE),
            0x09: self._write_register,
            0x0A: lambda data: (self._registers.get(_words(data)[0], 0), _DONE),
        }

    def _loaded(self) -> dict[int, Callable[[bytes], tuple[int, bytes]]]:
        return {
            0x02: self._begin,
            0x03: lambda data: self._more(data[16:]),
            0x04: _nothing,
            0x10: self._begin,
            0x11: lambda data: self._more(self._inflate.decompress(data[16:])),
            0x12: _nothing,
            0x13: self._md5,
            0xD0: self._erase_all,
            0xD1: lambda data: self._erase(*_words(data)[:2]),
            0xD2: _nothing,
        }

    def _security(self, _: bytes) -> tuple[int, bytes]:
        """None of it is switched on; and what chip it is."""
        return 0, bytes(12) + struct.pack("<II", self._number, 0) + _DONE

    def _write_register(self, data: bytes) -> tuple[int, bytes]:
        where, value = _words(data)[:2]
        self._registers[where] = value
        if where == self._spi:  # the flash is asked something, and answers at once
            asked = self._registers.get(self._spi + self._spi_command, 0) & 0xFF
            self._registers[where] = 0
            self._registers[self._spi + self._spi_answer] = _FLASH_ID if asked == _READ_ID else 0
        return 0, _DONE

    def _begin(self, data: bytes) -> tuple[int, bytes]:
        size, _, _, self._at = _words(data)[:4]
        self._inflate = zlib.decompressobj()
        return self._erase(self._at, -(-size // _SECTOR) * _SECTOR)

    def _more(self, data: bytes) -> tuple[int, bytes]:
        self._program(self._at, data)
        self._at += len(data)
        return 0, _DONE

    def _program(self, at: int, data: bytes) -> None:
        there = int.from_bytes(self.flash[at : at + len(data)], "big")
        self.flash[at : at + len(data)] = (there & int.from_bytes(data, "big")).to_bytes(len(data), "big")

    def _erase(self, at: int, size: int) -> tuple[int, bytes]:
        self.flash[at : at + size] = b"\xff" * size
        return 0, _DONE

    def _erase_all(self, _: bytes) -> tuple[int, bytes]:
        self.erasures += 1
        return self._erase(0, FLASH_BYTES)

    def _md5(self, data: bytes) -> tuple[int, bytes]:
        at, size = _words(data)[:2]
        self.verified.set()
        return 0, hashlib.md5(self.flash[at : at + size], usedforsecurity=False).digest() + _DONE

    def _read(self, data: bytes) -> None:
        at, size, piece, _ = _words(data)[:4]
        wanted = bytes(self.flash[at : at + size])
        for start in range(0, size, piece):
            self._say(wanted[start : start + piece])
        self._say(hashlib.md5(wanted, usedforsecurity=False).digest())


def _nothing(_: bytes) -> tuple[int, bytes]:
    return 0, _DONE


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
