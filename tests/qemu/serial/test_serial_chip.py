"""The chip of a virtual board: it has a line only while it has power, and what ends it is told."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import serial_chip
from tools.serial_board import CHIP_ID, HEAP_KIB
from tools.serial_chip import POWER_ON, Chip

PATIENCE_S = 20.0


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[Chip]:
    made = Chip(tmp_path / "flash", chip_id=CHIP_ID, heap_kib=HEAP_KIB, wifi=None)
    yield made
    made.close()


def until_prompt(chip: Chip) -> None:
    said = b""
    while not said.endswith(b">>> "):
        assert select.select([chip.line], [], [], PATIENCE_S)[0], said
        said += os.read(chip.line, 4096)


def test_it_has_a_line_while_it_has_power(chip: Chip) -> None:
    assert (chip.runs, chip.line, chip.end()) == (False, -1, None)
    chip.start(POWER_ON, main=False, cut_after=-1)
    until_prompt(chip)
    assert chip.runs
    assert chip.end(signal.SIGKILL) == -signal.SIGKILL
    assert (chip.runs, chip.line) == (False, -1)


def test_a_reset_is_told_by_its_signal(chip: Chip) -> None:
    chip.start(POWER_ON, main=False, cut_after=-1)
    until_prompt(chip)
    os.write(chip.line, b"import machine; machine.reset()\r")
    assert chip.end() == -signal.SIGUSR1


def test_a_start_that_fails_leaves_nothing_open(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_chip, "find_micropython", lambda: "/nowhere/micropython")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        chip.start(POWER_ON, main=False, cut_after=-1)
    assert os.listdir("/proc/self/fd") == before
    assert not chip.runs
