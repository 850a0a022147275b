"""Frames of a single row, which the cloud once refused: it holds them."""

from pathlib import Path

import pytest

from tests.faults.chaos_run import nothing_is_lost_and_nothing_comes_twice


@pytest.mark.timeout(300)
def test_frames_of_a_single_row_reach_the_cloud(tmp_path: Path):
    nothing_is_lost_and_nothing_comes_twice(0, 20, "mosquitto", tmp_path)
