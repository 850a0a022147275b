"""Whether the gateway's memory grows while the cloud is away: five million values arrive, all of them granted."""

from __future__ import annotations

import http.server
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import cast

import paho.mqtt.client as paho

from gateway.consent import register
from gateway.consent.grants import ANY_DEVICE, Grant
from gateway.consent.vocabulary import Granularity
from gateway.store.database import Database
from gateway.wire.topics import topic
from tools import bench_house
from tools.bench import Figure
from tools.fleet_frames import birth, device_name, packed, sealed

BOARDS = 100
ROWS = 6
VALUES = 5_000_000
WARM_VALUES = 250_000
GROWTH = "at most 1.1 times"
CATEGORIES = ("temperature", "door", "stock", "energy")

_WINDOW = 16  # a board's frames on the way
_LIMIT_S = 600.0
_YEAR_MS = 365 * 86_400_000


class _Away(http.server.BaseHTTPRequestHandler):
    """A cloud that takes nothing."""

    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _cloud() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Away)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _furnish(database: Path, now_ms: int) -> None:
    """Boards, and a yes to everything as it is measured."""
    db = Database(database)
    bench_house.enrol(db, map(device_name, range(BOARDS)), now_ms)
    for category in CATEGORIES:
        register.give(
            db,
            Grant(
                id=register.new_id(),
                subject="Bench",
                devices=(ANY_DEVICE,),
                category=category,
                recipient="manufacturer",
                purpose="product-improvement",
                granularity=Granularity.RAW,
                hours=None,
                start_ms=0,
                expiry_ms=now_ms + _YEAR_MS,
                text="Everything, as it is measured.",
                language="en",
                created_ms=now_ms,
            ),
        )
    db.close()


def _boards(port: int, each: int, acked: Synchronized[int]) -> None:
    """In a process of its own: boards with a day's backlog, each with a window of frames that are not acked."""
    blanks = packed(ROWS)
    span_ms = blanks[0].due_ms - blanks[0].uptime_ms
    start_s = int(time.time()) - each * span_ms // 1000
    names = [device_name(n) for n in range(BOARDS)]
    upto, sent = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    moved = threading.Event()

    def hear(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        name = message.topic.split("/")[2]
        upto[name] = max(upto[name], *(seq for _, seq in bench_house.opened_ack(bytes(message.payload)).upto))
        moved.set()

    boards = bench_house.client(port)
    boards.on_message = hear
    boards.subscribe("hg/1/+/ack", qos=1)
    for name in names:
        boards.publish(topic(name, "birth"), birth(), qos=1, retain=True)
    again_s = time.monotonic() + 30
    while sum(upto.values()) < each * BOARDS:
        moved.clear()
        for number, name in enumerate(names):
            while sent[name] < min(each, upto[name] + _WINDOW):
                sent[name] += 1
                blank = blanks[(sent[name] + number) % len(blanks)]
                message = sealed(blank, 1, sent[name], start_s, (sent[name] - 1) * span_ms)
                boards.publish(topic(name, "up"), message, qos=1)
        with acked.get_lock():
            acked.value = sum(upto.values())
        if moved.wait(1.0):
            again_s = time.monotonic() + 30
        elif time.monotonic() > again_s:
            sent = dict(upto)  # overdue: everything that is not acked goes out again
    with acked.get_lock():
        acked.value = each * BOARDS
    boards.disconnect()
    boards.loop_stop()


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


def _told(database: Path) -> str:
    db = Database(database)
    try:
        counters = db.counters()
        (waiting,) = db.connection.execute("SELECT count(*) FROM outbox").fetchone()
        (frames,) = db.connection.execute("SELECT count(*) FROM frame").fetchone()
        (newest,) = db.connection.execute("SELECT max(id) FROM frame").fetchone()
        (cursor,) = db.connection.execute("SELECT cursor FROM sink").fetchone()
    finally:
        db.close()
    size = sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
    return (
        f"{frames:,} frames stored, {counters.get('granted', 0):,} values granted, {waiting:,} events in the outbox, "
        f"{newest - cursor:,} frames beyond the sink's cursor, {size:,} bytes of database; {_Away.asked} times sent"
    )


def _outage(folder: Path) -> tuple[float, float]:
    """(MiB of the gateway when it is warm, at the end)."""
    database = folder / "hearthgate.sqlite"
    _furnish(database, time.time_ns() // 1_000_000)
    a_frame = packed(ROWS, 0.1)[0].values
    each = -(-VALUES // a_frame // BOARDS)
    context = multiprocessing.get_context("spawn")
    acked = cast("Synchronized[int]", context.Value("q", 0))
    warm = peak = 0.0
    with bench_house.mosquitto(folder) as port, _cloud() as cloud_port:
        sink = (
            "[[sinks]]",
            'name = "cloud"',
            'kind = "https"',
            'recipient = "manufacturer"',
            f'url = "http://127.0.0.1:{cloud_port}/v1/events"',
        )
        with bench_house.gateway(bench_house.settings(folder, port, *sink)) as process:
            boards = context.Process(target=_boards, args=(port, each, acked))
            boards.start()
            deadline = time.monotonic() + _LIMIT_S
            while acked.value < each * BOARDS:
                time.sleep(0.5)
                if time.monotonic() > deadline or boards.exitcode or process.poll() is not None:
                    raise RuntimeError(f"it ended at {acked.value * a_frame:,} values")
                now = _rss_mib(process.pid)
                peak = max(peak, now)
                if not warm and acked.value * a_frame >= WARM_VALUES:
                    warm = now
                values = acked.value * a_frame
                print(f"\r  {values:,} values, {now:.1f} MiB ", end="", file=sys.stderr, flush=True)
            boards.join()
            time.sleep(3)
            end = _rss_mib(process.pid)
    print(f"\n  warm {warm:.1f} MiB, most {peak:.1f}, end {end:.1f}; {_told(database)}", file=sys.stderr)
    return warm, end


def figures() -> Iterator[Figure]:
    """gateway.rss_growth."""
    with tempfile.TemporaryDirectory() as folder:
        warm, end = _outage(Path(folder))
    beside = f"itself after {WARM_VALUES:,} of {VALUES:,} values, a sink with a grant for all of them and no cloud"
    yield Figure("gateway.rss_growth", end, "MiB", beside, warm, GROWTH)
