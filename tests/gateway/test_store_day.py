"""A day of a fleet through the gateway in household time: everything is stored, and its bytes are counted."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.wire.cose import open_sealed
from gateway.wire.frame import decode
from tools import store_day
from tools.fleet_frames import KEY, household


def test_a_board_says_its_birth_first_and_its_frames_in_order() -> None:
    said = store_day.arrivals(household(1, 1, 60), 4)
    assert said[0].topic == "hg/1/be0000000004/birth"
    assert all(a.at_ms <= b.at_ms for a, b in pairwise(said))
    numbers = [decode(open_sealed(KEY, "up", arrival.payload)).seq for arrival in said[1:]]
    assert numbers == list(range(1, len(said)))
    assert 0 <= said[0].at_ms < 3_600_000


def test_boards_begin_at_moments_of_their_own() -> None:
    blanks = household(1, 0.1, 60)
    assert len({store_day.arrivals(blanks, number)[0].at_ms for number in range(50)}) == 50


def test_what_a_process_writes_is_counted(tmp_path: Path) -> None:
    before = store_day.written_bytes()
    (tmp_path / "file").write_bytes(random.Random(1).randbytes(1_000_000))
    if store_day.written_bytes() == before:
        pytest.skip("this folder is in memory: nothing is written to a disk")
    assert store_day.written_bytes() - before >= 1_000_000


def test_two_hours_of_four_boards_are_stored_whole(tmp_path: Path) -> None:
    boards = [household(seed, 2, 60) for seed in (1, 2)] * 2
    day = store_day.live(tmp_path, boards, 2, ())
    said = [a for n, blanks in enumerate(boards) for a in store_day.arrivals(blanks, n)]
    came = [a for a in said if 3_600_000 <= a.at_ms < 7_200_000]
    assert abs(day.values - sum(a.values for a in came)) < day.values / 10
    assert 0 < day.commits < day.frames
    assert day.acks >= day.commits
    assert day.file_bytes > 0
