"""The drivers on a 32-bit processor: all cases of tests/firmware/mpy_drivers, each with its scripted bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.qemu.conftest import Report
from tests.qemu.machine.cases import CASES, FIRMWARE, run_all
from tools.qemu_board import Prompt

SCRIPTS = sorted((CASES / "mpy_drivers").glob("*_cases.py"))
BUS = [
    path for path in sorted((CASES / "mpy_drivers").glob("*.py")) if path not in SCRIPTS and path.stem != "board_run"
]
SHARED = [FIRMWARE / "drivers" / f"{name}.py" for name in ("sensor", "humidity")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem.removesuffix("_cases"))
def test_driver(script: Path, board: Prompt, report: Report) -> None:
    driver = FIRMWARE / "drivers" / f"{script.stem.removesuffix('_cases')}.py"
    run_all(board, report, script, [*BUS, *SHARED, driver])
