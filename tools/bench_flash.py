"""Flashing the virtual board by the real command: how long it takes, what it copies, how much lies on each board."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.flash import contents
from gateway.flash.boardfile import list_boards
from gateway.flash.compiling import MpyFormat, find_command
from gateway.flash.sources import BOARDS, find_board, own_modules
from tools.bench import Figure
from tools.board_folder import ROOT
from tools.serial_board import SerialBoard

_BOARD: Final = "kettle-sim"
_ARCHITECTURES: Final = {"unix": "x64", "esp32": "xtensawin", "esp32c3": "rv32imc", "esp32s3": "xtensawin"}
_MOST_BYTES: Final = 64 * 1024


def _hearthgate(folder: Path, *arguments: str) -> tuple[float, str]:
    """Seconds that the command took, and what it said."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"hearthgate {arguments[0]}: {done.stderr}")
    return time.perf_counter() - begun, done.stdout


@contextlib.contextmanager
def _gateway(folder: Path) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = f'[broker]\nhost = "127.0.0.1"\nport = {port}\nbuiltin = true\n[console]\nenabled = false\n'
    (folder / "hearthgate.toml").write_text(settings, encoding="utf-8")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        try:
            while not (folder / "hearthgate.sqlite.sock").exists():
                if process.poll() is not None:
                    raise RuntimeError(f"the gateway ended: {(folder / 'log').read_text(encoding='utf-8')}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _by_hand(port: str, folder: Path) -> float:
    """Seconds of `mpremote fs cp` for the same modules, compiled before."""
    code = folder / "code"
    code.mkdir()
    for name, data in contents.slot_files(find_board(_BOARD), MpyFormat(6, 3, "x64")).items():
        (code / name).write_bytes(data)
    begun = time.perf_counter()
    command = [find_command("mpremote") or "mpremote", "connect", port, "fs", "cp", *map(str, code.iterdir()), ":"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - begun


def _copied(said: str) -> int:
    found = re.search(r"(\d+) files copied", said)
    if found is None:
        raise RuntimeError(f"hearthgate flash said nothing of files: {said}")
    return int(found[1])


def figures() -> Iterator[Figure]:
    """Every figure of this group."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _gateway(folder), SerialBoard(folder / "flash") as board, SerialBoard(folder / "other") as other:
            by_hand_s = _by_hand(other.port, folder)
            flash = ("flash", "--port", board.port, "--board", _BOARD)
            first_s, first = _hearthgate(folder, *flash, "--wait", "0")
            again_s, again = _hearthgate(folder, *flash, "--wait", "0")
            heard_s, _ = _hearthgate(folder, *flash)
    beside = "mpremote fs cp of the same modules"
    yield Figure("flash.first_s", first_s, "s", beside, by_hand_s, "under 10")
    yield Figure("flash.again_s", again_s, "s", "the first time", first_s, "under 2")
    yield Figure("flash.again_heard_s", heard_s, "s", "without waiting for its first frame", again_s)
    yield Figure("flash.again_files", _copied(again), "files", "the first time", _copied(first), "0")
    for made in list_boards(BOARDS):
        modules = contents.slot_files(made, MpyFormat(6, 3, _ARCHITECTURES[made.board.chip]))
        source = sum(path.stat().st_size for path in own_modules(made))
        size = sum(map(len, modules.values()))
        target = f"under {_MOST_BYTES}" if made.board.chip != "unix" else ""
        yield Figure(f"flash.firmware_bytes.{made.name}", size, "B", "its source", source, target)
