"""The processes of a chaos run that are no boards: broker, gateway and cloud. Each can be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.chaos_gateway import set_offset
from tools.chaos_proxy import free_port

__all__ = ["Broker", "Cloud", "Gateway", "Part", "PartError"]

PATIENCE_S: Final = 30.0
_LINES: Final = 400
_CONNECT_S: Final = 10.0
_CONNECTED: Final = "connected to the broker"
_FILE_SIZE: Final = "Max file size"
_AGAIN_S: Final = 1.0
"""What ended by itself is started again after this, as a service manager would."""


class PartError(Exception):
    """A part cannot run; the text says what to do, or gives its last words."""


class Part:
    """One process. `ended`: a sentence for each time that it ended unasked, or otherwise than it was asked to."""

    stop_s = 15.0
    """How long it may take to end when it is asked to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.ended: list[str] = []
        self.lines: deque[str] = deque(maxlen=_LINES)
        self.process: asyncio.subprocess.Process | None = None
        self._wanted = False
        self._watcher: asyncio.Task[None] | None = None

    def command(self) -> list[str]:
        """What to run now."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Wait until it does its work, or is dead."""

    def heard(self, line: str) -> None:
        """It said something."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.alive:
            return
        await self._reap()
        self._wanted = True
        process = self.process = await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._watcher = asyncio.create_task(self._watch(process))

    async def kill(self) -> None:
        """Kill -9."""
        self._wanted = False
        if self.alive and self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self._reap()

    async def stop(self) -> None:
        """Ask it to end; kill it if it does not, and say so in `ended`."""
        self._wanted = False
        if self.alive and self.process is not None:
            try:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(self.stop_s):
                    await self.process.wait()
            except TimeoutError:
                self.ended.append(
                    f"the {self.name} still ran {self.stop_s:g} s after SIGTERM and was killed{self._last_words()}"
                )
            else:
                if self.process.returncode not in (0, -signal.SIGTERM):
                    self.ended.append(
                        f"the {self.name} was asked to end, and did with status {self.process.returncode}"
                        f"{self._last_words()}"
                    )
        await self.kill()

    async def _reap(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher is not asyncio.current_task():
            if not self.alive:
                # It may be in its pause before it starts the process again.
                watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Keep what it says in a file: it writes into a pipe, so that a full disk is not one for its log."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            while process.stdout and (line := await process.stdout.readline()):
                log.write(line)
                log.flush()
                self.lines.append(line.decode("utf-8", "replace").rstrip())
                self.heard(self.lines[-1])
        status = await process.wait()
        if self._wanted:
            self.ended.append(f"the {self.name} ended by itself with status {status}{self._last_words()}")
            await asyncio.sleep(_AGAIN_S)
            self._watcher = None
            await self.start()

    def _last_words(self) -> str:
        return "".join(f"\n  {line}" for line in list(self.lines)[-15:])


class Broker(Part):
    """One broker of a kind, or of each in turn. What it keeps on disk outlives it; mosquitto writes every 2 s."""

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__("broker", folder)
        self.port = free_port()
        kinds = ("mosquitto", "mosquitto-volatile", "amqtt") if kind == "mixed" else (kind,)
        self._turn = itertools.cycle(kinds)

    def command(self) -> list[str]:
        """The broker whose turn it is."""
        kind = next(self._turn)
        if kind == "amqtt":
            return [sys.executable, "-m", "tools.chaos_broker", str(self.port)]
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "max_queued_messages 0",
        ]
        if kind == "mosquitto":
            lines += ["persistence true", f"persistence_location {self.folder.resolve()}/", "autosave_interval 2"]
        if os.getuid() == 0:
            lines.append("user root")  # else it drops to a user who may not read the folder
        path = self.folder / f"{kind}.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [mosquitto(), "-c", str(path)]

    async def ready(self) -> None:
        """Until it takes connections."""
        await _listens(self.port, lambda: self.alive)


class Cloud(Part):
    """The stand-in cloud, with a file of its own."""

    def __init__(self, folder: Path, token: str) -> None:
        super().__init__("cloud", folder)
        self.port = free_port()
        self.path = folder / "cloud.sqlite"
        self._token = token

    def command(self) -> list[str]:
        """The cloud with good manners."""
        what = ("--port", str(self.port), "--db", str(self.path), "--token", self._token)
        return [sys.executable, "-m", "tools.cloud", *what]

    async def ready(self) -> None:
        """Until it takes connections."""
        await _listens(self.port, lambda: self.alive)


class Gateway(Part):
    """`hearthgate run` with a settings file, and a wall clock that can be stepped."""

    def __init__(self, folder: Path, settings: Path) -> None:
        super().__init__("gateway", folder)
        self.clock = folder / "gateway.clock"
        self._settings = settings
        self._connected = asyncio.Event()
        set_offset(self.clock, 0)

    def command(self) -> list[str]:
        """The command as a person would give it."""
        self._connected.clear()
        arguments = ("--settings", str(self._settings), "run")
        return [sys.executable, "-m", "tools.chaos_gateway", str(self.clock), *arguments]

    def heard(self, line: str) -> None:
        """See Part."""
        if _CONNECTED in line:
            self._connected.set()

    async def ready(self) -> None:
        """Until it has found the broker, or for as long as that takes as a rule: the broker may be away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                await self._connected.wait()

    def limit_files(self, most_bytes: int | None) -> bool:
        """Let no file grow beyond so many bytes, as if the disk was full; None lifts that. Whether it holds now."""
        if not self.alive or self.process is None:
            return False
        most = resource.RLIM_INFINITY if most_bytes is None else most_bytes
        try:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            told = Path(f"/proc/{self.process.pid}/limits").read_text(encoding="ascii")
        except (ProcessLookupError, FileNotFoundError):
            return False
        (line,) = [line for line in told.splitlines() if line.startswith(_FILE_SIZE)]
        return line.removeprefix(_FILE_SIZE).split()[0] == ("unlimited" if most_bytes is None else str(most_bytes))


def mosquitto() -> str:
    """Path of the broker; Debian keeps it where only root looks. Raises PartError."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    path = shutil.which("mosquitto", path=places)
    if path is None:
        raise PartError("no mosquitto here: apt install mosquitto, or take --broker amqtt")
    return path


async def _listens(port: int, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while alive() and time.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    if alive():
        raise PartError(f"nothing listens on port {port} after {PATIENCE_S:g} s")
