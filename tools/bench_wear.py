"""What a board writes to its flash in a day: real firmware, real littlefs, flash that counts, and simulated time.

On a good link the gateway acks events within a second and series within two minutes; a bad one is away for five minutes
twice an hour; offline, the board keeps the whole day. Beside each: the same day with every frame on flash at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.flash import boardfile
from tools.bench import Figure
from tools.virtual_board import find_micropython

__all__ = ["LINKS", "Worn", "board_json", "figures", "live"]

ROOT: Final = Path(__file__).resolve().parent.parent
BLOCKS: Final = 512
"""Of 4 KiB: the file system of an ESP32 with 4 MB of flash."""

LINKS: Final = {"good": [], "bad": [[600, 900], [2400, 2700]], "offline": [[0, 3600]]}
"""The seconds of every hour in which the network is away."""

_HOURS: Final = 24
_HEAP: Final = "heapsize=2m"
"""The board's world lives in the same process here; how much memory the firmware takes is measured elsewhere."""

_LIMIT_S: Final = 240
_SMALL: Final = "under 32768"


@dataclass(frozen=True, slots=True)
class Worn:
    """One day: what the flash took, and what the script on the board told."""

    programmed: int
    erased: int
    told: dict[str, Any]


def board_json(name: str, device: str, key: bytes, **values: Any) -> dict[str, Any]:
    """The board.json of an emulated board whose world is in its own process, with some of its values set."""
    board = boardfile.load(ROOT / "boards" / name)
    table = boardfile.to_board_json(
        board,
        device=device,
        key_hex=key.hex(),
        name=None,
        mqtt={"host": "127.0.0.1"},
        wifi=None,
        sim={"seed": 1, "speed": 1},
    )
    return table | values


def live(table: dict[str, Any], image: Path, link: str, *, hours: int = _HOURS, blocks: int = BLOCKS) -> Worn:
    """Let a board live so long on the flash in `image`, which is made if there is none; at the end all that it holds is
    on flash. Raises RuntimeError."""
    folders = [ROOT / "firmware", ROOT / "boards" / table["model"], ROOT / "boards" / "sim", ROOT / "tools" / "mpy"]
    scenario = {"board": table, "image": str(image), "blocks": blocks, "hours": hours, "away": LINKS[link]}
    done = subprocess.run(
        [find_micropython(), "-X", _HEAP, str(ROOT / "tools" / "mpy" / "wear_day.py")],
        input=json.dumps(scenario) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_S,
        env=os.environ | {"MICROPYPATH": ":".join([*map(str, folders), ".frozen"])},
    )
    last = done.stdout.splitlines()[-1:]
    # A board that resets itself ends with status 0 too.
    if done.returncode or not last or not last[0].startswith("{"):
        raise RuntimeError(f"the day on the board failed: {done.stdout[-2000:]}{done.stderr}")
    told = json.loads(last[0])
    return Worn(told["programmed"], told["erased"], told)


def _day(kind: str, link: str, durable: bool) -> Worn:
    table = board_json(f"{kind}-sim", "5e0000000001", bytes(32), durable=durable)
    with tempfile.TemporaryDirectory() as folder:
        worn = live(table, Path(folder) / "flash", link)
    told = worn.told
    if told["dropped"] or told["twice"] or told["flash_errors"] or told["confirmed"] + told["held"] != told["frames"]:
        print(f"  not as it should be: {told}", file=sys.stderr)
    print(
        f"  {kind}, {link}{', every frame at once' if durable else ''}: {told['frames']} frames of "
        f"{told['payload_bytes'] or told['written']:,} bytes; {told['flash_writes']} writes and removals, "
        f"{told['written']:,} bytes of content, {worn.programmed:,} programmed, {worn.erased} blocks erased; "
        f"{told['thinned']} frames thinned",
        file=sys.stderr,
    )
    return worn


def figures(kind: str) -> Iterator[Figure]:
    """wear.<kind>_flash_bytes_per_day and wear.<kind>_erased_blocks_per_day, on each link."""
    days = [(link, durable) for link in LINKS for durable in (False, True)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        worn = dict(zip(days, pool.map(lambda day: _day(kind, *day), days), strict=True))
    for link in LINKS:
        ours, theirs = worn[link, False], worn[link, True]
        where = "" if link == "good" else f"_{link}"
        beside = f"every frame at once, {link} link" if link != "offline" else "every frame at once, offline"
        target = _SMALL if (kind, link) == ("fridge", "good") else ""
        yield Figure(f"wear.{kind}_flash_bytes_per_day{where}", ours.programmed, "B", beside, theirs.programmed, target)
        yield Figure(f"wear.{kind}_erased_blocks_per_day{where}", ours.erased, "blocks", beside, theirs.erased)
