"""The emulated kettle and fridge: energy is kept, and people live a plausible day.

Alone: pytest tests/emulated/test_physics.py (about fifteen seconds).
"""

from __future__ import annotations

import importlib
import statistics
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in ("sim", "fridge-sim", "kettle-sim"):
    sys.path.append(str(ROOT / "boards" / folder))  # on a board they lie in one folder

sensors: Any = importlib.import_module("sim_sensors")
fridge_body: Any = importlib.import_module("fridge_body")
fridge_sim: Any = importlib.import_module("fridge_sim")
kettle_body: Any = importlib.import_module("kettle_body")
kettle_sim: Any = importlib.import_module("kettle_sim")

DEG = 1_000_000_000  # ndeg
LATENT_J_G = 2257
SEEDS = [1, 2, 3]


class SteadyMains:
    """230 V, always."""

    def mv(self, t_s: int) -> int:
        return 230_000


def kettle(mass_g: int, celsius: float, altitude_m: int = 0) -> Any:
    k = kettle_body.Kettle(altitude_m)
    k.mass_mg = mass_g * 1000
    k.water = k.plate = k.probe = int(celsius * DEG)
    return k


def heat(k: Any, until: Callable[[Any], bool], limit_s: int = 3_600) -> int:
    """Seconds of current until `until(k)`."""
    k.heater = 1
    for t in range(limit_s):
        if until(k):
            return t
        k.run(t, 1, SteadyMains())
    raise AssertionError(f"not within {limit_s} s")


# --- kettle


def test_time_to_boil_is_the_closed_form_plus_losses() -> None:
    k = kettle(1000, 20)
    seconds = heat(k, lambda k: k.water >= k.boiling)
    stored_j = (1.0 * 4186 + 450) * 80 + 200 * (k.plate / DEG - 20)
    lost_j = 0.7 * (60 - 21) * seconds + k.steam_mg / 1000 * LATENT_J_G
    assert seconds == pytest.approx((stored_j + lost_j) / 2200, rel=0.01)


def test_no_joule_is_lost_or_made() -> None:
    k = kettle(500, 20)
    k.heater = 1
    electric_j = lost_j = 0.0
    stored_j = -(0.5 * 4186 + 650) * 20
    for t in range(600):
        before = k.water
        k.run(t, 1, SteadyMains())
        electric_j += k.power_mw / 1000
        lost_j += 0.7 * (before / DEG - 21)
    steam_g = k.steam_mg / 1000
    assert k.mass_mg == 500_000 - k.steam_mg
    stored_j += (k.mass_mg / 1e6 * 4186 + 450) * k.water / DEG + 200 * k.plate / DEG
    # Vapour leaves with its sensible heat too: 4186 J/kg for each degree above 0.
    vapour_j = steam_g * (LATENT_J_G + 4.186 * 100)
    assert electric_j == pytest.approx(stored_j + lost_j + vapour_j, rel=0.002)


def test_water_stays_at_the_boiling_point_and_leaves_as_steam() -> None:
    k = kettle(1000, 99)
    heat(k, lambda k: k.water >= k.boiling)
    k.run(0, 30, SteadyMains())
    start_mg = k.mass_mg
    k.run(30, 100, SteadyMains())
    assert k.water == 100 * DEG
    assert (start_mg - k.mass_mg) / 1000 == pytest.approx((2200 - 0.7 * 79) * 100 / LATENT_J_G, rel=0.01)


def test_water_boils_cooler_in_the_mountains() -> None:
    k = kettle(300, 20, altitude_m=1500)
    heat(k, lambda k: k.steam_mg > 5_000)
    assert k.water / DEG == pytest.approx(94.9, abs=0.05)


def test_a_full_kettle_cools_within_an_hour_or_two() -> None:
    k = kettle(1000, 100)
    k.run(0, 1_800, SteadyMains())
    assert 75 < k.water / DEG < 88
    k.run(1_800, 5_400, SteadyMains())
    assert 45 < k.water / DEG < 62


def test_tap_water_mixes_with_what_was_left() -> None:
    k = kettle(500, 90)
    k.flow = 100_000
    k.run(0, 5, SteadyMains())
    assert k.mass_mg == pytest.approx(1_000_000, abs=20)
    expected = ((0.5 * 4186 + 650) * 90 + 0.5 * 4186 * 12) / (4186 + 650)  # steel and plate cool with it
    assert k.water / DEG == pytest.approx(expected, abs=1)


def test_no_current_flows_off_the_base() -> None:
    k = kettle(500, 20)
    k.heater = 1
    k.base = 0
    k.run(0, 10, SteadyMains())
    assert k.power_mw == 0
    assert k.water < 21 * DEG


def test_without_dry_protection_the_plate_glows() -> None:
    k = kettle(40, 20)
    heat(k, lambda k: k.mass_mg == 0, limit_s=120)
    k.run(120, 60, SteadyMains())
    assert k.mass_mg == 0
    assert k.plate > 250 * DEG
    assert sensors.Ds18b20(1).read(k.probe, 0) <= 125 * 16


def test_people_press_the_button_and_only_the_firmware_heats() -> None:
    world = kettle_sim.World(1)
    presses = []
    for t_s in range(1, 30_000):
        world.advance(t_s * 1000)
        presses += [(t_s, world.kettle.mass_mg) for name, value in world.edges if (name, value) == ("button", 1)]
        world.edges.clear()
    assert presses[0] == (15, pytest.approx(800_000, abs=100))
    gaps_min = [(b[0] - a[0]) / 60 for a, b in pairwise(presses)]
    assert 17 < min(gaps_min) <= max(gaps_min) < 48
    assert any(mass < 100_000 for _, mass in presses)
    assert all(mass < 1_650_000 for _, mass in presses)
    assert world.kettle.plate < 30 * DEG


# --- fridge


@pytest.mark.parametrize("seed", SEEDS)
def test_a_normal_day_of_the_fridge(seed: int) -> None:
    world = fridge_sim.World(seed)
    running = starts = ajar_s = 0
    temperatures, freezer, steady = [], [], []
    was_on = False
    for t_s in range(1, 86_401):
        world.advance(t_s * 1000)
        cabinet = world.cabinet
        ajar_s = 1_800 if cabinet.gap == fridge_body.AJAR else ajar_s - 1  # and the half-hour after
        if ajar_s < 0:
            temperatures.append(cabinet.probe / DEG)
        freezer.append(cabinet.freezer / DEG)
        running += cabinet.on
        if cabinet.on and not was_on:
            starts += 1
            assert cabinet.power_mw > 500_000
        if cabinet.on and was_on and not cabinet.door:
            steady.append(cabinet.power_mw / 1000)
        was_on = cabinet.on
    assert 0.2 < running / 86_400 < 0.6
    assert 20 < starts < 80
    assert 2 < min(temperatures) < max(temperatures) < 9
    assert 3.5 < statistics.mean(temperatures) < 5.5
    assert -26 < min(freezer) < max(freezer) < -15
    assert 75 < statistics.median(steady) < 95


def test_an_open_door_warms_the_air_and_lights_the_lamp() -> None:
    shut, open_, ajar = (fridge_body.Cabinet(0) for _ in range(3))
    open_.door, open_.gap = 1, fridge_body.OPEN
    ajar.door, ajar.gap = 1, fridge_body.AJAR
    for cabinet in (shut, open_, ajar):
        cabinet.run(0, 20, 7_000)
    assert open_.air - shut.air > 2 * DEG
    assert DEG / 2 < ajar.air - shut.air < open_.air - shut.air
    assert open_.power_mw - shut.power_mw == 15_000


def test_warm_food_warms_the_fridge_by_its_share() -> None:
    cabinet = fridge_body.Cabinet(0)
    before = cabinet.food
    cabinet.lay_in(1_000, 20 * DEG, 4_000)
    assert (cabinet.food - before) / DEG == pytest.approx((20 - 4.8) * 3.4 / (27 + 5 * 3.4), rel=1e-6)


def test_the_first_opening_takes_food_half_a_minute_after_the_start() -> None:
    world = fridge_sim.World(7)
    before = sum(world.mass_g)
    world.advance(29_000)
    assert world.edges == []
    world.advance(60_000)
    assert world.edges == [("door", 1), ("door", 0)]
    assert sum(world.mass_g) < before


@pytest.mark.parametrize("seed", SEEDS)
def test_doors_open_as_people_live(seed: int) -> None:
    world = fridge_sim.World(seed)
    opened: list[int] = []
    stays: list[int] = []
    for t_s in range(1, 3 * 86_400):
        world.advance(t_s * 1000)
        for _, value in world.edges:
            if value:
                opened.append(t_s)
            else:
                stays.append(t_s - opened[-1])
        world.edges.clear()
    hours = {(t_s + 27_000) % 86_400 // 3_600 for t_s in opened}
    assert hours == set(range(6, 24)) - {23} or hours == set(range(6, 24))
    gaps = [b - a for a, b in pairwise(opened) if b - a < 4 * 3_600]
    assert min(gaps) >= 480
    assert 5 <= min(stays) < 20
    assert any(stay > 60 for stay in stays)
    assert statistics.median(stays) < 40


@pytest.mark.parametrize("seed", SEEDS)
def test_the_scales_see_exactly_what_was_taken(seed: int) -> None:
    world = fridge_sim.World(seed)
    readings, truth = [], []
    for t_s in range(10, 86_400, 10):
        world.advance(t_s * 1000)
        readings.append((world.top_g(), world.bottom_g()))
        truth.append(tuple(world.mass_g))
    steps = [i for i in range(6, len(truth) - 6) if truth[i] != truth[i - 1]]
    quiet = [i for i in steps if truth[i - 6] == truth[i - 1] and truth[i] == truth[i + 5]]
    assert len(quiet) > 15
    errors = []
    for i in quiet:
        for shelf in (0, 1):
            seen = statistics.mean(r[shelf] for r in readings[i : i + 6])
            seen -= statistics.mean(r[shelf] for r in readings[i - 6 : i])
            errors.append(seen - (truth[i][shelf] - truth[i - 1][shelf]))
    assert max(map(abs, errors)) <= 1.5
    assert abs(statistics.mean(errors)) < 0.2


def test_somebody_shops_before_the_shelves_are_empty() -> None:
    world = fridge_sim.World(1)
    fullest = 0
    for t_s in range(600, 10 * 86_400, 600):
        world.advance(t_s * 1000)
        assert min(world.mass_g) >= 0
        assert max(world.mass_g) < 5_000  # what a cell can carry
        fullest = max(fullest, sum(world.mass_g))
    assert fullest > 7_200
