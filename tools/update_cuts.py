"""Cuts the power in the midst of updates over the air, from a seed, and proves that no board is lost by it.

One virtual board (real MicroPython, its own littlefs, the loader and the firmware as flashed) is updated over and over
by a real gateway over a broker. Its power goes after so many bytes written, or after so long. After each cut its flash
is looked at and started on a copy: the slot that the loader chooses must be whole, the firmware must come up, and every
frame that the journal holds must be in the gateway's database in the end.

    python -m tools.update_cuts --cuts 200 --seed 1 --json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.store import devices
from gateway.update.rollout import State
from tools.board_folder import ROOT, find_micropython
from tools.serial_board import SerialBoard
from tools.serial_chip import BLOCKS
from tools.update_house import House, house, made

__all__ = ["Result", "main", "run"]

DEVICE: Final = "5e00000000c7"
LOOK: Final = ROOT / "tools" / "mpy" / "update_look.py"
UPDATE_BYTES: Final = 160_000
"""What an update writes and erases, about."""

SHORT_BYTES: Final = 12_000
"""What a start writes and erases, and the first frames."""

CYCLE_S: Final = 7.0
"""The longest life of a board here: an update, its start and its trial fit into it."""

START_S: Final = 20.0
SETTLE_S: Final = 90.0


@dataclass(slots=True)
class Result:
    """What came of a run. `bricked`: cuts after which the firmware did not come up, each as a sentence."""

    seed: int
    cuts: int = 0
    updated: int = 0
    rolled_back: int = 0
    bricked: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0
    where: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures, by their names."""
        return {
            "cuts": self.cuts,
            "bricked": len(self.bricked),
            "torn_slots": len(self.torn),
            "updated": self.updated,
            "rolled_back": self.rolled_back,
            "frames_held": self.frames,
            "lost_frames": len(self.lost),
            "where": dict(sorted(self.where.items())),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }

    def broken(self) -> list[str]:
        """Which promises were broken, each as a sentence."""
        lost = [f"frame {boot}/{seq} was on flash and never came" for boot, seq in self.lost]
        return [*self.bricked, *self.torn, *lost]


async def run(seed: int, cuts: int, folder: Path) -> Result:
    """One run; everything it makes lies in `folder`."""
    began = time.monotonic()
    dice = random.Random(seed)
    result = Result(seed)
    held: set[tuple[int, int]] = set()
    async with house(folder) as home:
        board = await home.board(DEVICE, durable=True, step_ms=1000, report_s=2, quiet_s=2)
        try:
            nth = 0
            phase = ""
            while result.cuts < cuts:
                nth = await _order(home, result, nth)
                await _live(board, dice, trial=phase == "trial")
                result.cuts += 1
                phase = await asyncio.to_thread(_look, folder, board, result, held)
                if result.cuts % 20 == 0:
                    said = json.dumps(result.to_json())
                    print(f"{time.monotonic() - began:6.1f} s  {said}", file=sys.stderr, flush=True)
            board.switch_on()
            rows = await home.until(lambda rows: rows[DEVICE].over, SETTLE_S)
            _count(result, rows[DEVICE].state)
            result.lost = sorted(held - await _stored(home, held))
            result.frames = len(held)
        finally:
            board.close()
    result.seconds = time.monotonic() - began
    return result


async def _order(home: House, result: Result, nth: int) -> int:
    """Order the next update if the last one is over."""
    rows = await home.rows()
    if rows and not rows[DEVICE].over:
        return nth
    if rows:
        _count(result, rows[DEVICE].state)
    nth += 1
    # All of its files differ from those of any update before: so all of them are fetched and written.
    await home.order(made(f"0.0.{nth + 1}", tail=f"{nth:04}".encode()), {DEVICE: 0})
    return nth


def _count(result: Result, state: State) -> None:
    result.updated += state is State.UPDATED
    result.rolled_back += state is State.ROLLED_BACK


async def _live(board: SerialBoard, dice: random.Random, *, trial: bool) -> None:
    """Power, until it goes: after some bytes, or after some time. A slot on trial is cut short more often than not."""
    kind = dice.random()
    after = -1 if kind < 0.25 else dice.randrange(UPDATE_BYTES if kind < 0.65 and not trial else SHORT_BYTES)
    limit_s = dice.uniform(0.2, CYCLE_S) if after < 0 else CYCLE_S
    board.switch_on(after)
    await asyncio.to_thread(board.wait_off, limit_s)
    board.cut_power()


def _look(folder: Path, board: SerialBoard, result: Result, held: set[tuple[int, int]]) -> str:
    """What is on its flash, and whether that comes up, on a copy: the board itself is left as the cut left it. Returns
    what the cut came into."""
    copy = folder / "copy"
    shutil.copyfile(board.image, copy)
    command = [find_micropython(), str(LOOK), str(copy), str(BLOCKS), str(ROOT / "firmware")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        result.bricked.append(f"cut {result.cuts}: its flash cannot be read: {done.stderr[-300:]}")
        return ""
    seen = json.loads(done.stdout)
    held.update((boot, seq) for boot, seq in seen["frames"])
    words = seen["choice"].split()
    phase = "between" if not words or words[2] == "0" else "back" if words[2].startswith("-") else "trial"
    other = "b" if not words or words[0] == "a" else "a"
    if phase != "trial" and seen["slots"][other] == "half":
        phase = "loading"
    result.where[phase] += 1
    for slot, state in seen["slots"].items():
        if state not in ("whole", "half"):
            result.torn.append(f"cut {result.cuts}: slot {slot} has its manifest, but {state}")
    with SerialBoard(copy, chip_id=DEVICE) as twin:
        until = time.monotonic() + START_S
        while not any("hearthgate: fridge" in line for line in list(twin.console)):
            if time.monotonic() > until:
                said = " / ".join(list(twin.console)[-4:])
                result.bricked.append(f"cut {result.cuts}: it does not come up: {seen['slots']} {said}")
                break
            time.sleep(0.05)
    return phase


async def _stored(home: House, held: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The frames in the database, when all that was held has come or nothing more comes."""

    def read() -> set[tuple[int, int]]:
        id_ = devices.registry(home.gateway.db)[DEVICE].id
        rows = home.gateway.db.connection.execute("SELECT boot, seq FROM frame WHERE device_id = ?", (id_,))
        return {(boot, seq) for boot, seq in rows}

    until = time.monotonic() + SETTLE_S
    while True:
        home.gateway.ingest.looked()
        there = await home.gateway.store(read)
        if held <= there or time.monotonic() > until:
            return there
        await asyncio.sleep(0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tools.update_cuts", description="Power cuts while boards update.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run(options.seed, options.cuts, Path(folder)))
    for sentence in result.broken():
        print(sentence, file=sys.stderr)
    figures = result.to_json()
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))
    return 1 if result.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
