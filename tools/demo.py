"""The demo: two emulated boards on the real firmware, a broker, the gateway with its console, and a stand-in cloud."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.app import logs
from gateway.errors import HearthgateError
from tools.cloud import CloudError
from tools.demo_audit import audit
from tools.demo_consent import Story, tell
from tools.demo_household import Household, household, say
from tools.demo_report import broken_promises, explain, report
from tools.virtual_board import BoardError

STOP_S = 20.0
STORY_S = 30.0  # how much longer than asked the demo may run, so that the story has its end


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
        story = Story()
        # Without an end the household is the reader's own to try things in.
        telling = asyncio.create_task(tell(home, options.seconds, story)) if options.seconds else None
        while not stop.is_set():
            left_s = options.seconds - (time.monotonic() - began) if options.seconds else 5.0
            if left_s <= 0:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(5.0, left_s)):
                    await stop.wait()
            for board in home.boards:
                board.check()
            await _progress(home, time.monotonic() - began)
        if telling is not None and not await _told(telling, stop):
            story = Story()
        say("Stopping: the boards seal what they hold and wait until it is stored …")
        await stop_boards(home)
        result = await report(home)
    return result | {"consent": story.as_json() | await audit(folder)}


async def _told(telling: asyncio.Task[None], stop: asyncio.Event) -> bool:
    """Wait for the end of the story; False if somebody does not want to."""
    if not telling.done():
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, asked}, timeout=STORY_S, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
    if stop.is_set() and not telling.done():
        telling.cancel()
        await asyncio.wait({telling})
        return False
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        telling.cancel()
        await telling
    return True


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
    broker = f"-p {home.gateway.broker_port} -u look -P {home.gateway.look_password}"
    say(
        f"""
Open   {home.console.url:<28} the household's console: readings, and what is shared
       {home.cloud.url:<28} what the manufacturer's cloud got
Try    mosquitto_sub {broker} -t 'hg/1/#' -v | xxd
       (the frames on the wire; package mosquitto-clients)
       stop sharing in the console, and see the cloud's page stand still
       curl -X POST {home.cloud.url}/control -d '{{"mode":"fail"}}' -H 'content-type: application/json'
       (the cloud fails; nothing is lost; {{"mode":"ok"}} mends it)
{"Ends   by itself after " + format(options.seconds, "g") + " seconds" if options.seconds else "End    with Ctrl-C"}
"""
    )


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
    explain(result)
    broken = broken_promises(result)
    for sentence in broken:
        print(f"BROKEN: {sentence}", file=sys.stderr)
    if options.json:
        print(json.dumps(result), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
