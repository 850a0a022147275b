"""Rows that an emulated fridge would measure, made quickly under CPython: for the benches.

Run alone (`python -m tools.simrows`), it tells how much news a day of them holds.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["CHANNELS", "fridge_world", "order0_entropy", "rows"]

BOARDS = Path(__file__).resolve().parent.parent / "boards"
CHANNELS = ("fridge_temp", "freezer_temp", "door", "top_shelf", "bottom_shelf", "power")


def fridge_world(seed: int) -> Any:
    """A fridge's world at its start. On a board its modules share a folder; here both are put on the path."""
    for folder in ("fridge-sim", "sim"):
        if (path := str(BOARDS / folder)) not in sys.path:
            sys.path.append(path)
    return importlib.import_module("fridge_sim").World(seed)


def rows(seed: int = 1, hours: float = 24, step_ms: int = 10_000) -> Iterator[list[int]]:
    """The fridge's six series (CHANNELS, scaled as in its board.toml), from time 0, every `step_ms`."""
    world = fridge_world(seed)
    for t_ms in range(0, int(hours * 3_600_000), step_ms):
        world.advance(t_ms)
        world.edges.clear()
        yield [
            world.fridge_16ths(),
            world.freezer_16ths(),
            world.cabinet.door,
            world.top_g(),
            world.bottom_g(),
            world.power_w(),
        ]


def order0_entropy(series: Sequence[int]) -> float:
    """Bits a value that the differences of `series` hold, taken each for itself."""
    deltas = Counter(b - a for a, b in pairwise(series))
    total = deltas.total()
    return -sum(n / total * math.log2(n / total) for n in deltas.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--step-ms", type=int, default=10_000)
    options = parser.parse_args()
    columns = list(zip(*rows(options.seed, options.hours, options.step_ms), strict=True))
    entropies = [order0_entropy(column) for column in columns]
    for name, column, bits in zip(CHANNELS, columns, entropies, strict=True):
        print(f"{name:14} {min(column):6} to {max(column):6}   {bits:.3f} bits a value")
    mean = sum(entropies) / len(entropies)
    print(f"{len(columns[0])} rows; mean {mean:.3f} bits, {mean / 8:.4f} bytes a value")


if __name__ == "__main__":
    main()
