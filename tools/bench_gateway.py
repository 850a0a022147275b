"""The gateway's side: decoding on one core, and the way from the broker to committed and acked."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiomqtt
import cbor2
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.app.broker import BuiltinBroker
from gateway.app.gateway import Gateway
from gateway.app.settings import Broker, Settings, Store
from gateway.store import devices
from gateway.store.frames import Committed
from gateway.wire import topics
from gateway.wire.birth import Birth, Channel, ValueKind, encode_birth
from gateway.wire.cose import open_sealed, seal, split
from gateway.wire.frame import decode
from tools.bench import Figure
from tools.onboard import load
from tools.simrows import CHANNELS, rows

KEY = bytes(range(32))
ROUNDS = 5
BOARDS = 50
FRAMES_A_BOARD = 100


def day_of_frames(boot: int = 1, rows_a_frame: int = 60, hours: float = 24) -> tuple[list[bytes], list[bytes]]:
    """(payloads of a day of sealed fridge frames, the same rows as plain CBOR rows)."""
    frame = load("frame")
    framer, columns = frame.Framer(len(CHANNELS)), frame.Columns(len(CHANNELS))
    day = list(rows(1, hours))
    payloads, beside = [], []
    for seq, at in enumerate(range(0, len(day) - rows_a_frame + 1, rows_a_frame), start=1):
        columns.clear()
        block = day[at : at + rows_a_frame]
        for row in block:
            columns.add(row)
        payloads.append(bytes(framer.columns(boot, seq, 1_795_000_000 + at * 10, at * 10_000, 10_000, columns)))
        beside.append(cbor2.dumps([1, boot, seq, 1_795_000_000 + at * 10, at * 10_000, 10_000, block]))
    return payloads, beside


def _best_s(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def decoding() -> Iterator[Figure]:
    """gateway.decode_values_per_s: of sealed frames, and of stored ones."""
    payloads, beside = day_of_frames()
    sealed = [seal(KEY, "up", payload) for payload in payloads]
    values = len(payloads) * 60 * len(CHANNELS)
    ours_s = _best_s(lambda: [decode(open_sealed(KEY, "up", message)) for message in sealed])
    read_s = _best_s(lambda: [decode(split(message)) for message in sealed])
    theirs_s = _best_s(lambda: [cbor2.loads(message) for message in beside])
    other = "cbor2.loads of plain CBOR rows"
    yield Figure(
        "gateway.decode_values_per_s",
        values / ours_s,
        "values/s",
        other,
        values / theirs_s,
        "at least 1,000,000, MAC checked",
    )
    yield Figure("gateway.decode_stored_values_per_s", values / read_s, "values/s", other, values / theirs_s)


@contextlib.asynccontextmanager
async def _broker(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """(name, port) of a running broker: Mosquitto where it is installed, as in a house; else amqtt in this process."""
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if mosquitto is None:
        broker = BuiltinBroker("127.0.0.1", 0)
        await broker.start()
        try:
            yield "amqtt in this process", broker.port
        finally:
            await broker.close()
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = folder / "mosquitto.conf"
    # Its default of 1,000 waiting messages drops the rest without a word, and would measure our patience instead.
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n", encoding="ascii"
    )
    process = await asyncio.create_subprocess_exec(
        mosquitto, "-c", str(settings), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield "Mosquitto", port
    finally:
        process.terminate()
        await process.wait()


def _names() -> list[str]:
    return [f"be{n:010x}" for n in range(BOARDS)]


def _messages() -> list[bytes]:
    payloads, _ = day_of_frames(hours=FRAMES_A_BOARD / 6 + 0.01)
    return [seal(KEY, "up", payload) for payload in payloads[:FRAMES_A_BOARD]]


def _flood(port: int) -> None:
    """In a process of its own: every board's frames, in the order in which boards would send them, as fast as they
    are taken (paho without asyncio, so that the sender is not what is measured)."""
    messages = _messages()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(200)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topics.topic(name, "up"), message, qos=1) for message in messages for name in _names()]
    for info in sent:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def _flooding(port: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_flood, args=(port,))
    process.start()
    try:
        yield
    finally:
        process.join(60)


async def _ingest(folder: Path) -> tuple[float, int, int]:
    """(frames/s, frames, commits) from the first commit to the last ack, through a real broker."""
    channels = tuple(Channel(name, "/", 1, 1, ValueKind.GAUGE, "temperature") for name in CHANNELS)
    birth = seal(KEY, "birth", encode_birth(Birth(1, "fridge", "bench", "0", "Bench", channels)))
    stored = commits = before = 0
    began, finished = asyncio.Event(), asyncio.Event()

    def count(done: Committed) -> None:
        nonlocal stored, commits, before
        stored += done.stored
        commits += 1
        if stored and not began.is_set():
            before = stored  # what the first commit held came before the watch was started
            began.set()
        if stored >= BOARDS * FRAMES_A_BOARD:
            finished.set()

    async with _broker(folder) as (_, port):
        gateway = Gateway(
            Settings(
                store=Store(path=folder / "bench.sqlite", commit_window_ms=50, quiet_commit_window_s=1),
                broker=Broker(host="127.0.0.1", port=port),
            )
        )
        for name in _names():
            await gateway.store(devices.enrol, gateway.db, name, name, gateway.now_ms(), KEY)
        gateway.on_commit(count)
        await gateway.start()
        try:
            await gateway.source.connected.wait()
            async with aiomqtt.Client("127.0.0.1", port) as client:
                for name in _names():
                    await client.publish(topics.topic(name, "birth"), birth, qos=1, retain=True)
            with _flooding(port):
                async with asyncio.timeout(60):
                    await began.wait()
                first = time.perf_counter()
                async with asyncio.timeout(120):
                    await finished.wait()
                await gateway.ingest.settle()
                took_s = time.perf_counter() - first
        finally:
            await gateway.close()
    return (stored - before) / took_s, stored, commits


async def _broker_alone(folder: Path) -> tuple[str, float]:
    """(which broker, frames a second through it to a subscriber that does nothing with them)."""
    async with (
        _broker(folder) as (broker, port),
        aiomqtt.Client("127.0.0.1", port) as reader,
    ):
        await reader.subscribe("hg/1/+/up", qos=1)
        with _flooding(port):
            left = BOARDS * FRAMES_A_BOARD
            began = 0.0
            async for _ in reader.messages:
                began = began or time.perf_counter()
                left -= 1
                if left == 0:
                    break
            took_s = time.perf_counter() - began
        return broker, BOARDS * FRAMES_A_BOARD / took_s


def ingest() -> Iterator[Figure]:
    """gateway.ingest_frames_per_s and gateway.ingest_values_per_s."""
    with tempfile.TemporaryDirectory() as folder:
        frames_s, frames, commits = asyncio.run(_ingest(Path(folder)))
        broker, alone_s = asyncio.run(_broker_alone(Path(folder)))
    beside = f"{broker} to a reader that keeps nothing; here {frames} frames went to disk in {commits} commits"
    values = 60 * len(CHANNELS)
    yield Figure("gateway.ingest_frames_per_s", frames_s, "frames/s", beside, alone_s)
    yield Figure(
        "gateway.ingest_values_per_s",
        frames_s * values,
        "values/s",
        f"the same, {values} values a frame",
        alone_s * values,
    )
