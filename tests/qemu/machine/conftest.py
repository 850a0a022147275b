"""Boards that QEMU emulates: a Cortex-M3 that tools/qemu_port builds MicroPython for, and an ESP32 of the user's.

Every test runs on both. pytest-embedded starts QEMU (its fixture `qemu`); `board` is the prompt there. An ESP32 keeps
its files from test to test, the other has none at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.embedded import FIXTURES
from tools import esp32_image, qemu_board
from tools.qemu_board import Prompt

globals().update(FIXTURES)

HERE = Path(__file__).parent

ESP32_BOOT_S = 120.0
"""The first start formats the flash."""


@dataclass(frozen=True)
class Machine:
    """What QEMU is started with. `bare`: it is that of tests/qemu/board, with memory to spare beside its heap."""

    program: Path
    image: Path
    arguments: tuple[str, ...]
    bare: bool
    boot_s: float = 30.0


@pytest.fixture(scope="session")
def bare_machine() -> Machine:
    try:
        image = qemu_board.find_image()
    except qemu_board.NoImage as why:
        pytest.skip(str(why))
    return Machine(HERE.parent / "qemu_mps2", image, qemu_board.MACHINE, bare=True)


@pytest.fixture(scope="session")
def esp32_machine(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    program, image = (pytestconfig.getoption(name, default=None) for name in ("--esp32-qemu", "--esp32-image"))
    if not program or not image:
        pytest.skip("an ESP32 needs Espressif's QEMU and an image: tests/qemu --esp32-qemu PATH --esp32-image PATH")
    made = esp32_image.lay_out(Path(image).read_bytes())
    flash = tmp_path_factory.mktemp("esp32") / "flash.bin"
    flash.write_bytes(made.flash)
    # Emulated, it may be too slow for its own watchdog.
    no_watchdog = ("-global", f"driver=timer.{made.chip}.timg,property=wdt_disable,value=true")
    arguments = ("-machine", made.chip, "-nographic", "-monitor", "null", *no_watchdog)
    return Machine(Path(program), flash, arguments, bare=False, boot_s=ESP32_BOOT_S)


@pytest.fixture(params=["bare_machine", "esp32_machine"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """Each in turn."""
    chosen: Machine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def embedded_services() -> str:
    return "qemu"


@pytest.fixture
def qemu_image_path(machine: Machine) -> str:
    return str(machine.image)


@pytest.fixture
def qemu_prog_path(machine: Machine) -> str:
    return str(machine.program)


@pytest.fixture
def qemu_cli_args(machine: Machine, free_port: int) -> str:
    return " ".join([*machine.arguments, *qemu_board.on_serial(free_port)])


@pytest.fixture
def board(qemu: Any, machine: Machine, free_port: int) -> Iterator[Prompt]:
    """The board's prompt."""
    assert qemu.poll() is None
    with Prompt(free_port, machine.boot_s) as prompt:
        yield prompt
