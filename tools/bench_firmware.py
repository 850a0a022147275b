"""The board's side, under real MicroPython with a 128 KiB heap: the script runs there, the figures are printed here."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.bench import Figure
from tools.simrows import rows
from tools.virtual_board import find_micropython

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "mpy" / "seal_bench.py"


def _measure(plain: bool) -> dict[str, float]:
    day = list(rows(1, 4))
    # The busiest of the first four hours: the frame with the most changes, not a night's.
    busiest = max(
        range(0, len(day) - 60, 60),
        key=lambda at: sum(
            a != b for r, s in zip(day[at:], day[at + 1 : at + 60], strict=False) for a, b in zip(r, s, strict=True)
        ),
    )
    done = subprocess.run(
        [find_micropython(), "-X", "heapsize=128k", str(SCRIPT), "plain" if plain else "native"],
        input=json.dumps(day[busiest : busiest + 60]) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"},
    )
    if done.returncode:
        raise RuntimeError(f"the bench on the board failed: {done.stdout}{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def figures() -> Iterator[Figure]:
    """Every figure of this group."""
    native, plain = _measure(plain=False), _measure(plain=True)
    beside = "json.dumps of the same rows (lists of scaled integers)"
    yield Figure("firmware.seal_vs_json", native["seal_us"], "us", beside, native["json_ints_us"], "ratio at most 2")
    yield Figure(
        "firmware.seal_vs_json_objects",
        native["seal_us"],
        "us",
        "json.dumps of an object a row",
        native["json_objects_us"],
    )
    yield Figure(
        "firmware.seal_plain_vs_json", plain["seal_us"], "us", f"{beside}; no native emitter", plain["json_ints_us"]
    )
    yield Figure(
        "firmware.seal_heap_bytes",
        native["seal_heap"],
        "B",
        "json.dumps of the same rows",
        native["json_heap"],
        "under 8192",
    )
