"""boards/sim/sim_flash.py: a flash in a file, power that goes in the middle of a write, and a board that runs on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SIM = Path(__file__).parent.parent.parent / "boards" / "sim"
BLOCK = 4096

WRITES = """
import sys
sys.path.insert(0, {sim!r})
import sim_flash
flash = sim_flash.mount({image!r}, blocks=16)
with open("kept", "wb") as file:
    file.write(b"kept" * 100)
print("kept")
flash.cut_after({budget})
with open("late", "wb") as file:
    file.write(b"late" * 500)
print("late")
"""

LOOKS = """
import os, sys
sys.path.insert(0, {sim!r})
import sim_flash
flash = sim_flash.mount({image!r}, blocks=16)
assert flash.programmed == flash.erased == 0, "looking writes nothing"
assert open("kept", "rb").read() == b"kept" * 100
print(sorted(os.listdir()), os.stat("late")[6] if "late" in os.listdir() else None)
"""


def run(micropython: str, source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([micropython, "-c", source], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("budget", [0, 1, 100, 4000, 4200, 6000])
def test_the_power_goes_and_littlefs_has_what_was_closed(budget: int, micropython: str, tmp_path: Path) -> None:
    """In the middle of an erasure, of data or of a commit: the process is gone at once, the flash is whole."""
    values = {"sim": str(SIM), "image": str(tmp_path / "flash.img"), "budget": budget}
    done = run(micropython, WRITES.format(**values))
    assert (done.returncode, done.stdout) == (-9, "kept\n"), done.stderr
    looked = run(micropython, LOOKS.format(**values))
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.strip() in ("['kept'] None", "['kept', 'late'] 0")


def test_power_that_stays_writes_all_of_it(micropython: str, tmp_path: Path) -> None:
    """And the image is as large as the flash, with blocks that nobody used still erased."""
    image = tmp_path / "flash.img"
    values = {"sim": str(SIM), "image": str(image), "budget": 1 << 20}
    assert run(micropython, WRITES.format(**values)).stdout == "kept\nlate\n"
    assert run(micropython, LOOKS.format(**values)).stdout.strip() == "['kept', 'late'] 2000"
    data = image.read_bytes()
    assert len(data) == 16 * BLOCK
    assert data[-BLOCK:] == b"\xff" * BLOCK


def test_it_runs_a_board_on_the_flash(micropython: str, tmp_path: Path) -> None:
    """The code comes from its folder; what the firmware writes, and its settings, are in the image."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text(
        "import os\n"
        "print(os.getcwd(), open('board.json').read())\n"
        "open('seen', 'a').close()\n"
        "print(sorted(os.listdir()))\n"
    )
    settings = tmp_path / "board.json"
    for text in ('{"a": 1}', '{"a": 2}'):
        settings.write_text(text)
        done = subprocess.run(
            [micropython, "-X", "heapsize=128k", SIM / "sim_flash.py", tmp_path / "flash.img", code, settings, "24"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [f"/flash {text}", "['board.json', 'seen']"]
    assert (tmp_path / "flash.img").stat().st_size == 24 * BLOCK
    assert not (tmp_path / "seen").exists()
