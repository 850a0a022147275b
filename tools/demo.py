"""The demo: two emulated boards on the real firmware, a broker, the gateway with its console, and a stand-in cloud."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import logs
from gateway.app.gateway import Gateway, real_now_ms
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.consent import register
from gateway.consent.grants import Grant
from gateway.consent.vocabulary import Granularity
from gateway.errors import HearthgateError
from gateway.store import devices
from gateway.web.console import Console
from tools.cloud import Cloud, CloudError
from tools.virtual_board import BoardError, VirtualBoard

YEAR_MS = 365 * 86_400_000
STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class DemoBoard:
    """One emulated board of the demo."""

    board: str
    device: str
    name: str
    seed: int


FRIDGE = DemoBoard("fridge-sim", "5e0000000002", "Kitchen fridge", 12)
BOARDS = (DemoBoard("kettle-sim", "5e0000000001", "Kitchen kettle", 11), FRIDGE)


@dataclass(slots=True)
class Household:
    """Everything that runs."""

    gateway: Gateway
    console: Console
    cloud: Cloud
    boards: list[VirtualBoard]
    speed: int


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def household_clock(epoch_ms: int, speed: int) -> Callable[[], int]:
    """A clock that all parts of a sped-up household share: it runs `speed` times as fast since `epoch_ms`."""
    return lambda: epoch_ms + int((real_now_ms() - epoch_ms) * speed)


def port_or_free(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def first_grant(now_ms: int) -> Grant:
    """What the demo's household has agreed to: one thing, so that both sides can be seen."""
    return Grant(
        id=register.new_id(),
        subject="Demo household",
        devices=(FRIDGE.device,),
        category="temperature",
        recipient="manufacturer",
        purpose="product-improvement",
        granularity=Granularity.QUARTER_HOUR,
        hours=None,
        start_ms=now_ms,
        expiry_ms=now_ms + YEAR_MS,
        text="I agree that the manufacturer gets how warm or cold it is in my fridge (lowest, mean and highest of "
        "each quarter of an hour) to make better appliances, for a year. I can take this back any time.",
        language="en",
        created_ms=now_ms,
    )


@contextlib.asynccontextmanager
async def household(folder: Path, speed: int) -> AsyncIterator[Household]:
    """Start all parts; stop them at the end. Raises HearthgateError, CloudError or BoardError."""
    epoch_ms = real_now_ms()
    now_ms = household_clock(epoch_ms, speed)
    async with contextlib.AsyncExitStack() as stack:
        say("  cloud      a stand-in on this machine, which checks every event's consent")
        token = secrets.token_urlsafe(24)
        cloud = Cloud(folder / "cloud.sqlite", port=port_or_free(8099), token=token, now=lambda: now_ms() / 1000)
        await cloud.start()
        stack.push_async_callback(cloud.close)
        token_file = folder / "cloud.token"
        token_file.touch(mode=0o600)
        token_file.write_text(token, encoding="ascii")

        say("  gateway    with a broker inside, storing into SQLite")
        gateway = Gateway(_settings(folder, cloud.url, token_file), now_ms=now_ms)
        stack.push_async_callback(gateway.close)
        keys = {
            board.device: (await gateway.store(devices.enrol, gateway.db, board.device, board.name, now_ms())).key
            for board in BOARDS
        }
        await gateway.start()
        await gateway.grant(first_grant(now_ms()))
        await asyncio.wait_for(gateway.source.connected.wait(), 15)
        console = Console(gateway, "127.0.0.1", port_or_free(8080))
        await console.start()
        stack.push_async_callback(console.close)

        boards: list[VirtualBoard] = []
        for board in BOARDS:
            say(f"  {board.board:<10} real MicroPython, 128 KiB heap: {board.name}")
            virtual = VirtualBoard(
                board.board,
                device=board.device,
                key=keys[board.device],
                name=board.name,
                mqtt_host="127.0.0.1",
                mqtt_port=gateway.broker_port,
                seed=board.seed,
                speed=speed,
                epoch_ms=epoch_ms,
                workdir=folder / board.board,
            )
            await virtual.start()
            stack.push_async_callback(virtual.close)
            boards.append(virtual)
        yield Household(gateway, console, cloud, boards, speed)


def _settings(folder: Path, cloud_url: str, token_file: Path) -> Settings:
    return Settings(
        store=Store(path=folder / "gateway.sqlite", commit_window_ms=50, quiet_commit_window_s=1),
        broker=Broker(host="127.0.0.1", port=port_or_free(1883), builtin=True),
        sinks=(
            SinkSettings(
                name="manufacturer",
                kind="https",
                recipient="manufacturer",
                url=f"{cloud_url}/v1/recipients/manufacturer/events",
                token_file=token_file,
            ),
        ),
    )


async def report(home: Household) -> dict[str, Any]:
    """What came of it all: the boards' own count beside the gateway's and the cloud's."""
    gateway = home.gateway
    counters = await gateway.store(gateway.db.counters)
    grants = {grant.id: grant for grant in await gateway.store(register.grants, gateway.db)}
    stats = home.cloud.stats()
    leaked = stats.leaked
    for recipient in stats.by_recipient:
        # The cloud checked that every event carries its flags; here its holdings are held against the register.
        for held in await home.cloud.holdings(recipient):
            grant = grants.get(held.grant)
            agreed = grant and (grant.recipient, grant.purpose, grant.granularity.value, grant.category)
            if agreed != (recipient, held.purpose, held.granularity, held.category):
                leaked += held.events
    health = [board.health or {} for board in home.boards]
    values = counters.get("values_stored", 0)
    return {
        "boards": len(home.boards),
        "frames_sealed": sum(h.get("frames_sealed", 0) for h in health),
        "frames_acked": sum(h.get("frames_acked", 0) for h in health),
        "frames_stored": counters.get("frames_stored", 0),
        "frames_duplicate": counters.get("frames_duplicate", 0),
        "readings_stored": counters.get("readings_stored", 0),
        "values_stored": values,
        "payload_bytes": counters.get("payload_bytes", 0),
        "bytes_per_value": round(counters.get("payload_bytes", 0) / values, 3) if values else None,
        "commits": counters.get("commits", 0),
        "cloud_events": stats.events,
        "cloud_duplicates": stats.duplicates,
        "withheld": counters.get("withheld", 0),
        "granted": counters.get("granted", 0),
        "leaked": leaked,
        "dead_letters": counters.get("dead_letters", 0),
        "heap_free": {h.get("kind", "?"): h.get("heap_free") for h in health},
        "uptime_s": {h.get("kind", "?"): h.get("uptime_s") for h in health},
        "crashes": sum(h.get("crashes", 0) for h in health),
    }


def broken_promises(result: dict[str, Any]) -> list[str]:
    """Which promises a finished demo did not keep, each as a sentence."""
    broken = []
    if result["leaked"]:
        broken.append(f"{result['leaked']} events reached the cloud without a grant")
    if result["cloud_duplicates"]:
        broken.append(f"the cloud got {result['cloud_duplicates']} events twice")
    if not result["frames_sealed"] == result["frames_stored"] == result["frames_acked"]:
        broken.append(
            f"boards sealed {result['frames_sealed']} frames, {result['frames_stored']} were stored and "
            f"{result['frames_acked']} acked"
        )
    if result["frames_sealed"] == 0:
        broken.append("no board sealed a frame")
    if result["dead_letters"]:
        broken.append(f"{result['dead_letters']} messages could not be used")
    return broken


async def stop_boards(home: Household) -> None:
    """Ask each board to seal what it holds, wait for its acks and end; then let the gateway forward what is granted."""
    for board in home.boards:
        await home.gateway.command(board.device, "reboot")
    await asyncio.gather(*(board.wait_final(STOP_S) for board in home.boards))
    await home.gateway.ingest.settle()
    await home.gateway.drain(STOP_S)


async def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the demo until its time is over or somebody interrupts it; return the report."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    say("Hearthgate demo: starting")
    async with household(folder, options.speed) as home:
        _invite(home, options)
        began = time.monotonic()
        while not stop.is_set():
            left_s = options.seconds - (time.monotonic() - began) if options.seconds else 5.0
            if left_s <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(5.0, left_s))
            for board in home.boards:
                board.check()
            await _progress(home, time.monotonic() - began)
        say("Stopping: the boards seal what they hold and wait until it is stored …")
        await stop_boards(home)
        return await report(home)


async def _progress(home: Household, elapsed_s: float) -> None:
    counters = await home.gateway.store(home.gateway.db.counters)
    stats = home.cloud.stats()
    minutes = elapsed_s * home.speed / 60
    say(
        f"  {minutes:6.1f} min of household time: {counters.get('frames_stored', 0)} frames stored "
        f"({counters.get('values_stored', 0)} values in {counters.get('payload_bytes', 0)} bytes), "
        f"{counters.get('withheld', 0)} values kept at home, {stats.events} events at the cloud"
    )


def _invite(home: Household, options: argparse.Namespace) -> None:
    port = home.gateway.broker_port
    say(
        f"""
Open   {home.console.url:<28} the household's console: readings, and what is shared
       {home.cloud.url:<28} what the manufacturer's cloud got
Try    mosquitto_sub -p {port} -t 'hg/#' -v | xxd    the frames on the wire (package mosquitto-clients)
       stop sharing in the console, and see the cloud's page stand still
       curl -X POST {home.cloud.url}/control -d '{{"mode":"fail"}}' -H 'content-type: application/json'
       (the cloud fails; nothing is lost; {{"mode":"ok"}} mends it)
{"Ends   by itself after " + format(options.seconds, "g") + " seconds" if options.seconds else "End    with Ctrl-C"}
"""
    )


def _explain(result: dict[str, Any]) -> None:
    r = result
    heaps = ", ".join(f"{kind} {free // 1024} KiB" for kind, free in r["heap_free"].items() if free)
    minutes = max(filter(None, r["uptime_s"].values()), default=0) // 60
    lines = (
        f"The boards sealed {r['frames_sealed']} frames; {r['frames_stored']} were stored, "
        f"and {r['frames_duplicate']} came again and were dropped.",
        f"{r['values_stored']} values in {r['payload_bytes']} bytes on the wire: "
        f"{r['bytes_per_value']} bytes a value, MAC included.",
        f"Granted: {r['granted']} values, sent as {r['cloud_events']} events. Kept at home: {r['withheld']} values.",
        f"Leaked: {r['leaked']}. Doubled at the cloud: {r['cloud_duplicates']}. Unusable: {r['dead_letters']}.",
        f"Heap free on the boards after {minutes} min, of 128 KiB: {heaps}.",
    )
    say("\n" + "\n".join(lines))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0, help="stop after so many seconds (default: at Ctrl-C)")
    parser.add_argument(
        "--speed",
        type=int,
        default=10,
        help="how many times faster than life the household runs (1 to 1000, default 10)",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep databases and logs there (default: thrown away)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. 0: all promises kept; 1: one was broken; 2: it could not start."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    if not 1 <= options.speed <= 1000:
        parser.error("--speed goes from 1 to 1000")
    if options.seconds < 0:
        parser.error("--seconds cannot be negative")
    logs.set_up("text", "warning")
    try:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            result = asyncio.run(run(options, Path(tempfile.mkdtemp(prefix="run-", dir=options.keep))))
        else:
            with tempfile.TemporaryDirectory(prefix="hearthgate-demo-") as folder:
                result = asyncio.run(run(options, Path(folder)))
    except (HearthgateError, CloudError, BoardError, OSError, TimeoutError) as why:
        print(f"The demo cannot run: {why or type(why).__name__}", file=sys.stderr)
        return 2
    _explain(result)
    broken = broken_promises(result)
    for sentence in broken:
        print(f"BROKEN: {sentence}", file=sys.stderr)
    if options.json:
        print(json.dumps(result), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
