"""Forged and replayed messages of every kind, each of which has to be refused, and counted.

    python -m tools.forgery [--mutations 10000] [--seed 1] [--json] [kind …]

Frames and births (and what else boards say) go through a gateway's ingest into a database; commands, acks and manifests
go to a board, which is the firmware's own link and update on real MicroPython. All of it is sealed by the code that
seals it in a house. From these messages a forger who lacks the key makes others (tools/forgery_draw.py), and plays
genuine ones again (a quarter as many). None of it may leave a trace but in the counters: the database, or the board's
journal, clock, counter and slots, are compared after every message or every few. For each message one counter has to
grow by one. Where something was taken or not counted, the message is printed. Last, a genuine one has to be taken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools import forgery_board, forgery_gateway
from tools.board_folder import BoardError
from tools.forgery_tally import Tally

__all__ = ["KINDS", "main", "run"]

KINDS: Final = (*forgery_gateway.KINDS, *forgery_board.KINDS)
_REPLAYS: Final = 4
"""One replay comes on so many mutations."""

_SAY_EVERY_S: Final = 5.0


def run(kinds: Sequence[str], mutations: int, seed: int, told: Callable[[str, int], None]) -> list[Tally]:
    """A tally for each of the kinds, in the order of KINDS. told: is called with a kind and how many were said of it.
    Raises BoardError where there is no MicroPython."""
    replays = -(-mutations // _REPLAYS)
    up = [kind for kind in forgery_gateway.KINDS if kind in kinds]
    down = [kind for kind in forgery_board.KINDS if kind in kinds]
    with tempfile.TemporaryDirectory(prefix="hearthgate-forgery-") as folder:
        tallies = asyncio.run(forgery_gateway.run(up, mutations, replays, seed, Path(folder), told)) if up else []
        return tallies + forgery_board.run(down, mutations, replays, seed, Path(folder), told)


def _progress() -> Callable[[str, int], None]:
    """Tells how far it is, every few seconds."""
    began = said = time.monotonic()

    def told(kind: str, count: int) -> None:
        nonlocal said
        if time.monotonic() >= said + _SAY_EVERY_S:
            said = time.monotonic()
            print(f"{said - began:6.1f} s  {kind}: {count:,}", file=sys.stderr, flush=True)

    return told


def _table(tallies: Sequence[Tally]) -> str:
    """For people."""
    head = ("kind", "mutations", "replays", "refused", "counted", "accepted", "drawn again", "seconds", "")
    lines = [f"{head[0]:<9}" + "".join(f"{name:>12}" for name in head[1:])]
    for tally in tallies:
        numbers = (tally.mutations, tally.replays, tally.refused, tally.counted + tally.replays_counted, tally.accepted,
                   tally.again)  # fmt: skip
        holds = "holds" if tally.holds else "BROKEN"
        lines.append(f"{tally.kind:<9}" + "".join(f"{n:>12,}" for n in numbers) + f"{tally.seconds:>12.1f}{holds:>12}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if something was accepted or not counted, 2 where there is no MicroPython."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.forgery", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("kind", nargs="*", help=f"only these: {', '.join(KINDS)}")
    parser.add_argument("--mutations", type=int, default=10_000, help="of each kind (10000); replays come on top")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (1)")
    parser.add_argument("--json", action="store_true", help="end with one JSON object instead of a table")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.kind) - set(KINDS)):
        parser.error(f"no kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
    began = time.monotonic()
    try:
        tallies = run(options.kind or KINDS, options.mutations, options.seed, _progress())
    except BoardError as why:
        print(why, file=sys.stderr)
        return 2
    for case in (case for tally in tallies for case in tally.cases):
        print(case, file=sys.stderr)
    holds = all(tally.holds for tally in tallies)
    if options.json:
        figures = {
            "holds": holds, "seed": options.seed, "seconds": round(time.monotonic() - began, 1),
            "kinds": {tally.kind: tally.to_json() for tally in tallies},
        }  # fmt: skip
        print(json.dumps(figures))
    else:
        print(_table(tallies))
    return 0 if holds else 1


if __name__ == "__main__":
    logging.getLogger("gateway").setLevel(logging.ERROR)  # what is refused is told there each time
    sys.exit(main())
