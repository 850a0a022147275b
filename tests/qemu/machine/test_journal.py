"""The journal on a 32-bit processor: its records byte for byte, and the cases of tests/firmware on littlefs there."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest

from tests.qemu.conftest import Report
from tests.qemu.machine.cases import CASES, FIRMWARE, HERE, run_all
from tests.qemu.machine.conftest import Machine
from tools.qemu_board import ROOT, Prompt

MODULES = [FIRMWARE / f"{name}.py" for name in ("segments", "upkeep", "journal")]
SEALING = [FIRMWARE / f"{name}.py" for name in ("cbor", "bitpack", "packing", "frame", "mac", "sealer", "thinning")]
STAGE = [ROOT / "boards" / "sim" / "sim_flash.py", CASES / "mpy" / "flash_stage.py"]
RAM = HERE / "mpy" / "ram_file.py"

SLOW = {
    "segments_cases": ["test_boots_behind_an_older_one_wait_for_it_and_are_not_offered"],
    "journal_cases": [
        "test_random_histories_keep_order_bound_and_account",
        "test_few_copies_of_what_is_on_flash_stay_in_memory",
        "test_memory_holds_nothing_that_flash_has_given_up",
    ],
}
"""What writes hundreds of files takes minutes where a processor is emulated; tests/firmware runs it."""

FRAMES = [(7, 1, b"\x01\x02\x03", True), (7, 2, bytes(range(256)), False), (2**32 - 1, 2**31, b"", True)]


def record(boot: int, seq: int, payload: bytes, keep: bool) -> bytes:
    """As firmware/segments.py says: length, boot, seq, flags, CRC-32 of these 11 bytes and of the payload, payload."""
    head = struct.pack("<HIIB", len(payload), boot, seq, keep)
    return head + struct.pack("<I", zlib.crc32(head + payload)) + payload


def test_a_record_is_the_same_bytes_as_on_any_machine(board: Prompt):
    board.put_modules(MODULES)
    board.run("from segments import record")
    for boot, seq, payload, keep in FRAMES:
        assert board.ask(f"bytes(record({boot}, {seq}, {payload!r}, {keep}))") == record(boot, seq, payload, keep)


def test_frames_outlive_a_reset_of_the_processor(board: Prompt, qemu: Any, machine: Machine):
    board.put_modules(MODULES)
    made = "from segments import Segments\nsegments = Segments('outlives')"
    board.run(f"{made}\nfrom segments import record")
    written = b"".join(record(7, seq, bytes([seq]) * 40, seq == 2) for seq in range(1, 21))
    assert board.ask(f"segments.append({written!r}, 0, {len(written)})") == (len(written), 20)
    qemu._hard_reset()
    board.restart(machine.boot_s)
    board.run(made)
    assert board.ask("(segments.boot, segments.frames, segments.cut)") == (7, 20, 0)
    assert board.ask("open('outlives/1', 'rb').read()") == written
    assert board.ask("segments.after(7, 19)") == (7, 20, bytes([20]) * 40)


@pytest.mark.parametrize("script", ["segments_cases", "journal_cases", "counter_cases", "sealer_cases"])
def test_case(script: str, board: Prompt, machine: Machine, report: Report):
    modules = MODULES if script == "counter_cases" else [*MODULES, *STAGE]
    if machine.bare and script != "counter_cases":
        modules = [*modules, RAM]
    if script == "sealer_cases":
        modules = [*MODULES, *SEALING]
    run_all(board, report, CASES / "mpy" / f"{script}.py", modules, SLOW.get(script, []))
