"""How soon a gateway that was killed acks again, with ten million values in its database; and how soon a board that was
offline for a day is rid of it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import paho.mqtt.client as paho

from gateway.app.examine import examine
from gateway.store import devices
from gateway.store.database import Database
from gateway.store.frames import commit
from gateway.wire.topics import subscriptions, topic
from tools import bench_house, bench_wear
from tools.bench import Figure
from tools.fleet_frames import KEY, Blank, device_name, packed, sealed
from tools.virtual_board import IMAGE_BLOCKS, VirtualBoard

BOARDS = 50
VALUES = 10_000_000
ROUNDS = 3
DEVICE = "5e0000000001"

_COMMIT = 500
_PATIENCE_S = 60.0
_DRAIN_S = 240.0


def _frames(blanks: list[Blank], number: int, count: int, start_s: int) -> Iterator[bytes]:
    """`count` frames of a board, numbered from 1, one right after the other."""
    span_ms = blanks[0].due_ms - blanks[0].uptime_ms
    for seq, blank in enumerate(itertools.islice(itertools.cycle(blanks[number:] + blanks[:number]), count), start=1):
        yield sealed(blank, 1, seq, start_s, (seq - 1) * span_ms)


def _per_board(blanks: Sequence[Blank], values: int) -> int:
    return -(-values // blanks[0].values // BOARDS)


def _fill(path: Path, rows_a_frame: int, values: int) -> None:
    """In a process of its own: store so many values, and end as by a power cut."""
    blanks = packed(rows_a_frame)
    each = _per_board(blanks, values)
    span_s = (blanks[0].due_ms - blanks[0].uptime_ms) // 1000
    start_s = int(time.time()) - each * span_s
    db = Database(path)
    names = [device_name(n) for n in range(BOARDS)]
    bench_house.enrol(db, names, start_s * 1000)
    known = devices.registry(db)
    sources = [_frames(blanks, n, each, start_s) for n in range(BOARDS)]
    now_ms = time.time_ns() // 1_000_000
    stream = (
        (topic(name, "up"), frame)
        for turn in zip(*sources, strict=True)
        for name, frame in zip(names, turn, strict=True)
    )
    stored = 0
    for batch in iter(lambda: list(itertools.islice(stream, _COMMIT)), []):
        stored += commit(db, [examine(where, frame, known, now_ms) for where, frame in batch]).stored
        print(f"\r  {stored * blanks[0].values:,} of {values:,} values stored ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if stored != each * BOARDS:
        raise RuntimeError(f"{stored} frames of {each * BOARDS} were stored")
    os.kill(os.getpid(), signal.SIGKILL)


def _forget(database: Path) -> None:
    """Let the machine forget the files, as after a power cut: they are read from disk again."""
    for path in database.parent.glob(f"{database.name}*"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class _Acks:
    """What the gateway says to the boards: (when, device, boot, seq) as it comes, without what the broker kept."""

    def __init__(self, port: int) -> None:
        self.heard: queue.Queue[tuple[float, str, int, int]] = queue.Queue()
        self._client = bench_house.client(port)
        self._client.on_message = self._take
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe("hg/1/+/ack", qos=1)
        subscribed.wait(_PATIENCE_S)

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        at = time.perf_counter()
        if not message.retain:
            for boot, seq in bench_house.opened_ack(bytes(message.payload)).upto:
                self.heard.put((at, message.topic.split("/")[2], boot, seq))

    def wait(self, device: str, boot: int, seq: int, patience_s: float = _PATIENCE_S) -> float:
        """When it was said that everything up to there is on disk. Raises queue.Empty."""
        while True:
            at, name, of_boot, upto = self.heard.get(timeout=patience_s)
            if name == device and of_boot == boot and upto >= seq:
                return at

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _keep_session(port: int) -> None:
    """Let the broker know the gateway, so that it keeps what comes for it."""
    done = threading.Event()
    stand_in = bench_house.client(port, "bench", clean=False)
    stand_in.on_subscribe = lambda *_: done.set()
    stand_in.subscribe([(where, 1) for where in subscriptions()])
    done.wait(_PATIENCE_S)
    stand_in.disconnect()
    stand_in.loop_stop()


def _recovery_s(folder: Path, rows_a_frame: int, values: int) -> float:
    """Seconds from starting `hearthgate run` to the first ack after a kill -9: the best of a few rounds."""
    database = folder / "hearthgate.sqlite"
    if values:
        process = multiprocessing.get_context("spawn").Process(target=_fill, args=(database, rows_a_frame, values))
        process.start()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            raise RuntimeError("the database could not be filled")
    else:
        db = Database(database)
        bench_house.enrol(db, map(device_name, range(BOARDS)), time.time_ns() // 1_000_000)
        db.close()
    blanks = packed(rows_a_frame, 1)
    each, span_ms = _per_board(blanks, values), blanks[0].due_ms - blanks[0].uptime_ms
    start_s = int(time.time()) - each * span_ms // 1000 - 60
    took = []
    with bench_house.mosquitto(folder) as port:
        path = bench_house.settings(folder, port, console=True)
        _keep_session(port)
        acks, board = _Acks(port), bench_house.client(port)
        for seq in range(each + 1, each + 1 + ROUNDS):
            frame = sealed(blanks[0], 1, seq, start_s, (seq - 1) * span_ms)
            board.publish(topic(device_name(7), "up"), frame, qos=1).wait_for_publish(_PATIENCE_S)
            _forget(database)
            began = time.perf_counter()
            with bench_house.gateway(path):
                took.append(acks.wait(device_name(7), 1, seq) - began)
        acks.close()
        board.disconnect()
        board.loop_stop()
    size = sum(file.stat().st_size for file in folder.glob("hearthgate.sqlite*"))
    print(
        f"  {each * BOARDS:,} frames, {size:,} bytes of database: first ack after "
        f"{', '.join(f'{s:.2f}' for s in took)} s",
        file=sys.stderr,
    )
    return min(took)


def recovery() -> Iterator[Figure]:
    """gateway.recovery_s."""
    measured = []
    for rows_a_frame, values in ((60, 0), (60, VALUES), (6, VALUES)):
        with tempfile.TemporaryDirectory() as folder:
            measured.append(_recovery_s(Path(folder), rows_a_frame, values))
    empty, hours, minutes = measured
    beside = "an empty database"
    yield Figure("gateway.recovery_s", hours, "s", beside, empty, "under 2, 10,000,000 values in frames of 60 rows")
    yield Figure("gateway.recovery_s_6_rows", minutes, "s", beside, empty, "under 2, in frames of 6 rows")


def _plain_s(port: int, frames: int) -> float:
    """Seconds in which a plain client hands so many frames to the broker, waiting for each PUBACK as most boards do."""
    plain = bench_house.client(port)
    message = sealed(packed(60, 1)[0], 1, 1, 0)
    began = time.perf_counter()
    for _ in range(frames):
        plain.publish("bench/plain", message, qos=1).wait_for_publish(_PATIENCE_S)
    took_s = time.perf_counter() - began
    plain.disconnect()
    plain.loop_stop()
    return took_s


async def _drain(folder: Path, port: int, image: Path, report_s: int, frames: int) -> float:
    """Seconds from a board's connection until its day is acked."""
    acks, online = _Acks(port), asyncio.Event()
    loop = asyncio.get_running_loop()
    connected = [0.0]

    def listen(line: str) -> None:
        if line.startswith("mqtt: connected"):
            connected[0] = connected[0] or time.perf_counter()
            loop.call_soon_threadsafe(online.set)

    board = VirtualBoard(
        "fridge-sim",
        device=DEVICE,
        key=KEY,
        name="Bench",
        mqtt_host="127.0.0.1",
        mqtt_port=port,
        seed=1,
        speed=1,
        epoch_ms=time.time_ns() // 1_000_000,
        workdir=folder / "board",
        settings={"report_s": report_s, "quiet_s": report_s},
        image=image,
        on_line=listen,
    )
    await board.start()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await online.wait()
        acked = await asyncio.to_thread(acks.wait, DEVICE, 1, frames, _DRAIN_S)
    finally:
        await board.close()
        acks.close()
    return acked - connected[0]


def _backlog(report_s: int) -> tuple[float, float, int, int]:
    """(seconds to drain a day, the same by a plain client, frames, bytes)."""
    with tempfile.TemporaryDirectory() as name:
        folder, image = Path(name), Path(name) / "flash"
        table = bench_wear.board_json("fridge-sim", DEVICE, KEY, report_s=report_s, quiet_s=report_s)
        told = bench_wear.live(table, image, "offline", blocks=IMAGE_BLOCKS).told
        db = Database(folder / "hearthgate.sqlite")
        devices.enrol(db, DEVICE, "Bench", time.time_ns() // 1_000_000, KEY)
        db.close()
        with bench_house.mosquitto(folder) as port, bench_house.gateway(bench_house.settings(folder, port)):
            time.sleep(3)
            took_s = asyncio.run(_drain(folder, port, image, report_s, told["frames"]))
            plain_s = _plain_s(port, told["frames"])
        db = Database(folder / "hearthgate.sqlite")
        counters = db.counters()
        db.close()
    print(
        f"  {told['frames']} frames, {told['written']:,} bytes: drained in {took_s:.1f} s; {json.dumps(counters)}",
        file=sys.stderr,
    )
    return took_s, plain_s, told["frames"], told["dropped"]


def backlog() -> Iterator[Figure]:
    """gateway.backlog_drain_s."""
    for name, report_s in (("gateway.backlog_drain_s", 600), ("gateway.backlog_drain_s_60_s", 60)):
        took_s, plain_s, frames, dropped = _backlog(report_s)
        beside = f"{frames} frames to Mosquitto alone, each with its PUBACK; {dropped} were dropped by the board"
        yield Figure(name, took_s, "s", beside, plain_s, "under 60")
