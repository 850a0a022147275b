"""What goes wrong at a board's port, as a sentence that says what to do."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator

import pytest

from gateway.flash.port import FlashError
from gateway.flash.remote import Remote

CORRUPTED = b"""The filesystem appears to be corrupted. If you had important data there, you
may want to make a flash snapshot to try to recover it. Otherwise, perform
factory reprogramming of MicroPython firmware (completely erase flash, followed
by firmware programming).
"""


@pytest.fixture
def stuck() -> Iterator[str]:
    """The port of a MicroPython that Ctrl-C stops, and that cannot mount its files after each soft reset."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            came = os.read(ours, 1024)
            if b"\x01" in came:
                os.write(ours, b"raw REPL; CTRL-B to exit\r\n>")
            if b"\x04" in came:
                os.write(ours, b"OK\r\nMPY: soft reboot\r\n" + CORRUPTED.replace(b"\n", b"\r\n"))

    thread = threading.Thread(target=serve)
    thread.start()
    yield os.ttyname(theirs)
    ended.set()
    thread.join()
    os.close(ours)
    os.close(theirs)


def test_a_micropython_that_cannot_mount_its_files_is_to_be_erased(stuck: str) -> None:
    with pytest.raises(FlashError, match="Write it again with --image FILE --erase"), Remote.open(stuck, 0):
        pass
