"""What the gateway writes to its disk for a value: a day of 50 fridges, beside one row and one commit a reading."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.app.settings import SinkSettings
from tools import store_day
from tools.bench import Figure
from tools.fleet_frames import Blank, household

BOARDS = 50
HOUSEHOLDS = 25  # each with two boards that started at other times of the hour
HOURS = 25.0  # one until all boards have come, and a day that is counted
READINGS = 20_000

P = ParamSpec("P")
T = TypeVar("T")


def _alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it in a fresh process, whose bytes are nobody else's."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def _fleet(report_s: int) -> list[list[Blank]]:
    print(f"  {HOUSEHOLDS} fridges live a day, reporting every {report_s} s …", file=sys.stderr)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        days = list(pool.map(household, range(1, HOUSEHOLDS + 1), [HOURS] * HOUSEHOLDS, [report_s] * HOUSEHOLDS))
    return [days[number % HOUSEHOLDS] for number in range(BOARDS)]


def _figure(name: str, fleet: list[list[Blank]], rows_bytes: float, target: str, *sinks: SinkSettings) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        day = _alone(store_day.live, Path(folder), fleet, HOURS, sinks)
    print(
        f"\r  {day.values:,} values in {day.frames:,} frames and {day.commits:,} commits: {day.written_bytes:,} bytes "
        f"written, {day.written_bytes / day.commits:,.0f} a commit; the file grew by {day.file_bytes / day.values:.2f} "
        "bytes a value",
        file=sys.stderr,
    )
    return Figure(
        name, day.written_bytes / day.values, "B", "one SQLite row and one commit a reading", rows_bytes, target
    )


def figures() -> Iterator[Figure]:
    """Every figure of this group."""
    with tempfile.TemporaryDirectory() as folder:
        rows_bytes = _alone(store_day.rows_one_by_one, Path(folder), READINGS)
    minute = _fleet(60)
    sink = SinkSettings(name="maker", kind="https", recipient="manufacturer", url="http://127.0.0.1:9/v1/events")
    yield _figure("gateway.disk_bytes_per_value", minute, rows_bytes, "under 16")
    yield _figure("gateway.disk_bytes_per_value_with_sink", minute, rows_bytes, "", sink)
    yield _figure("gateway.disk_bytes_per_value_10min", _fleet(600), rows_bytes, "under 4")
