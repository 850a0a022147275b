"""How many inputs a minute the fuzzer gets through, beside a loop that only draws them and reads none."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tools import fuzz_run, fuzz_worker
from tools.bench import Figure
from tools.fuzz import plan
from tools.fuzz_targets import TARGETS

__all__ = ["figures"]

INPUTS = 60_000
"""Over all targets, in the shares of a long run; enough that starting the workers is the smaller part."""


def _per_minute(engine: str, jobs: int) -> float:
    """Inputs a minute over every target; what each worker takes to start is not counted."""
    tasks = plan(TARGETS, engine=engine, jobs=jobs, seed=1, inputs=INPUTS, seconds=None)
    outcomes = fuzz_run.run(tasks, jobs=jobs)
    busy_s = sum(done.seconds for done in outcomes)
    return 60 * jobs * sum(done.inputs for done in outcomes) / busy_s


def figures() -> Iterator[Figure]:
    """One figure: with coverage where atheris is installed, with mutations only where it is not."""
    jobs = min(2, os.cpu_count() or 1)
    engine = fuzz_worker.engine()
    value = _per_minute(engine, jobs)
    beside = f"inputs drawn and read by nobody (engine {engine})"
    yield Figure("fuzz.inputs_per_min", value, "inputs", beside, _per_minute("draw", jobs))
