"""Drives consent and forwarding at random against the reference of consent_reference, and says where they differ.

    python -m tools.consent_model [--steps 20000] [--seed 1] [--json]

Every step is an act of a person (a grant given, changed, at rest, taken back), of time, of a board (with a clock or
without, thinned, late, out of order), of a sink (filled, taken, delivered, refused, ended) or of fate (the database is
opened again as it lay on the disk, perhaps with a batch under way). After each one what waits in every outbox is
compared, event by event and field by field; and of each batch what leaves, its row in the ledger, and whether it may go
on leaving.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tools.consent_machine import ConsentModel

__all__ = ["main", "run"]

STEPS_A_LIFE = 60
LIVES_A_SEED = 10


def run(lives: int, seed_: int, *, shrink: bool = False) -> None:
    """Live so many lives. Raises Differ, with the steps that led to it printed by hypothesis."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    told = settings(
        max_examples=lives, stateful_step_count=STEPS_A_LIFE, deadline=None, database=None, phases=phases,
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    run_state_machine_as_test(seed(seed_)(ConsentModel), settings=told)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 if nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.consent_model", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=20_000, help="at least so many (20000)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--shrink", action="store_true", help="look for the fewest steps to a difference: minutes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    began, seeds = time.monotonic(), 0
    ConsentModel.steps = ConsentModel.delivered = 0
    while ConsentModel.steps < options.steps:
        run(LIVES_A_SEED, options.seed + seeds, shrink=options.shrink)
        seeds += 1
    said = {
        "steps": ConsentModel.steps, "seeds": seeds, "lives": LIVES_A_SEED * seeds, "events": ConsentModel.delivered,
        "differences": 0, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    if options.json:
        print(json.dumps(said))
    else:
        print(
            f"{said['steps']:,} steps in {said['lives']} lives of {seeds} seeds, {said['events']:,} events left: "
            f"no difference ({said['seconds']} s)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
