"""Fuzzing: every reader of bytes from outside gets inputs that nobody thought of.

    tools/fuzz [target …] [--seconds N | --inputs N] [--jobs 2] [--json]     (or python -m tools.fuzz)

Coverage guides the inputs where atheris is installed (the extra `fuzz`); elsewhere they are mutations of valid ones and
of the corpus. The exit status is 1 if there was a crash, a hang of over a second, or memory that grew; the
input is then in tests/fuzz/corpus, where the tests find it too.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import fuzz_corpus, fuzz_run, fuzz_targets, fuzz_worker
from tools.fuzz_run import Finding, Outcome, Task
from tools.fuzz_target import Target

__all__ = ["main", "plan", "summary"]

_SECONDS = 60.0  # without --seconds and --inputs
_FOREVER_S = 86_400.0
_NO_END = 1 << 40
_ABOUT = __doc__.split("\n\n", maxsplit=1)[0] if __doc__ else ""


def plan(
    targets: Sequence[Target], *, engine: str, jobs: int, seed: int, inputs: int | None, seconds: float | None
) -> list[Task]:
    """What each worker does, the longest first. `inputs` in all, by the targets' shares; or `seconds` in all, the same
    for each target. With fewer targets than jobs a target has more than one worker."""
    workers = -(-jobs // len(targets))
    shares = sum(target.share for target in targets)
    tasks = []
    for target in targets:
        part = _NO_END if inputs is None else -(-inputs * target.share // shares)
        limit_s = _FOREVER_S if inputs is not None else (seconds or _SECONDS) * jobs / len(targets) / workers
        tasks += [Task(target.name, engine, -(-part // workers), limit_s, seed + n) for n in range(workers)]
    cost = {target.name: target.cost_us for target in targets}
    return sorted(tasks, key=lambda task: -task.inputs * cost[task.target])


def summary(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """The counts of a run: in all, and by target."""
    targets: dict[str, dict[str, Any]] = {}
    for done in sorted(outcomes, key=lambda done: done.task.target):
        all_of_it = targets.setdefault(
            done.task.target,
            {"inputs": 0, "inputs_per_min": 0, "accepted": 0, "slowest_ms": 0.0, "rss_start_mb": 0.0, "rss_end_mb": 0.0,
             "crashes": 0, "hangs": 0, "other": 0},
        )  # fmt: skip
        all_of_it["inputs"] += done.inputs
        all_of_it["inputs_per_min"] += round(60 * done.inputs / done.seconds) if done.seconds else 0
        all_of_it["accepted"] += done.accepted
        for name in ("slowest_ms", "rss_start_mb", "rss_end_mb"):
            all_of_it[name] = max(all_of_it[name], round(getattr(done, name), 1))
        for finding in done.findings:
            all_of_it[{"crash": "crashes", "hang": "hangs"}.get(finding.kind, "other")] += 1
    inputs = sum(done.inputs for done in outcomes)
    return {
        "inputs": inputs,
        "seconds": round(seconds, 1),
        "inputs_per_min": round(60 * inputs / seconds),
        "findings": sum(len(done.findings) for done in outcomes),
        "targets": targets,
    }


def _line(name: str, n: dict[str, Any]) -> str:
    taken = 100 * n["accepted"] / n["inputs"] if n["inputs"] else 0.0
    return (
        f"{name:<12} {n['inputs']:>10,} inputs {n['inputs_per_min']:>10,} a minute  {taken:>4.0f} % taken  "
        f"slowest {n['slowest_ms']:>6.1f} ms  RSS {n['rss_start_mb']:>5.1f} to {n['rss_end_mb']:>5.1f} MB  "
        f"crashes {n['crashes']}, hangs {n['hangs']}, other {n['other']}"
    )


def _report(finding: Finding, corpus: Path) -> str:
    text = f"\n{finding.target}: {finding.kind}: {finding.error}\n{finding.trace}"
    if finding.data is None:
        return text
    path = fuzz_corpus.keep(fuzz_targets.find(finding.target), finding.data, fuzz_corpus.FINDING, corpus)
    return f"{text}The input is in {path}\n"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=_ABOUT)
    parser.add_argument("target", nargs="*", help="; ".join(f"{t.name}: {t.about}" for t in fuzz_targets.TARGETS))
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--seconds", type=float, help=f"how long in all (default {_SECONDS:.0f})")
    much.add_argument("--inputs", type=int, help="how many inputs in all, more of those that cost less")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="of the dice (default 1)")
    parser.add_argument("--engine", choices=("atheris", "builtin"), help="default: atheris where it is installed")
    parser.add_argument("--corpus", type=Path, default=fuzz_corpus.CORPUS, help="where inputs of findings are kept")
    parser.add_argument("--found", type=Path, help="folder that gets what reached something new")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    try:
        targets = fuzz_targets.named(options.target)
    except (fuzz_targets.UnknownTargetError, ImportError) as why:
        parser.error(str(why))
    if options.jobs < 1 or (options.inputs or 1) < 1 or (options.seconds or 1) <= 0:
        parser.error("--jobs, --inputs and --seconds are at least 1")
    engine = options.engine or fuzz_worker.engine()
    guided = "atheris: coverage guides it" if engine == "atheris" else "builtin: mutations of the corpus, no coverage"
    out = sys.stderr if options.json else sys.stdout
    print(f"{len(targets)} targets, engine {guided}", file=out, flush=True)
    tasks = plan(
        targets, engine=engine, jobs=options.jobs, seed=options.seed, inputs=options.inputs, seconds=options.seconds
    )

    def tell(done: Outcome) -> None:
        for name, counts in summary([done], done.seconds or 1.0)["targets"].items():
            print(_line(name, counts), file=out, flush=True)
        for finding in done.findings:
            print(_report(finding, options.corpus), file=out, flush=True)

    began_s = time.monotonic()
    try:
        outcomes = fuzz_run.run(tasks, jobs=options.jobs, found=options.found, tell=tell)
    except fuzz_run.FuzzError as why:
        print(f"fuzz: {why}", file=sys.stderr)
        return 2
    total = {"engine": engine, **summary(outcomes, time.monotonic() - began_s)}
    print(
        f"in all: {total['inputs']:,} inputs in {total['seconds']:,.0f} s, {total['inputs_per_min']:,} a minute, "
        f"{total['findings']} findings",
        file=out,
        flush=True,
    )
    if options.json:
        print(json.dumps(total))
    return 1 if total["findings"] else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the workers end with it
    sys.exit(main())
