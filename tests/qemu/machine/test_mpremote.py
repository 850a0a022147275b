"""The real mpremote command takes the emulated board for a board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.qemu_board import Prompt

TEXT = "".join(f"a line of {n}\n" for n in range(60))


def mpremote(url: str, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", url, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_copies_a_file_there_and_back_and_runs_code(board: Prompt, tmp_path: Path):
    # Its UART has one line: the prompt is hung up.
    with board:
        url = board.url
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_text(TEXT)
    mpremote(url, "fs", "cp", str(sent), ":note")
    assert mpremote(url, "exec", "print(len(open('note').read()))").strip() == str(len(TEXT))
    mpremote(url, "fs", "cp", ":note", str(back))
    assert back.read_text() == TEXT
