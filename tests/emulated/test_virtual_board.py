"""Whole boards: the firmware on MicroPython with its world beside it, a real broker, and a gateway played by the test.

Alone: pytest tests/emulated/test_virtual_board.py (about a minute).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from gateway.wire import birth, cose, downlink, frame, topics
from gateway.wire.state import State, Use, decode_state
from tests.conftest import Broker, BrokerFactory
from tests.emulated.health import odd
from tools.virtual_board import VirtualBoard, flash

KEY = bytes(range(32))
DEVICE = "5e0000000009"
SPEED = 60
PATIENCE_S = 30.0
LEAST_FREE = 28 * 1024
"""Bytes of heap that must be free on a running board, of 128 KiB with 64-bit words."""


class Gateway:
    """Opens what a board sends, and acks it unless it is told to be deaf."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.deaf = False
        self.sealed: dict[tuple[int, int], bytes] = {}
        self.frames: dict[tuple[int, int], frame.Frame] = {}
        self.came: Counter[tuple[int, int]] = Counter()
        self.births: list[birth.Birth] = []
        self.states: list[State] = []
        self.gone: defaultdict[int, set[int]] = defaultdict(set)
        self._upto: Counter[int] = Counter()
        self._counters = itertools.count(time.time_ns() // 1_000_000)

    async def listen(self) -> None:
        async for message in self.client.messages:
            parsed = topics.parse(str(message.topic))
            assert parsed is not None
            what = parsed[1]
            assert isinstance(message.payload, bytes)
            payload = cose.open_sealed(KEY, what, message.payload)
            if what == "birth":
                self.births.append(birth.decode_birth(payload))
            elif what == "state":
                self.states.append(decode_state(payload))
            else:
                await self._take(frame.decode(payload), message.payload)

    async def _take(self, got: frame.Frame, sealed: bytes) -> None:
        name = (got.boot, got.seq)
        assert self.sealed.setdefault(name, sealed) == sealed, "a number names one frame for ever"
        self.frames[name] = got
        self.came[name] += 1
        if got.gap is not None:
            self.gone[got.gap.boot] |= set(range(got.gap.first, got.gap.last + 1))
        if not self.deaf:
            await self.ack(got.boot)

    async def ack(self, boot: int) -> None:
        """Ack everything of that boot that came without a hole."""
        while (boot, self._upto[boot] + 1) in self.sealed or self._upto[boot] + 1 in self.gone[boot]:
            self._upto[boot] += 1
        await self.say_ack(boot, self._upto[boot])

    async def say_ack(self, boot: int, seq: int) -> None:
        sealed = cose.seal(KEY, "ack", downlink.encode_ack([(boot, seq)], time_s=int(time.time()), wait_s=0))
        await self.client.publish(topics.topic(DEVICE, "ack"), sealed, qos=1, retain=True)

    async def command(self, verb: str, *args: int, key: bytes = KEY) -> None:
        expiry_s = int(time.time()) + 10 * 365 * 86_400
        payload = downlink.encode_command(next(self._counters), expiry_s, verb, args)
        await self.client.publish(topics.topic(DEVICE, "cmd"), cose.seal(key, "cmd", payload), qos=1)


Scene = Callable[[Gateway, VirtualBoard], Awaitable[None]]


@contextlib.asynccontextmanager
async def bench(broker: Broker) -> AsyncIterator[Gateway]:
    """A gateway that listens."""
    async with contextlib.AsyncExitStack() as stack:
        # The broker may be gone at the end: that is part of the play.
        stack.enter_context(contextlib.suppress(aiomqtt.MqttError))
        client = await stack.enter_async_context(aiomqtt.Client("127.0.0.1", broker.port))
        for what in ("up", "birth", "state"):
            await client.subscribe(topics.topic(DEVICE, what), qos=1)
        gateway = Gateway(client)
        listener = asyncio.create_task(gateway.listen())
        try:
            yield gateway
            if listener.done():
                listener.result()
        finally:
            listener.cancel()


@contextlib.asynccontextmanager
async def stage(
    broker: Broker, kind: str, folder: Path, **settings: object
) -> AsyncIterator[tuple[Gateway, VirtualBoard]]:
    """A listening gateway and a board that is still switched off."""
    board = VirtualBoard(
        f"{kind}-sim",
        device=DEVICE,
        key=KEY,
        name="On the bench",
        mqtt_host="127.0.0.1",
        mqtt_port=broker.port,
        seed=1,
        speed=SPEED,
        epoch_ms=time.time_ns() // 1_000_000,
        workdir=folder / "board",
        settings=settings,
    )
    async with bench(broker) as gateway:
        try:
            yield gateway, board
        finally:
            await board.close()


def play(scene: Scene, broker: Broker, kind: str, folder: Path, **settings: object) -> None:
    async def played() -> None:
        async with stage(broker, kind, folder, **settings) as (gateway, board):
            await scene(gateway, board)

    asyncio.run(played())


async def until(condition: Callable[[], object], board: VirtualBoard) -> None:
    """Wait until that holds, and no longer than is patient."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        board.check()
        assert time.monotonic() < deadline, list(board.console)[-12:]
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["fridge", "kettle"])
def test_all_that_is_sealed_arrives_once(kind: str, mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        await board.start()
        await until(lambda: board.health is not None, board)
        await gateway.command("reboot")
        health = await board.wait_final(PATIENCE_S)
        assert health["kind"] == kind
        assert health["frames_sealed"] == health["frames_acked"] == len(gateway.frames)
        assert set(gateway.came.values()) == {1}
        assert (health["frames_dropped"], health["crashes"], odd(health)) == (0, 0, {})
        assert health["payload_bytes"] == sum(map(len, gateway.sealed.values()))
        assert health["heap_min"] >= LEAST_FREE
        assert gateway.births[0].kind == kind
        await until(lambda: gateway.states[-1] == State(1, online=False), board)

    play(scene, mosquitto(), kind, tmp_path)


async def deafness(gateway: Gateway, board: VirtualBoard) -> dict[str, Any]:
    """The gateway stores and does not ack, until the board has sent again; the board's last health."""
    gateway.deaf = True
    await board.start()
    # What is live goes out at once; after a quarter of a minute it comes again.
    await until(lambda: max(gateway.came.values(), default=0) > 1, board)
    gateway.deaf = False
    await gateway.ack(1)
    await gateway.command("reboot")
    health = await board.wait_final(PATIENCE_S)
    assert health["retransmits"] >= 1
    there = {seq for _, seq in gateway.frames} | gateway.gone[1]
    assert there == set(range(1, health["frames_sealed"] + 1))
    return health


def test_a_deaf_gateway_loses_nothing(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        health = await deafness(gateway, board)
        assert health["frames_sealed"] == health["frames_acked"]

    play(scene, mosquitto(), "fridge", tmp_path)


def test_more_than_a_board_without_flash_can_keep_thins_out_and_what_is_dropped_is_told(
    mosquitto: BrokerFactory, tmp_path: Path
) -> None:
    """A kettle that heats at this speed seals sixty frames a second."""

    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        health = await deafness(gateway, board)
        assert health["thinned"] + health["frames_dropped"] > 0
        assert health["frames_sealed"] == health["frames_acked"] + health["frames_dropped"]
        assert (health["gaps"] > 0) == (health["frames_dropped"] > 0)

    play(scene, mosquitto(), "kettle", tmp_path, flash_bytes=0, journal_bytes=2048)


def test_what_does_not_fit_into_memory_waits_on_flash(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        health = await deafness(gateway, board)
        assert (health["frames_dropped"], health["flash_errors"]) == (0, 0)
        assert health["frames_sealed"] == health["frames_acked"]
        assert health["flash_writes"] > 0

    play(scene, mosquitto(), "kettle", tmp_path, journal_bytes=4096)


def test_a_power_cut_starts_a_new_boot(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        await board.start()
        await until(lambda: gateway.frames, board)
        await board.kill()
        await until(lambda: State(1, online=False) in gateway.states, board)
        await board.start()
        await until(lambda: (2, 1) in gateway.frames, board)
        assert State(2, online=True) in gateway.states
        assert any(birth.boot == 2 for birth in gateway.births)

    play(scene, mosquitto(), "fridge", tmp_path)


def test_it_says_what_it_keeps_to_itself_and_again_after_a_power_cut(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    """The commands of a gateway to a kettle: not measured is what its heater hangs on, and it is safe all the same."""

    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        await board.start()
        await until(lambda: gateway.states, board)
        await gateway.command("use", 0b11, 0b01)
        kept = State(1, online=True, use=Use(0b11, 0b01))
        await until(lambda: gateway.states[-1] == kept, board)
        await until(lambda: any(f.columns and f.columns[0][-1] is None for f in gateway.frames.values()), board)
        await board.kill()
        await board.start()
        await until(lambda: State(2, online=True, use=Use(0b11, 0b01)) in gateway.states, board)
        await until(lambda: any(boot == 2 and f.rows for (boot, _), f in gateway.frames.items()), board)
        rows = [row for (boot, _), f in gateway.frames.items() if boot == 2 for row in zip(*f.columns, strict=True)]
        assert all(row[:2] == (None, None) and row[2] is not None for row in rows)
        await gateway.command("use")
        await until(lambda: gateway.states[-1] == State(2, online=True), board)
        await gateway.command("use", 1 << 12, 0)
        await gateway.command("reboot")
        health = await board.wait_final(PATIENCE_S)
        assert odd(health) == {"verb": 1}, "it has no such channel"
        assert health["heap_min"] >= LEAST_FREE

    play(scene, mosquitto(), "kettle", tmp_path)


def test_a_lost_boot_counter_is_found_again(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    """A board whose flash was erased would give numbers a second time; the retained ack tells it."""

    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        await gateway.say_ack(41, 1234)
        await board.start()
        await until(lambda: (42, 1) in gateway.frames, board)
        assert board.restarts == 1
        assert all(boot == 42 for boot, _ in gateway.frames)

    play(scene, mosquitto(), "fridge", tmp_path)


def test_a_strangers_command_is_counted_and_not_obeyed(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    async def scene(gateway: Gateway, board: VirtualBoard) -> None:
        await board.start()
        await until(lambda: gateway.frames, board)
        await gateway.command("reboot", key=bytes(32))
        await gateway.command("boil")
        await gateway.command("flush")
        await gateway.command("reboot")
        health = await board.wait_final(PATIENCE_S)
        assert odd(health) == {"unverified": 1, "verb": 1}

    play(scene, mosquitto(), "fridge", tmp_path)


def test_a_broker_that_comes_back_gets_the_rest(mosquitto: BrokerFactory, tmp_path: Path) -> None:
    broker = mosquitto()

    async def scene() -> None:
        async with stage(broker, "fridge", tmp_path) as (gateway, board):
            await board.start()
            await until(lambda: len(gateway.frames) >= 3, board)
            broker.stop()
            await asyncio.sleep(3)
            broker.start()
            async with bench(broker) as back:
                # What was stored before is known, as it is to a gateway with a disk.
                back.sealed.update(gateway.sealed)
                await until(lambda: set(back.frames) - set(gateway.frames), board)
                await back.command("reboot")
                health = await board.wait_final(PATIENCE_S)
            assert health["connects"] == 2
            assert health["frames_sealed"] == health["frames_acked"] == len(set(gateway.frames) | set(back.frames))

    asyncio.run(scene())


def test_a_broken_board_file_is_said_on_the_console(tmp_path: Path, micropython: str) -> None:
    flash("fridge-sim", tmp_path, device=DEVICE, key_hex=KEY.hex(), name="x", mqtt={"host": "h"}, wifi=None, sim=None)
    file = tmp_path / "board.json"
    broken = json.loads(file.read_text(encoding="utf-8")) | {"step_ms": "ten"}
    file.write_text(json.dumps(broken), encoding="utf-8")
    done = subprocess.run(
        [micropython, "main.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "hearthgate: board.json: step_ms: expected a whole number from 100 to 3600000\n"
    assert done.returncode == 1
