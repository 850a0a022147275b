"""A real MicroPython board on a cable, the gateway's own source at its other end, and noise in between.

Nothing is lost and nothing doubled: each frame is stored once, and the board is told so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import cbor2
import pytest

from gateway.app.ingest import Ingest
from gateway.app.serial_source import SerialSource
from gateway.store import crashes, devices, frames
from gateway.store.database import Database
from gateway.store.thread import StoreThread
from gateway.wire import topics
from gateway.wire.cose import seal
from gateway.wire.downlink import encode_command
from tests.emulated.health import odd
from tools.board_folder import flash
from tools.virtual_board import VirtualBoard

KEY = bytes(range(32))
DEVICE = "5e0000000009"
PATIENCE_S = 60.0
EPOCH_MS = 1_780_000_000_000


class Noise:
    """What happens to bytes on a bad cable: of a thousand, so many are lost, flipped or doubled."""

    def __init__(self, seed: int, per_mille: float) -> None:
        self.per_mille = per_mille
        self.hits = 0
        self._dice = random.Random(seed)

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._dice.random() * 1000 >= self.per_mille:
                out.append(byte)
                continue
            self.hits += 1
            what = self._dice.randrange(3)
            out += (b"", bytes((byte ^ 1 << self._dice.randrange(8),)), bytes((byte, byte)))[what]
        return bytes(out)


class Cable:
    """Between the board's terminal and the gateway's: a second terminal, or a socket. Bytes pass through `noise`."""

    def __init__(self, noise: Noise, *, by_socket: bool) -> None:
        self.noise = noise
        self.board, self._board_end = os.openpty()
        self.board_path = os.ttyname(self._board_end)
        tty.setraw(self._board_end)
        self._ends = [self.board, self._board_end]
        self._gateway = self._listener = None
        if by_socket:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self._listener.settimeout(0)
            self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        else:
            self._gateway, kept = os.openpty()
            tty.setraw(kept)
            self._ends += [self._gateway, kept]
            self.url = f"serial:{os.ttyname(kept)}?baud=115200"
        self._client: socket.socket | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        os.set_blocking(self.board, False)
        if self._listener is not None:
            while True:
                self._client, _ = await loop.sock_accept(self._listener)
                self._client.settimeout(0)
                await self._pass(self._client.fileno())
        assert self._gateway is not None
        os.set_blocking(self._gateway, False)
        await self._pass(self._gateway)

    def pull(self) -> None:
        """Out of the gateway's socket; it may connect again."""
        assert self._client is not None
        self._client.shutdown(socket.SHUT_RDWR)

    async def _pass(self, gateway: int) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def forward(source: int, to: int) -> None:
            try:
                data = os.read(source, 4096)
            except OSError:
                data = b""
            if not data:
                ended.set()
                return
            with contextlib.suppress(OSError):  # full: as good as noise
                os.write(to, self.noise(data))

        loop.add_reader(self.board, forward, self.board, gateway)
        loop.add_reader(gateway, forward, gateway, self.board)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self.board)
            loop.remove_reader(gateway)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)
        if self._listener is not None:
            self._listener.close()


class House:
    """A gateway's store and ingest on a serial source, and a board."""

    def __init__(self, folder: Path, cable: Cable, source: SerialSource) -> None:
        self.cable = cable
        self.source = source
        self.db = Database(folder / "hearthgate.sqlite")
        self.store = StoreThread()
        self.ingest = Ingest(
            self.db, self.store, source, lambda: EPOCH_MS, window_s=0.1, quiet_s=0.2, on_commit=self._committed
        )
        self.done = frames.Committed()
        self.device = devices.enrol(self.db, DEVICE, "x", 0, KEY)
        self.board = VirtualBoard(
            "fridge-sim",
            device=DEVICE,
            key=KEY,
            name="x",
            mqtt_host="none",
            mqtt_port=1,
            seed=3,
            speed=120,
            epoch_ms=None,
            workdir=folder / "board",
            settings={"link": "serial", "serial": {"path": cable.board_path}, "step_ms": 10000, "report_s": 60},
        )

    def _committed(self, done: frames.Committed) -> None:
        self.done.stored += done.stored
        self.done.duplicates += done.duplicates
        self.done.dead += done.dead
        self.done.states += done.states

    async def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        for _ in range(int(patience_s / 0.05)):
            self.board.check()
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(list(self.board.console)[-12:], self.done, self.source.noise)

    def numbers(self) -> list[tuple[int, int]]:
        return self.db.connection.execute("SELECT boot, seq FROM frame ORDER BY boot, seq").fetchall()

    async def command(self, verb: str) -> None:
        counter = await self.store(devices.next_command, self.db, self.device.id, EPOCH_MS // 1000)
        sealed = seal(KEY, "cmd", encode_command(counter, EPOCH_MS // 1000 * 100, verb))
        assert await self.source.publish(topics.topic(DEVICE, "cmd"), sealed, retain=False)


@contextlib.asynccontextmanager
async def house(folder: Path, noise: Noise, *, by_socket: bool = False, silent_s: float = 45) -> AsyncIterator[House]:
    cable = Cable(noise, by_socket=by_socket)
    here = House(folder, cable, SerialSource(cable.url, silent_s=silent_s))
    work = (cable.run(), here.source.run(here.ingest.deliver), here.ingest.run())
    tasks = [asyncio.create_task(part) for part in work]
    try:
        yield here
        assert not any(task.done() for task in tasks), tasks
    finally:
        await here.board.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        cable.close()
        here.store.close()
        here.db.close()


Scene = Callable[[House], Awaitable[None]]


def play(scene: Scene, folder: Path, noise: Noise, **options: bool | float) -> None:
    async def played() -> None:
        async with house(folder, noise, **options) as here:  # type: ignore[arg-type]
            await scene(here)

    asyncio.run(played())


@pytest.mark.parametrize("by_socket", [False, True], ids=["terminal", "socket"])
@pytest.mark.parametrize("per_mille", [0, 2], ids=["quiet", "noisy"])
def test_all_that_is_sealed_is_stored_once(by_socket: bool, per_mille: float, tmp_path: Path) -> None:
    noise = Noise(7, per_mille)

    async def scene(here: House) -> None:
        await here.board.start()
        await here.until(lambda: here.done.stored >= 15)
        noise.per_mille = 0
        await here.command("reboot")
        health = await here.board.wait_final(PATIENCE_S)
        assert health["frames_sealed"] == health["frames_acked"] > 15
        assert (health["frames_dropped"], health["crashes"], odd(health)) == (0, 0, {})
        assert here.numbers() == [(1, seq) for seq in range(1, health["frames_sealed"] + 1)]
        assert here.done.dead == 0, "noise makes no message"
        assert (noise.hits > 0) == (per_mille > 0)
        await here.until(lambda: not here.done.states[-1].online)
        if not per_mille:
            assert here.done.duplicates == 0

    play(scene, tmp_path, noise, by_socket=by_socket)


def test_a_gateway_that_starts_anew_is_met_again(tmp_path: Path) -> None:
    async def scene(here: House) -> None:
        await here.board.start()
        await here.until(lambda: here.done.stored >= 3)
        here.source._boards.clear()
        here.source._kept.clear()
        before = here.done.stored
        await here.until(lambda: here.done.stored > before + 3)
        assert len(here.numbers()) == len(set(here.numbers())) == here.done.stored
        await here.until(lambda: (here.board.health or {}).get("connects", 0) >= 2)

    play(scene, tmp_path, Noise(1, 0))


def test_a_cable_that_was_pulled_is_heard_again_and_its_board_offline_meanwhile(tmp_path: Path) -> None:
    async def scene(here: House) -> None:
        await here.board.start()
        await here.until(lambda: here.done.states and here.done.states[-1].online)
        here.cable.pull()
        await here.until(lambda: not here.done.states[-1].online)
        await here.until(lambda: here.done.states[-1].online)
        before = here.done.stored
        await here.until(lambda: here.done.stored > before)

    play(scene, tmp_path, Noise(1, 0), by_socket=True)


def test_a_board_that_falls_silent_has_left_its_will(tmp_path: Path) -> None:
    async def scene(here: House) -> None:
        await here.board.start()
        await here.until(lambda: here.done.states and here.done.states[-1].online)
        await here.board.kill()
        await here.until(lambda: not here.done.states[-1].online)
        await here.board.start()
        await here.until(lambda: here.done.states[-1].online and here.done.states[-1].boot == 2)
        await here.until(lambda: any(boot == 2 for boot, _ in here.numbers()))

    play(scene, tmp_path, Noise(1, 0), silent_s=2)


def test_crash_reports_come_by_cable_too(tmp_path: Path) -> None:
    async def scene(here: House) -> None:
        await here.board.start()
        await here.until(lambda: here.done.states)
        await here.board.kill()
        (tmp_path / "board" / "crash").write_bytes(
            cbor2.dumps([[1, 1, 30000, 1, [0, 1, 0, 0, 0, 0, 0], b"KeyError: x"]])
        )
        await here.board.start()
        await here.until(lambda: crashes.newest(here.db, here.device.id))
        assert crashes.newest(here.db, here.device.id)[0].crash.headline == "KeyError: x"

    play(scene, tmp_path, Noise(1, 0))


def test_the_prompts_own_line_carries_it_too_and_ctrl_c_still_leads_to_the_prompt(
    micropython: str, tmp_path: Path
) -> None:
    async def scene(here: House) -> None:
        folder = tmp_path / "usb"
        flash(
            "fridge-sim", folder, {"link": "serial", "serial": {"usb": True}, "report_s": 1, "step_ms": 1000},
            device=DEVICE, key_hex=KEY.hex(), name="x", wifi=None, mqtt={"host": "none", "port": 1},
            sim={"seed": 1, "speed": 10},
        )  # fmt: skip
        line = os.open(here.cable.board_path, os.O_RDWR | os.O_NOCTTY)
        command = [micropython, "-X", "heapsize=192k", "main.py"]
        board = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=line, stdout=line, stderr=line)
        os.close(line)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while here.done.stored < 5:  # noqa: ASYNC110 - the gateway's commits set no event
                    await asyncio.sleep(0.05)
            assert here.source.noise > 0, "what the board printed"
            assert (here.done.dead, here.done.duplicates) == (0, 0)
            os.write(here.cable.board, b"\r\x03")
            assert await asyncio.wait_for(board.wait(), PATIENCE_S) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                board.kill()

    play(scene, tmp_path, Noise(1, 0))
