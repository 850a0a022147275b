"""Runs a board's own firmware on this machine, under real MicroPython with a board's heap.

A virtual board is a folder that holds what a board's flash would: the firmware, drivers and a board.json.
MicroPython's unix port runs it; its standard output is the board's serial console. The world that a `*-sim` board
measures runs beside it as a process of its own: it goes on while the board is dead, and takes none of its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.broker.access import mqtt_password
from gateway.flash import boardfile
from tools.board_folder import ROOT, BoardError, find_micropython, flash

__all__ = ["BoardError", "VirtualBoard", "find_micropython", "flash"]

HEAP_KIB: Final = 128
"""MicroPython's heap. With 64-bit words it holds about half of what it would on an ESP32."""

SOURCE_HEAP_KIB: Final = 256
"""Heap where nothing can be precompiled: compiling the largest module alone takes 50 KiB for a moment."""

WORLD: Final = ROOT / "boards" / "sim" / "sim_world.py"
"""What a world's process runs, beside the board's own modules."""

SIM_FLASH: Final = ROOT / "boards" / "sim" / "sim_flash.py"
"""Mounts a littlefs image, as a board's flash is one, and runs the firmware on it."""

IMAGE_BLOCKS: Final = 160
"""Blocks of 4 KiB in an image: the journal's usual bound, twice, and some for counters and directories."""

_CONSOLE_LINES: Final = 200
_LED_CHANGES: Final = 64
_LED_PERIOD_S: Final = 2.0
_LED_PATTERNS: Final = {0: "off", 1: "slow", 2: "two short", 8: "fast"}
"""By how often it goes on in a period."""


class VirtualBoard:
    """One emulated board. `health` is the newest dictionary of its console's `HG` lines, None before the first; `led`
    holds when (monotonic seconds) its LED last went on (1) and off (0).

    speed: simulated seconds in a real one. epoch_ms: real Unix milliseconds at which simulated time is real time; None
    for a board whose clock nobody sets.
    workdir: the folder that becomes the board's flash; its counters in there outlive a restart.
    image: where the board gets a littlefs of its own, in this file; `workdir` then holds the code only, and what the
    board writes goes through a block device to the image. starter: what runs in place of sim_flash.py then, with
    `starter_arguments` after its arguments.
    settings: more keys of board.json. on_line: gets every line of the console.
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
        epoch_ms: int | None,
        workdir: Path,
        heap_kib: int = HEAP_KIB,
        sim: dict[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        image: Path | None = None,
        starter: Path = SIM_FLASH,
        starter_arguments: Sequence[str] = (),
        on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.board_name = board_name
        self.device = device
        self.workdir = Path(workdir)
        self.health: dict[str, Any] | None = None
        self.console: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self.restarts = 0
        self.led: deque[tuple[float, int]] = deque(maxlen=_LED_CHANGES)
        self.starter_arguments = tuple(starter_arguments)
        self._settings = dict(settings or {})
        self._image = image
        self._starter = starter
        self._on_line = on_line
        self._heap_kib = heap_kib
        self._json: dict[str, Any] = {
            "device": device,
            "key_hex": key if isinstance(key, str) else key.hex(),
            "name": name,
            "mqtt": {
                "host": mqtt_host,
                "port": mqtt_port,
                "user": device,
                "password": mqtt_password(bytes.fromhex(key) if isinstance(key, str) else key),
                **self._settings.pop("mqtt", {}),
            },
            "wifi": None,
            "sim": {"seed": seed, "speed": speed, "epoch_ms": epoch_ms, **(sim or {})},
        }
        self._seed, self._speed = seed, speed
        self._process: asyncio.subprocess.Process | None = None
        self._world: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._world_reader: asyncio.Task[None] | None = None
        self._final = asyncio.Event()
        self._stopping = False
        self._flashed = False
        self._error: BoardError | None = None

    async def start(self) -> None:
        """Flash the folder and start the firmware, and its world if that does not run yet. Raises BoardError.

        Where the code lies beside an image, it is put there once: it does not change while the board lives.
        """
        micropython = find_micropython()
        try:
            if self._world is None:
                self._json["sim"]["world"] = await self._begin_world(micropython)
            if self._image is None or not self._flashed:
                await self._flash()
        except (boardfile.BoardFileError, OSError) as e:
            raise BoardError(f"{self.board_name}: {e}") from e
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

    async def wait_ended(self) -> int | None:
        """Wait until the board no longer runs; return the status of its process."""
        await self._final.wait()
        return None if self._process is None else self._process.returncode

    def check(self) -> None:
        """Raise BoardError if the board is no longer running, and nobody asked it to end."""
        if self._error is not None:
            raise self._error

    def press(self, seconds: int, button: str = "button") -> None:
        """Hold a button of the board for so many seconds of the household's time. Needs a board that was started."""
        if self._world is not None and self._world.stdin is not None:
            self._world.stdin.write(f"press {button} {seconds}\n".encode())

    def led_pattern(self) -> str:
        """What the LED showed in the last two seconds: on, off, slow, two short, fast; "changing" if none of these."""
        since_s = time.monotonic() - _LED_PERIOD_S
        recent = [value for at_s, value in self.led if at_s >= since_s]
        if not recent:
            return "on" if self.led and self.led[-1][1] else "off"
        return _LED_PATTERNS.get(recent.count(1), "changing")

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
        if self._world_reader is not None:
            await self._world_reader
            self._world_reader = None

    async def _flash(self) -> None:
        more = () if self._image is None else (SIM_FLASH, self._starter)
        if not await asyncio.to_thread(flash, self.board_name, self.workdir, self._settings, more, **self._json):
            self._heap_kib = max(self._heap_kib, SOURCE_HEAP_KIB)
        self._flashed = True

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
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = await self._world.stdout.readline() if self._world.stdout else b""
        if b"ready" not in said:
            raise BoardError(f"{self.board_name}: its world does not start: {said.decode(errors='replace').strip()}")
        self._world_reader = asyncio.create_task(self._watch_world(self._world))
        return port

    async def _watch_world(self, world: asyncio.subprocess.Process) -> None:
        """Read what the world says of the board: when its LED goes on and off."""
        while world.stdout and (line := await world.stdout.readline()):
            word, _, value = line.decode("utf-8", "replace").strip().partition(" ")
            if word == "led" and value in ("0", "1"):
                self.led.append((time.monotonic(), int(value)))

    async def _spawn(self, micropython: str) -> asyncio.subprocess.Process:
        program, environment = ["main.py"], None
        if self._image is not None:
            code = self.workdir.resolve()
            places = map(str, (self._image.resolve(), code, code / "board.json"))
            program = ["-m", self._starter.stem, *places, str(IMAGE_BLOCKS), *self.starter_arguments]
            # What starts the firmware is precompiled too: compiling it there would leave holes in the heap.
            environment = {**os.environ, "MICROPYPATH": f"{code}:.frozen"}
        return await asyncio.create_subprocess_exec(
            micropython,
            "-X",
            f"heapsize={self._heap_kib}k",
            *program,
            cwd=self.workdir,
            env=environment,
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
            self._on_line(text)
            if text.startswith("HG "):
                with contextlib.suppress(ValueError):  # cut by a kill
                    self.health = json.loads(text[3:])
        return await process.wait()

    def _last_words(self) -> str:
        return "".join(f"\n  {line}" for line in list(self.console)[-12:])
