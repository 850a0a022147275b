"""Runs the cases of tests/firmware on an emulated board, each after a restart, and reports time and heap."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from tests.qemu.conftest import Report
from tools.qemu_board import ROOT, BoardError, Prompt

HERE = Path(__file__).parent
FIRMWARE = ROOT / "firmware"
CASES = ROOT / "tests" / "firmware"
RUNNER = (HERE / "mpy" / "run_case.py",)
CASE_S = 60.0


def names_in(script: Path, without: Sequence[str] = ()) -> list[str]:
    """Its `test_` functions."""
    found = re.findall(r"^(?:async )?def (test_\w+)\(\)", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{script.name} holds no case"
    assert set(without) <= set(found), f"{script.name} has no longer what is left out of it"
    return [name for name in found if name not in without]


def run_all(board: Prompt, report: Report, script: Path, modules: Sequence[Path], without: Sequence[str] = ()) -> None:
    """Every case; a failure says all that failed."""
    board.put_modules([*RUNNER, *modules, script])
    names = names_in(script, without)
    failed = []
    slowest_s, heap = 0.0, []
    for name in names:
        board.restart()
        started = time.monotonic()
        try:
            said = board.run(f"from run_case import run\nprint(run({script.stem!r}, {name!r}))", CASE_S)
            heap.append(int(said.splitlines()[-1]))
        except BoardError as why:
            failed.append(f"{name}: {why}")
        slowest_s = max(slowest_s, time.monotonic() - started)
    left = f", heap free at least {min(heap):,} B" if heap else ""
    report(f"{script.stem}: {len(names)} cases, the slowest {slowest_s:.1f} s{left}")
    assert not failed, "\n".join(failed)
