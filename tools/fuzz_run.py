"""Runs fuzz workers side by side and watches them from outside: counts, processor time, memory, deaths.

A worker cannot say that it hangs, or that the system killed it; whoever stands beside it can, and knows from the slot
which input it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.fuzz_slot import Slot, resident
from tools.fuzz_target import scratch
from tools.fuzz_worker import HANG_S

__all__ = ["Finding", "FuzzError", "Outcome", "Task", "run"]

ROOT = Path(__file__).resolve().parent.parent
GROWTH_MB = 24.0
"""More memory than this between a tenth of a run and its end is a finding. libFuzzer keeps its corpus in memory, which
grows by some megabytes and then no more."""

_LOOK_S = 0.05
_STUCK_S = 30.0  # without using the processor: it waits for what will never come
_IDLE_S = 120.0  # between two inputs
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class FuzzError(Exception):
    """A worker could not do its work; the text holds what it said last."""


@dataclass(frozen=True)
class Task:
    """One worker's work: at most `inputs`, for at most `seconds`."""

    target: str
    engine: str
    inputs: int
    seconds: float
    seed: int


@dataclass(frozen=True)
class Finding:
    """What must not happen: kind is crash, hang, death or memory; `data` the input, where there is one."""

    target: str
    kind: str
    error: str
    data: bytes | None = None
    trace: str = ""


@dataclass
class Outcome:
    """What one worker did. Memory is its resident set a tenth into the run, and at the end."""

    task: Task
    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    rss_start_mb: float = 0.0
    rss_end_mb: float = 0.0
    findings: list[Finding] = field(default_factory=list)


class _Worker:
    """A worker process and what was seen of it."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self._folder = folder
        self._slot = Slot(folder / "slot", new=True)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            command = [
                sys.executable, "-m", "tools.fuzz_worker", task.target, str(folder), "--engine", task.engine,
                "--inputs", str(task.inputs), "--seconds", str(task.seconds), "--seed", str(task.seed),
            ]  # fmt: skip
            # libFuzzer ends a process without its clean-up: what the worker leaves goes with our folder.
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | {"TMPDIR": str(folder)}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
            )  # fmt: skip
        self._began_s: float | None = None
        self._last = 0
        self._since = (-1, 0.0, 0.0)  # inputs done, processor time and time when that number was first seen
        self._killed: Finding | None = None

    def look(self) -> Outcome | None:
        """Look at it; returns what it did, once it has ended."""
        ended = self._process.poll() is not None
        seen = self._slot.read()
        if seen.done and self._began_s is None:
            self._began_s = time.monotonic()
        if not ended:
            with contextlib.suppress(OSError, IndexError, ValueError):  # it ends while we look
                self._last = resident(self._process.pid) or self._last
                self._watch(seen.done, seen.under_way)
            return None
        return self._outcome()

    def _watch(self, done: int, under_way: bytes | None) -> None:
        cpu_s, now_s = self._cpu_s(), time.monotonic()
        since_done, since_cpu_s, since_s = self._since
        if done != since_done:
            self._since = (done, cpu_s, now_s)
            return
        if under_way is None:
            if now_s - since_s > _IDLE_S:
                raise FuzzError(f"the worker of {self.task.target} makes no inputs")
            self._since = (done, cpu_s, since_s)
            return
        busy_s, waited_s = cpu_s - since_cpu_s, now_s - since_s
        if busy_s > HANG_S or waited_s > _STUCK_S:
            error = f"over {busy_s:.1f} s of processor time" if busy_s > HANG_S else f"waits since {waited_s:.0f} s"
            self._killed = Finding(self.task.target, "hang", error, under_way)
            self._process.kill()

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def _outcome(self) -> Outcome:
        seen = self._slot.read()
        self._slot.close()
        done = Outcome(self.task, seen.done, seen.accepted)
        done.seconds = time.monotonic() - (self._began_s or time.monotonic())
        done.slowest_ms = seen.slowest_ns / 1e6
        for path in sorted(self._folder.glob("*.json")):
            kept = json.loads(path.read_text(encoding="utf-8"))
            data = bytes.fromhex(kept["input"])
            done.findings.append(Finding(self.task.target, kept["kind"], kept["error"], data, kept["trace"]))
        if self._killed is not None:
            done.findings.append(self._killed)
        elif self._process.returncode:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-3000:]
            if seen.under_way is None:
                raise FuzzError(f"the worker of {self.task.target} ended ({self._process.returncode}):\n{said}")
            error = f"the process ended ({self._process.returncode})"
            done.findings.append(Finding(self.task.target, "death", error, seen.under_way, said))
        self._weigh(done, seen.weights)
        return done

    def _weigh(self, done: Outcome, weights: list[tuple[int, int]]) -> None:
        warm = [weight for n, weight in weights if n >= done.inputs / 10]
        if warm:
            done.rss_start_mb, done.rss_end_mb = warm[0] / 2**20, max(warm[-1], self._last) / 2**20
        if done.rss_end_mb - done.rss_start_mb > GROWTH_MB:
            error = f"resident memory grew from {done.rss_start_mb:.0f} to {done.rss_end_mb:.0f} MB"
            done.findings.append(Finding(self.task.target, "memory", error))

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


def run(
    tasks: Sequence[Task], *, jobs: int, found: Path | None = None, tell: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Run the tasks, `jobs` at a time, and `tell` of each when it has ended. Raises FuzzError.

    `found`: a folder that gets, by target, the inputs that reached something new.
    """
    waiting = list(reversed(tasks))
    busy: list[_Worker] = []
    outcomes: list[Outcome] = []
    with scratch() as folder:
        try:
            while waiting or busy:
                while waiting and len(busy) < jobs:
                    place = folder / str(len(waiting))
                    place.mkdir()
                    busy.append(_Worker(waiting.pop(), place))
                time.sleep(_LOOK_S)
                for worker, done in _ended(busy):
                    busy.remove(worker)
                    outcomes.append(done)
                    tell(done)
        finally:
            for worker in busy:
                worker.stop()
        if found is not None:
            _collect(tasks, folder, found)
    return outcomes


def _ended(busy: Sequence[_Worker]) -> Iterator[tuple[_Worker, Outcome]]:
    for worker in list(busy):
        done = worker.look()
        if done is not None:
            yield worker, done


def _collect(tasks: Sequence[Task], folder: Path, found: Path) -> None:
    for number, task in enumerate(tasks):
        into = found / task.target
        into.mkdir(parents=True, exist_ok=True)
        for path in (folder / str(len(tasks) - number)).glob("found/*"):
            shutil.copyfile(path, into / f"{task.seed}-{path.name}")
