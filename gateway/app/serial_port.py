"""The port at the gateway's end of a serial line, as the settings name it: `serial:/dev/ttyUSB0?baud=115200`, or
`socket://host:port` (an emulator's, or a terminal server's)."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["DEFAULT_BAUD", "baud_of", "line_for", "open_port", "place", "place_of"]

DEFAULT_BAUD = 115_200
_SOCKET = "socket://"
_BY_ID = Path("/dev/serial/by-id")  # Linux names a USB port there by what is plugged in, not by when


def open_port(url: str) -> Any:
    """The open port, which never blocks. Raises OSError."""
    import serial  # noqa: PLC0415 - only who has a board on a cable

    if url.startswith(_SOCKET):
        return serial.serial_for_url(url, timeout=0, write_timeout=0)
    port = serial.Serial(timeout=0, write_timeout=0, exclusive=True if os.name == "posix" else None)
    port.port, port.baudrate = urlsplit(url).path, baud_of(url)
    # On most boards these two lines are wired to reset and boot mode: they are left alone.
    port.dtr = port.rts = False
    port.open()
    return port


def baud_of(url: str) -> int:
    """Bits a second."""
    return int(parse_qs(urlsplit(url).query).get("baud", [str(DEFAULT_BAUD)])[0])


def place(port: str) -> str:
    """What a person calls a port ("/dev/ttyUSB0", or a link to it), by the one name that tells whether two are one."""
    return port if port.startswith(_SOCKET) else os.path.realpath(port)


def place_of(url: str) -> str:
    """The same of a line in the settings."""
    return place(url if url.startswith(_SOCKET) else urlsplit(url).path)


def line_for(port: str, baud: int = DEFAULT_BAUD) -> str:
    """The url for the settings that means a port of this machine; of its names the one that stays."""
    if port.startswith(_SOCKET):
        return port
    lasting = [str(link) for link in sorted(_BY_ID.glob("*")) if place(str(link)) == place(port)]
    return f"serial:{(lasting or [port])[0]}{'' if baud == DEFAULT_BAUD else f'?baud={baud}'}"
