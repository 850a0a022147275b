"""The boards of a chaos run: real firmware on littlefs images, each with a witness outside of its flash."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.board_folder import ROOT, BoardError
from tools.chaos_witness import Witness, read
from tools.virtual_board import HEAP_KIB, VirtualBoard

__all__ = ["CHAOS_BOARD", "ChaosBoard", "Plan", "plans"]

CHAOS_BOARD: Final = ROOT / "tools" / "mpy" / "chaos_board.py"
EXTRA_KIB: Final = 18
"""Heap beside the board's own, for what is not the board's: the emulation of the flash, the witness, and the table of
names that doubles because of theirs. With it as much is free as on an emulated board without them."""

CUT_STATUS: Final = -9
"""Of a process whose flash lost its power: boards/sim/sim_flash.py has it killed."""

_PAUSE_S: Final = 0.3
_START_S: Final = 30.0
_STARTED: Final = re.compile(r"hearthgate: .* boot \d+ ")
_CRASHED: Final = ("supervisor: crashed:", "Traceback", "MemoryError", "supervisor: silent:")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a board is. `speed`: simulated seconds in a real one; `clock`: whether its clock is set at start, else the
    gateway tells it the time; `small`: its flash has room for a short outage only."""

    name: str
    board: str
    device: str
    speed: int
    durable: bool
    clock: bool
    small: bool
    settings: dict[str, Any]


def plans(seed: int) -> list[Plan]:
    """A fridge, a kettle, and a fridge without a clock, whose time runs as the gateway's does: it says too little for
    anything to be left of it, were it not durable. Of the others one is; and each third seed has a small one."""
    quick = {"report_s": 20, "quiet_s": 30}
    slow = {"step_ms": 250, "report_s": 1, "quiet_s": 1}
    tight = {**quick, "flash_bytes": 8192, "journal_bytes": 2048}
    odd, small = bool(seed % 2), seed % 3 == 0
    return [
        Plan("fridge", "fridge-sim", "5e00000000f1", 100, durable=odd, clock=True, small=False, settings=quick),
        Plan(
            "kettle",
            "kettle-sim",
            "5e00000000c2",
            60,
            durable=not odd,
            clock=True,
            small=small,
            settings=tight if small else quick,
        ),
        Plan("cellar", "fridge-sim", "5e00000000f3", 1, durable=True, clock=False, small=False, settings=slow),
    ]


class ChaosBoard:
    """One board with its image, its witness and its orders. `problems`: sentences about what no board should do;
    `cuts`: how often its power went in the midst of writing, by the kind of fault that saw to it; `lives`: its starts.
    """

    def __init__(
        self, plan: Plan, folder: Path, *, key: bytes, port: int, seed: int, epoch_ms: int, say: Callable[[str], None]
    ) -> None:
        self.plan = plan
        self.problems: list[str] = []
        self.cuts: Counter[str] = Counter()
        self.lives = 0
        self._folder = folder / plan.name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._witness = self._folder / "witness.txt"
        self._witness.touch()
        self._orders = self._folder / "orders.txt"
        self._log = (self._folder / "console.log").open("a", encoding="utf-8")
        self._say = say
        self._up = False
        self._cut = asyncio.Event()
        self._booted = asyncio.Event()
        self._due = ""  # the kind of fault that the next cut in a write is of
        self._watcher: asyncio.Task[None] | None = None
        self._dice = random.Random(f"{seed} {plan.name}")
        self.virtual = VirtualBoard(
            plan.board,
            device=plan.device,
            key=key,
            name=plan.name,
            mqtt_host="127.0.0.1",
            mqtt_port=port,
            seed=self._dice.randrange(1000),
            speed=plan.speed,
            epoch_ms=epoch_ms if plan.clock else None,
            workdir=self._folder / "code",
            heap_kib=HEAP_KIB + EXTRA_KIB,
            # The least that the wire allows: a link that went dead is noticed before the next one does.
            settings={"durable": plan.durable, "mqtt": {"keepalive_s": 5}, **plan.settings},
            image=self._folder / "flash.img",
            starter=CHAOS_BOARD,
            on_line=self._line,
        )

    async def start(self, budget: int = -1) -> None:
        """Power on. With a `budget` the power goes again after so many bytes of flash were written."""
        if self._up:
            return
        self._due = "board_power_cut_starting" if budget >= 0 else ""
        await self._run(budget)
        self._up = True
        self._watcher = asyncio.create_task(self._watch())

    async def ready(self) -> None:
        """Wait until it has started for the first time: what is new on its flash is written. Raises BoardError."""
        try:
            async with asyncio.timeout(_START_S):
                await self._booted.wait()
        except TimeoutError:
            words = "".join(f"\n  {line}" for line in list(self.virtual.console)[-12:])
            raise BoardError(f"board {self.plan.name} does not start{words}") from None

    async def _run(self, budget: int = -1) -> None:
        """Orders of an earlier life are not for this one."""
        self.lives += 1
        self._orders.unlink(missing_ok=True)
        files = (str(file.resolve()) for file in (self._witness, self._orders))
        self.virtual.starter_arguments = (*files, str(budget), "1" if self.plan.clock else "0")
        await self.virtual.start()

    async def kill(self) -> None:
        """Power off, at once."""
        self._up = False
        self._due = ""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        await self.virtual.kill()

    async def close(self) -> None:
        """Power off for good, and the end of its world."""
        await self.kill()
        await self.virtual.close()
        self._log.close()

    def order(self, verb: str, number: int = 0) -> None:
        """Have the board do something; see tools/mpy/chaos_board.py."""
        fresh = self._orders.with_suffix(".new")
        fresh.write_text(f"{verb} {number}\n", encoding="ascii")
        fresh.replace(self._orders)

    async def power_cut(self, after_bytes: int, wait_s: float) -> None:
        """Order a power cut in the midst of the next writing, and wait until it has come; else pull the plug."""
        self._cut.clear()
        self._due = "board_power_cut"
        self.order("cut", after_bytes)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._cut.wait()
        await self.kill()

    def took_effect(self) -> dict[str, int]:
        """How many faults of the kinds that only a board can carry out it did, by its own account."""
        obeyed = Counter(order.split()[0] for order in self.witness().orders)
        return {
            "board_clock": obeyed["clock"],
            "board_power_cut": min(obeyed["cut"], self.cuts["board_power_cut"]),
            "board_power_cut_starting": self.cuts["board_power_cut_starting"],
        }

    def witness(self) -> Witness:
        """What it promised up to now."""
        with self._witness.open(encoding="ascii", errors="replace", newline="\n") as lines:
            return read(lines)

    async def _watch(self) -> None:
        """What ends by itself is started again; why it ended is another matter."""
        while True:
            status = await self.virtual.wait_ended()
            if status == CUT_STATUS and self._due:
                self.cuts[self._due] += 1
                self._due = ""
                self._cut.set()
            elif status != 0:
                words = "".join(f"\n    {line}" for line in list(self.virtual.console)[-12:])
                self.problems.append(f"board {self.plan.device} ({self.plan.name}) ended with status {status}{words}")
            await asyncio.sleep(_PAUSE_S)
            await self.virtual.kill()
            await self._run()

    def _line(self, text: str) -> None:
        self._log.write(text + "\n")
        self._log.flush()
        if _STARTED.match(text):
            self._booted.set()
        if any(word in text for word in _CRASHED):
            self._say(f"  {self.plan.name}: {text}")
            self.problems.append(f"board {self.plan.device} ({self.plan.name}): {text}")
