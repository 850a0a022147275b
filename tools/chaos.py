"""Breaks a whole household, from a seed, and proves that nothing was lost and nothing came twice.

Boards (real MicroPython on littlefs images), broker, gateway and cloud run as processes. They are killed, their links
cut and starved, their messages repeated and reordered, their disks filled, their clocks stepped. Then everything is
healed, and what each board accepted into its journal is held against what the store and the cloud hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.errors import HearthgateError
from tools.board_folder import BoardError
from tools.chaos_compare import AtCloud, AtStore, at_cloud, at_store, unheard
from tools.chaos_evidence import Store, cloud_events, drained, read_store
from tools.chaos_house import RECIPIENT, House, house
from tools.chaos_parts import PartError
from tools.chaos_schedule import BROKERS, Fault, broker_of, lasts_s, schedule

__all__ = ["Result", "main", "run"]

PROGRESS_S: Final = 4.0
REST_S: Final = 15.0
"""How long the healed household may take by itself; then broker and gateway are restarted, to end their pauses."""

DRAIN_S: Final = 240.0
MANY: Final = 3
"""One or two faults of a kind may find nothing to strike; of so many one does."""

SENTENCES: Final = 20
"""Of each kind of broken promise so many are told; all of them are counted."""


@dataclass(slots=True)
class Result:
    """What came of a run."""

    seed: int
    broker: str
    by_kind: Counter[str]
    missed: Counter[str]
    store: AtStore
    cloud: AtCloud
    held: Store
    problems: list[str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The figures, by their names."""
        return {
            "faults": self.by_kind.total(),
            "accepted": self.store.accepted,
            "stored": self.store.stored,
            "lost": len(self.store.lost),
            "doubled": len(self.store.doubled),
            "reordered": len(self.store.reordered),
            "cloud_lost": self.cloud.lost,
            "cloud_doubled": self.cloud.doubled,
            "volatile": self.store.volatile,
            "dropped": self.store.dropped,
            "gaps": self.store.gaps,
            "timeless": self.store.timeless,
            "shared": self.cloud.expected,
            "duplicates": self.held.counters.get("frames_duplicate", 0),
            "problems": len(self.problems),
            "by_kind": dict(sorted(self.by_kind.items())),
            "missed": {kind: n for kind, n in sorted(self.missed.items()) if n},
            "dead_letters": dict(sorted(self.held.dead.items())),
            "seed": self.seed,
            "broker": self.broker,
            "seconds": round(self.seconds, 1),
        }

    def broken(self) -> list[str]:
        """Which promises were broken, each as a sentence; many of a kind are cut short."""
        found = list(self.problems)
        for kind, n in sorted(self.by_kind.items()):
            if n >= MANY and self.missed[kind] >= n:
                found.append(f"proven too little: none of {n} faults of the kind {kind} had any effect")
        for what, sentences in (
            ("lost", self.store.lost),
            ("doubled", self.store.doubled),
            ("reordered", self.store.reordered),
            ("timeless", self.store.untimed),
            ("cloud", self.cloud.sentences),
        ):
            found += [f"{what}: {sentence}" for sentence in sentences[:SENTENCES]]
            if len(sentences) > SENTENCES:
                found.append(f"{what}: and {len(sentences) - SENTENCES} more")
        return found


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


async def run(seed: int, faults: int, broker: str, folder: Path) -> Result:
    """One run; everything it makes lies in `folder`. Raises BoardError, PartError, HearthgateError or OSError."""
    began = time.monotonic()
    # The boards' time begins as far in the past as it must, so that at its speed it does not pass the real time: a
    # gateway takes no time from the future.
    epoch_ms = time.time_ns() // 1_000_000 + round((faults * 1.0 + 2 * DRAIN_S) * 1000)
    async with house(folder, seed, broker, epoch_ms, say) as home:
        planned = schedule(seed, faults, home.scene)
        say(f"{time.monotonic() - began:6.1f} s  seed {seed}, broker {broker}, all of it in {folder}")
        say(f"{faults} faults in {lasts_s(planned):.0f} s")
        progress = asyncio.create_task(_progress(home, began, faults))
        try:
            await _strike(home, planned)
            say(f"{time.monotonic() - began:6.1f} s  healing")
            await home.heal()
            left = await _drain(home)
        finally:
            progress.cancel()
        for board in home.boards.values():
            await board.kill()
        await home.gateway.stop()
        await home.cloud.stop()
        home.settle()
        witnesses = {board.plan.device: board.witness() for board in home.boards.values()}
        lives = {board.plan.device: board.lives for board in home.boards.values()}
        plans = [board.plan for board in home.boards.values()]
        held = await asyncio.to_thread(read_store, home.store_path, RECIPIENT)
        events = await asyncio.to_thread(lambda: list(cloud_events(home.cloud.path)))
        return Result(
            seed,
            broker,
            home.struck,
            home.missed,
            at_store(
                witnesses,
                held.rows,
                held.reused,
                durable={plan.device for plan in plans if plan.durable},
                small={plan.device for plan in plans if plan.small},
            ),
            at_cloud(held.shared, events),
            held,
            home.problems() + left + unheard(witnesses, lives),
            time.monotonic() - began,
        )


async def _strike(home: House, planned: Sequence[Fault]) -> None:
    """Every fault at its time; several at once. Whatever is still going on when the last has ended is ended too."""
    began = time.monotonic()
    running: set[asyncio.Task[None]] = set()
    try:
        for fault in planned:
            await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            task = asyncio.create_task(home.strike(fault), name=f"{fault.kind} {fault.target}")
            running.add(task)
            for done in [task for task in running if task.done()]:
                running.discard(done)
                done.result()
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _drain(home: House) -> list[str]:
    """Wait until no board holds anything and the cloud has what it may have; return what did not come to that."""
    began = time.monotonic()
    deadline = began + DRAIN_S
    refreshed, waited_for = False, ""
    lives = dict.fromkeys(home.boards, -1)
    while time.monotonic() < deadline:
        waiting = []
        for name, board in home.boards.items():
            if lives[name] != board.lives:  # who starts again measures again
                lives[name] = board.lives
                board.order("quiet")
            witness = board.witness()
            if not witness.sealed or max(boot for boot, _ in witness.sealed) not in witness.quiet:
                waiting.append(name)
        if not waiting and await asyncio.to_thread(drained, home.store_path):
            return []
        if (now := ", ".join(waiting) or "the cloud") != waited_for:
            waited_for = now
            say(f"{time.monotonic() - began:6.1f} s  after healing: waiting for {now}")
        if not refreshed and time.monotonic() - began > REST_S:
            refreshed = True
            say(f"{time.monotonic() - began:6.1f} s  after healing: restarting broker and gateway")
            await home.refresh()
        await asyncio.sleep(0.5)
    left = [f"board {home.boards[name].plan.device} ({name}) still holds frames" for name in waiting]
    return [f"{what} {DRAIN_S:g} s after all was healed" for what in left or ["the sink still has events to send"]]


async def _progress(home: House, began: float, faults: int) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        sealed = sum(len(board.witness().sealed) for board in home.boards.values())
        down = [part.name for part in home.parts if not part.alive]
        say(
            f"{time.monotonic() - began:6.1f} s  {home.struck.total()}/{faults} faults, {sealed} frames sealed"
            + (f", down: {', '.join(down)}" if down else "")
        )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=100, help="how many (default 100, about 45 s; 1000 take 7 min)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed breaks the same things at the same time")
    parser.add_argument("--broker", choices=BROKERS, help="default: the seed decides")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep databases, flash images, witnesses and logs there"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. 0: all promises kept; 1: one was broken; 2: it could not run; 130: interrupted."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    if options.faults < 1 or not 0 <= options.seed < 2**63:
        parser.error("--faults begin at 1, --seed at 0")
    broker = options.broker or broker_of(options.seed)
    try:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"seed-{options.seed}-", dir=options.keep))
            result = asyncio.run(_until_interrupted(options.seed, options.faults, broker, folder))
        else:
            with tempfile.TemporaryDirectory(prefix="hearthgate-chaos-") as made:
                result = asyncio.run(_until_interrupted(options.seed, options.faults, broker, Path(made)))
    except asyncio.CancelledError:
        return 130
    except (HearthgateError, BoardError, PartError, OSError) as why:
        say(f"The chaos cannot run: {why or type(why).__name__}")
        return 2
    figures = result.to_json()
    broken = result.broken()
    for sentence in broken:
        say(f"BROKEN: {sentence}")
    say(_told(figures))
    if options.json:
        print(json.dumps(figures), flush=True)
    return 1 if broken else 0


def _told(figures: dict[str, Any]) -> str:
    return (
        f"{figures['faults']} faults in {math.ceil(figures['seconds'])} s: {figures['accepted']} frames accepted by "
        f"the boards, {figures['stored']} stored ({figures['duplicates']} came again and were dropped); lost "
        f"{figures['lost']}, doubled {figures['doubled']}, reordered {figures['reordered']}; of {figures['shared']} "
        f"readings shared the cloud lost {figures['cloud_lost']} and doubled {figures['cloud_doubled']}."
    )


async def _until_interrupted(seed: int, faults: int, broker: str, folder: Path) -> Result:
    """Ctrl-C and SIGTERM end the run as any failure does: every process that was started is ended."""
    task = asyncio.ensure_future(run(seed, faults, broker, folder))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main())
