"""The whole firmware on a 32-bit processor with a heap of 140 KiB, without a network: it starts, and it stays up."""

from __future__ import annotations

import pytest

from tests.qemu.conftest import Report
from tests.qemu.machine.conftest import Machine
from tools.bench_qemu import BOARDS, start_board
from tools.qemu_board import Prompt

HEAP_FREE = 48 << 10
"""What a running board is to have left."""


@pytest.mark.parametrize("name", BOARDS)
def test_it_starts_and_has_heap_left(name: str, board: Prompt, machine: Machine, report: Report):
    found = start_board(board, name)
    report(
        f"{name}: modules {found['bytes']:,} B, heap free {found['free']:,} of {found['empty']:,} B, "
        f"started in {found['start_ms'] / 1000:.1f} s"
    )
    assert found["crashes"] == 0, "no task of it crashed"
    assert found["free"] > HEAP_FREE
