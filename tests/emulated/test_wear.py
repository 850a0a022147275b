"""The bench of wear itself: a board in simulated time on real littlefs, and a link that comes and goes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.emulated.health import odd
from tools import bench_wear

KEY = bytes(range(32))


def _live(tmp_path: Path, link: str, hours: int = 2, **values: object) -> bench_wear.Worn:
    table = bench_wear.board_json("fridge-sim", "5e0000000001", KEY, **values)
    return bench_wear.live(table, tmp_path / "flash", link, hours=hours)


def test_on_a_good_link_all_is_confirmed_once_and_little_is_written(tmp_path: Path) -> None:
    began = time.monotonic()
    worn = _live(tmp_path, "good")
    told = worn.told
    assert told["confirmed"] + told["held"] == told["frames"] > 20
    assert (told["twice"], told["dropped"], told["flash_errors"], odd(told)) == (0, 0, 0, {})
    assert 0 < told["written"] <= worn.programmed < 8_000
    assert time.monotonic() - began < 60, "simulated hours must not take real ones"


def test_a_fridges_day_on_a_good_link_takes_less_than_32_kib_of_flash(tmp_path: Path) -> None:
    worn = _live(tmp_path, "good", hours=24)
    assert worn.told["confirmed"] + worn.told["held"] == worn.told["frames"] > 500
    assert worn.programmed < 32 * 1024, worn


def test_on_a_bad_link_nothing_is_lost(tmp_path: Path) -> None:
    told = _live(tmp_path, "bad").told
    assert told["confirmed"] + told["held"] == told["frames"]
    assert told["dropped"] == 0


@pytest.mark.parametrize("durable", [False, True])
def test_offline_the_flash_holds_everything_for_the_next_life(tmp_path: Path, durable: bool) -> None:
    first = _live(tmp_path, "offline", hours=1, durable=durable).told
    assert (first["confirmed"], first["held"], first["dropped"]) == (0, first["frames"], 0)
    second = _live(tmp_path, "good", hours=1).told
    assert second["confirmed"] + second["held"] == first["frames"] + second["frames"]
    assert second["twice"] == 0


def test_a_board_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="step_ms"):
        _live(tmp_path, "good", step_ms=1)
