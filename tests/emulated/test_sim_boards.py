"""The emulated boards: a seed means one history on any interpreter, and the drivers show it to the firmware.

Alone: pytest tests/emulated/test_sim_boards.py (about five seconds).
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.flash.boardfile import load
from tools.simrows import order0_entropy, rows

ROOT = Path(__file__).resolve().parents[2]
for folder in ("sim", "fridge-sim", "kettle-sim"):
    sys.path.append(str(ROOT / "boards" / folder))  # on a board they lie in one folder

fridge_sim: Any = importlib.import_module("fridge_sim")
kettle_sim: Any = importlib.import_module("kettle_sim")


# --- determinism


def history(module: Any, seed: int, stops_ms: list[int]) -> list[tuple[int, ...]]:
    world = module.World(seed)
    seen = []
    for t_ms in stops_ms:
        assert world.advance(t_ms)
        if t_ms % 600_000 == 0:
            body = world.cabinet if module is fridge_sim else world.kettle
            seen.append(tuple(value for _, value in sorted(vars(body).items())))
    return seen


@pytest.mark.parametrize("module", [fridge_sim, kettle_sim])
def test_calls_in_between_change_nothing(module: Any) -> None:
    hours = 3 * 3_600_000
    coarse = history(module, 5, list(range(0, hours, 600_000)))
    assert coarse == history(module, 5, list(range(0, hours, 1_000)))
    ragged = sorted({*range(0, hours, 600_000), *range(0, hours, 7_919), *range(0, hours, 333)})
    assert coarse == history(module, 5, ragged)
    assert coarse != history(module, 6, list(range(0, hours, 600_000)))


def test_a_long_pause_is_caught_up_in_bounded_steps() -> None:
    at_once, bit_by_bit = fridge_sim.World(1), fridge_sim.World(1)
    at_once.advance(3_600_000)
    calls = 1
    while not bit_by_bit.advance(3_600_000, 250):
        calls += 1
    assert calls == 15
    assert vars(at_once.cabinet) == vars(bit_by_bit.cabinet)


def test_reading_a_sensor_twice_changes_nothing() -> None:
    world = fridge_sim.World(1)
    world.advance(100_000)
    assert len({(world.fridge_16ths(), world.top_g(), world.power_w()) for _ in range(10)}) == 1


def test_unseen_edges_are_bounded_and_counted() -> None:
    world = fridge_sim.World(1)
    world.advance(86_400_000)
    assert len(world.edges) == 16
    assert world.edges_lost > 50


# --- on the board


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """The files of both boards in one folder, and nothing else: what board.toml does not name is missing."""
    for name in ("fridge-sim", "kettle-sim"):
        for file in load(ROOT / "boards" / name).driver_files():
            shutil.copy(file, tmp_path)
    shutil.copy(Path(__file__).parent / "mpy" / "sim_day.py", tmp_path)
    return tmp_path


@pytest.mark.parametrize("module", ["fridge_sim", "kettle_sim"])
def test_micropython_sees_the_same_integers(module: str, flat: Path, micropython: str) -> None:
    def run(*command: str) -> str:
        return subprocess.run(
            [*command, "sim_day.py", module, "11"], cwd=flat, capture_output=True, text=True, timeout=120, check=True
        ).stdout

    on_board = run(micropython, "-X", "heapsize=128k")
    assert on_board == run(sys.executable)
    assert on_board.count("\n") > 720
    assert "edge 15000 button 1" in on_board or "edge 30000 door 1" in on_board


HEAP = """
import gc
gc.collect()
before = gc.mem_free()
world = __import__({module!r}).World(1)
gc.collect()
print(before - gc.mem_free())
"""


@pytest.mark.parametrize("module", ["fridge_sim", "kettle_sim"])
def test_a_world_leaves_the_heap_to_the_firmware(module: str, flat: Path, micropython: str) -> None:
    (flat / "heap.py").write_text(HEAP.format(module=module))
    command = [micropython, "-X", "heapsize=40k", "heap.py"]  # 40k: compiling must not need more either
    done = subprocess.run(command, cwd=flat, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) < 17_500  # 15 KiB of physics and people, 2 of tables and names


# --- drivers


class StandInClock:
    """Simulated time that passes only in sleep_ms."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.slept: list[int] = []

    def uptime_ms(self) -> int:
        return self.now_ms

    async def sleep_ms(self, ms: int) -> None:
        self.now_ms += ms
        self.slept.append(ms)
        if self.now_ms > 4 * 3_600_000:
            raise TimeoutError


@pytest.mark.asyncio
@pytest.mark.parametrize("speed", [1, 60, 1000])
async def test_every_edge_is_shown_in_its_order(speed: int) -> None:
    clock = StandInClock()
    drivers = kettle_sim.open_drivers({"sim": {"seed": 4, "speed": speed}}, clock)
    shown: list[tuple[str, int]] = []
    for name in ("base", "button"):
        drivers[name].changed.set = lambda name=name: shown.append((name, drivers[name].sample()))
    with pytest.raises(TimeoutError):
        await drivers["tasks"][0]()
    expected: list[tuple[str, int]] = []
    world = kettle_sim.World(4)
    for t_s in range(1, 4 * 3_600):
        world.advance(t_s * 1000)
        expected += world.edges
        world.edges.clear()
    assert len(expected) > 20
    assert abs(len(expected) - len(shown)) <= 2  # the last may come too late
    assert all(a == b for a, b in zip(shown, expected, strict=False))
    assert min(clock.slept) >= 10 * speed


def test_a_broken_sensor_gives_none() -> None:
    drivers = fridge_sim.open_drivers({"sim": None}, StandInClock())
    assert {name for name in drivers if name != "tasks"} == {
        "fridge_temp", "freezer_temp", "door", "top_shelf", "bottom_shelf", "power", "button",
    }  # fmt: skip
    for name, driver in drivers.items():
        if name == "tasks":
            continue
        assert isinstance(driver.sample(), int)
        driver.fail = True
        assert driver.sample() is None
        driver.fail = False
        assert isinstance(driver.sample(), int)


def test_the_heater_obeys_its_actuator() -> None:
    clock = StandInClock()
    drivers = kettle_sim.open_drivers({"sim": {"seed": 1, "speed": 1}}, clock)
    assert drivers["power"].sample() == 0
    drivers["heater"].set(1)
    clock.now_ms = 20_000
    assert drivers["power"].sample() == pytest.approx(2200, rel=0.03)
    assert drivers["heater"].value == drivers["heater"].sample() == 1
    drivers["heater"].set(0)
    clock.now_ms = 22_000
    assert drivers["power"].sample() == 0
    assert drivers["water_temp"].sample() > 18 * 16


# --- rows for the benches


def test_rows_are_a_day_of_six_integers() -> None:
    day = list(rows(seed=1, hours=2))
    assert len(day) == 720
    assert all(len(row) == 6 and all(type(value) is int for value in row) for row in day)
    assert day == list(rows(seed=1, hours=2))
    assert day != list(rows(seed=2, hours=2))


def test_entropy_of_a_coin_is_one_bit() -> None:
    assert order0_entropy([0] * 10) == 0
    assert order0_entropy([0, 1, 1] * 40) > 1
    assert order0_entropy([0, 0, 1] * 1 + [1, 1, 2, 2]) == pytest.approx(0.918, abs=0.001)
