"""The firmware under real MicroPython with a board's heap: every `test_` function in mpy/*_cases.py is a case here.

Each runs in a process of its own (mpy/run_case.py), in an empty folder, so that no case sees another's files or heap.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOLDERS = (ROOT / "firmware", ROOT / "boards" / "sim")
HEAP = "128k"
TIMEOUT_S = 150
"""For the slowest, which cut the power some thousand times, on a busy machine."""


def _cases() -> list[str]:
    cases = []
    for script in sorted((HERE / "mpy").glob("*_cases.py")):
        found = re.findall(r"^(?:async )?def (test_\w+)\(\)", script.read_text(encoding="utf-8"), re.MULTILINE)
        assert found, f"{script.name} holds no case"
        cases += [f"{script.stem}:{name}" for name in found]
    return cases


@pytest.mark.parametrize("case", _cases())
def test_case(case: str, micropython: str, tmp_path: Path) -> None:
    """What the function of that name asserts."""
    script, function = case.split(":")
    done = subprocess.run(
        [
            micropython,
            "-X",
            f"heapsize={HEAP}",
            HERE / "mpy" / "run_case.py",
            ":".join(map(str, FOLDERS)),
            script,
            function,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
