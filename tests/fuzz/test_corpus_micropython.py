"""The corpus of the firmware's readers, under real MicroPython: it makes of every input what CPython makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import fuzz_corpus, fuzz_targets
from tools.fuzz_board import TARGETS
from tools.fuzz_reader import read
from tools.onboard import FIRMWARE

HERE = Path(__file__).parent
NAMES = [target.name for target in TARGETS]
# The firmware is compiled here as it is read, and inputs and answers are on the heap too: more than a board's 128 KiB.
HEAP = "384k"
# MicroPython's own reader of JSON takes more than the standard has; what it takes is checked by the same code.
OTHER_JSON = ("config",)


def replayed(micropython: str, folder: Path, name: str, inputs: list[bytes]) -> list[str]:
    script, parsers = HERE / "mpy" / "replay.py", FIRMWARE.parent / "tools" / "mpy"
    done = subprocess.run(
        [micropython, "-X", f"heapsize={HEAP}", script, FIRMWARE, parsers, name],
        input="".join(data.hex() + "\n" for data in inputs),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    answers = [line[1:] for line in done.stdout.splitlines() if line.startswith("=")]
    assert len(answers) == len(inputs), done.stdout[-2000:]
    return answers


@pytest.mark.parametrize("name", NAMES)
def test_micropython_reads_every_kept_input_as_cpython_does(micropython: str, tmp_path: Path, name: str):
    target = fuzz_targets.find(name)
    inputs = fuzz_corpus.inputs(target)
    here = []
    with read(name) as parser:
        for data in inputs:
            try:
                here.append(parser(data))
            except target.declared:
                here.append("refused")
    there = replayed(micropython, tmp_path, name, inputs)
    breaks = [(data.hex(), answer) for data, answer in zip(inputs, there, strict=True) if answer.startswith("breaks")]
    assert breaks == []
    if name not in OTHER_JSON:
        differ = [row for row in zip((data.hex() for data in inputs), here, there, strict=True) if row[1] != row[2]]
        assert differ == []
