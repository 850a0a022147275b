"""What the firmware costs on a 32-bit processor with 140 KiB of heap: the emulated board of tests/qemu.

Heap and bytes are those of a real 32-bit board. Times are those of an emulated processor: read only their ratios.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.flash import boardfile
from gateway.flash.boardfile import Board
from gateway.flash.sources import own_modules
from tools.bench import Figure
from tools.qemu_board import ROOT, NoImage, Prompt, find_image, running
from tools.simrows import rows

__all__ = ["figures", "firmware_of", "start_board"]

BOARDS: Final = ("fridge-esp32c3", "kettle-esp32")
SCRIPT: Final = ROOT / "tools" / "mpy" / "qemu_bench.py"
MAIN: Final = ROOT / "firmware" / "main.py"
STAND_INS: Final = sorted((ROOT / "tools" / "mpy" / "no_hardware").glob("*.py"))
MODULES: Final = (
    "cbor", "packing", "frame", "mac", "sealer", "segments", "journal", "flight", "clock", "supervisor", "appliance",
    "fridge", "kettle", "board", "mqtt_packet", "mqtt_socket", "mqtt", "link", "wifi", "update",
)  # fmt: skip
"""In the order in which each finds most of what it needs loaded."""

_START_S: Final = 60.0


def firmware_of(board: Board) -> list[Path]:
    """The modules that go on that board; all of them can be precompiled."""
    return [path for path in own_modules(board) if path.name != "main.py"]


def start_board(prompt: Prompt, name: str) -> dict[str, Any]:
    """Puts that board's firmware there and starts it, without a network: bytes of the firmware, free heap before
    (empty), after its start (made) and some seconds later (free), start_ms, crashes of its tasks."""
    board = boardfile.load(ROOT / "boards" / name)
    table = boardfile.to_board_json(
        board,
        device=None,
        key_hex="00" * 32,
        name=None,
        mqtt={"host": "broker.lan"},
        wifi={"ssid": "home", "password": "secret12"},
        sim=None,
    )
    prompt.restart()
    size = MAIN.stat().st_size + prompt.put_modules(firmware_of(board))
    prompt.put_modules([*STAND_INS, SCRIPT])
    prompt.put("board.json", json.dumps(table).encode())
    prompt.restart()
    names = [path.stem for path in STAND_INS]
    said = prompt.run(f"import qemu_bench\nqemu_bench.start({names!r})", _START_S)
    figures: dict[str, Any] = json.loads(said.splitlines()[-1])
    return figures | {"bytes": size, "source_bytes": sum(path.stat().st_size for path in firmware_of(board))}


def _loading(prompt: Prompt) -> Iterator[Figure]:
    prompt.restart()
    sizes = {name: prompt.put_modules([ROOT / "firmware" / f"{name}.py"]) for name in MODULES}
    prompt.restart()
    said = prompt.run(f"import qemu_bench, {', '.join(path.stem for path in STAND_INS)}\nqemu_bench.load({MODULES!r})")
    for name, heap, took_us in json.loads(said.splitlines()[-1]):
        beside = f"its file, loaded in {took_us / 1000:.1f} ms"
        yield Figure(f"qemu.loading.{name}", heap, "B", beside, sizes[name])


def figures() -> Iterator[Figure]:
    """Every figure of this group; none where there is no image."""
    try:
        image = find_image()
    except NoImage as why:
        print(f"qemu: skipped: {why}", file=sys.stderr)
        return
    with running(image) as prompt:
        for name in BOARDS:
            kind = name.partition("-")[0]
            found = start_board(prompt, name)
            empty = "the empty heap"
            yield Figure(f"qemu.heap_free_bytes.{kind}", found["free"], "B", empty, found["empty"], "over 49152")
            yield Figure(f"qemu.start_ms.{kind}", found["start_ms"], "ms", "a watchdog's patience", 15_000)
            yield Figure(
                f"qemu.firmware_bytes.{kind}", found["bytes"], "B", "its source", found["source_bytes"], "under 65536"
            )
        yield from _loading(prompt)
        yield from _sealing(prompt)


def _sealing(prompt: Prompt) -> Iterator[Figure]:
    prompt.restart()
    prompt.put("rows.json", json.dumps(list(rows(1, 1))[:60]).encode())
    said = prompt.run("import qemu_bench\nqemu_bench.seal()")
    found = json.loads(said.splitlines()[-1])
    yield Figure("qemu.seal_ms", found["seal_ms"], "ms", "json.dumps of the same rows", found["json_ms"])
    yield Figure("qemu.seal_bytes", found["sealed_bytes"], "B", "that JSON", found["json_bytes"])
    yield Figure("qemu.open_ms", found["open_ms"], "ms", "json.dumps of 60 rows", found["json_ms"])
