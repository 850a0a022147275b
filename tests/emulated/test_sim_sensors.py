"""The emulated sensors err as their data sheets say.

Alone: pytest tests/emulated/test_sim_sensors.py (about two seconds).
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
sys.path.append(str(ROOT / "boards" / "sim"))

sensors: Any = importlib.import_module("sim_sensors")

DEG = 1_000_000_000  # ndeg


def test_noise_is_near_normal_and_white() -> None:
    noise = [sensors.gauss(12345, t) for t in range(40_000)]
    assert statistics.mean(noise) == pytest.approx(0, abs=3)
    assert statistics.pstdev(noise) == pytest.approx(sensors.GAUSS_SD, rel=0.01)
    assert sum(abs(x) < sensors.GAUSS_SD for x in noise) / len(noise) == pytest.approx(0.683, abs=0.02)
    lag1 = statistics.mean(a * b for a, b in pairwise(noise)) / sensors.GAUSS_SD**2
    assert abs(lag1) < 0.02
    other = [sensors.gauss(12346, t) for t in range(40_000)]
    across = statistics.mean(a * b for a, b in zip(noise, other, strict=True)) / sensors.GAUSS_SD**2
    assert abs(across) < 0.02


def step_up_share(read: Callable[[int], int], low: int, n: int = 5_000) -> float:
    """How many of `n` readings are above `low`."""
    return sum(read(t) > low for t in range(n)) / n


def test_thermometer_noise_is_a_fifth_of_a_step() -> None:
    part = sensors.Ds18b20(99)
    step = DEG // 16
    edge = 64 * step + step // 2 - part.offset_ndeg  # between 64 and 65 sixteenths
    assert step_up_share(lambda t: part.read(edge, t), 64) == pytest.approx(0.5, abs=0.03)
    assert step_up_share(lambda t: part.read(edge + 12_500_000, t), 64) == pytest.approx(0.84, abs=0.03)
    assert step_up_share(lambda t: part.read(edge - step // 2, t), 63) > 0.99


def test_thermometers_differ_by_up_to_half_a_degree() -> None:
    offsets = [sensors.Ds18b20(sensors.part(seed, 1)).offset_ndeg / DEG for seed in range(500)]
    assert max(map(abs, offsets)) <= 0.5
    assert statistics.pstdev(offsets) == pytest.approx(1 / 12**0.5, rel=0.1)
    assert abs(statistics.mean(offsets)) < 0.05


def test_scale_noise_is_50_nv_at_the_input() -> None:
    noise_g = 50e-9 / (1e-3 * 4.3 / 5_000)
    assert noise_g == pytest.approx(0.058, abs=0.001)
    cell = sensors.LoadCell(5, 5 * DEG)
    edge_mg = 1_000_500
    assert step_up_share(lambda t: cell.read(edge_mg, 5 * DEG, t), 1_000) == pytest.approx(0.5, abs=0.03)
    above = edge_mg + round(noise_g * 1000)
    assert step_up_share(lambda t: cell.read(above, 5 * DEG, t), 1_000) == pytest.approx(0.84, abs=0.03)


def test_scales_drift_with_temperature_within_their_class() -> None:
    drifts = []
    for seed in range(200):
        cell = sensors.LoadCell(seed, 5 * DEG)
        drifts.append(cell.read(0, 15 * DEG, 0) - cell.read(0, 5 * DEG, 0))
    assert max(map(abs, drifts)) <= 5_000 * 0.0005 + 1
    assert statistics.pstdev(drifts) > 1


def test_power_meter_keeps_to_half_a_per_cent() -> None:
    for seed in range(200):
        meter = sensors.PowerMeter(seed)
        assert meter.read(2_200_000) == pytest.approx(2200, abs=2200 * 0.005 + 0.6)
        assert meter.read(300) == 0


def test_mains_wander_but_stay_within_ten_per_cent() -> None:
    mains = sensors.Mains(3)
    volts = [mains.mv(t) / 1000 for t in range(86_400)]
    assert 225 < min(volts) < max(volts) < 235
    assert 0.7 < statistics.pstdev(volts) < 1.6
