"""Opens what a board on a cable speaks through, as the table `serial` of board.json says. Needed once.

{"uart": 1, "baud": 115200, "tx": 17, "rx": 16}: a UART of its own. {"usb": true}: the line of the prompt; Ctrl-C still
leads there. {"path": "/dev/ttyS0"}: a terminal, on a port that has a file system of an operating system.
"""

import sys

from micropython import const

_BAUD = const(115200)
_BITS = const(10)  # a byte with its start and stop
_BUFFER_BYTES = const(1024)
_PIECE = const(256)


def open_port(settings):
    """(what is read, what is written, how many bytes to ask for at once, whether it is the prompt, µs that a byte
    takes). Raises OSError."""
    baud = settings.get("baud", _BAUD)
    byte_us = _BITS * 1000000 // baud
    if "uart" in settings:
        from machine import UART

        pins = {name: settings[name] for name in ("tx", "rx") if name in settings}
        port = UART(settings["uart"], baudrate=baud, timeout=0, rxbuf=_BUFFER_BYTES, **pins)
        return port, port, _PIECE, False, byte_us
    # What is no UART waits for all the bytes that it is asked for.
    if "path" in settings:
        port = open(settings["path"], "r+b")
        return port, port, 1, False, byte_us
    import micropython

    micropython.kbd_intr(-1)
    return sys.stdin.buffer, sys.stdout.buffer, 1, True, byte_us
