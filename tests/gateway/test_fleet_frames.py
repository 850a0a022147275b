"""Frames of simulated fridges: what benches feed to the gateway is what a real board would have sealed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.wire.birth import decode_birth
from gateway.wire.cose import open_sealed
from gateway.wire.frame import decode
from tools.fleet_frames import KEY, Blank, birth, device_name, household, packed, sealed

START_S = 1_795_000_000


@pytest.fixture(scope="module")
def blanks() -> list[Blank]:
    return household(seed=3, hours=2, report_s=60)


def test_every_frame_fits_the_birth(blanks: list[Blank]) -> None:
    known = decode_birth(open_sealed(KEY, "birth", birth()))
    for seq, blank in enumerate(blanks, start=1):
        frame = decode(open_sealed(KEY, "up", sealed(blank, 1, seq, START_S)))
        assert known.fits(frame)
        assert (frame.boot, frame.seq, frame.uptime_ms) == (1, seq, blank.uptime_ms)
        assert frame.time_s == START_S + blank.uptime_ms // 1000
        assert (frame.values, bool(frame.events)) == (blank.values, blank.is_event)


def test_two_hours_hold_every_row_and_the_door(blanks: list[Blank]) -> None:
    rows = sum(blank.values for blank in blanks if not blank.is_event) // 6
    assert 700 <= rows <= 720
    assert sum(blank.is_event for blank in blanks) > 10
    assert all(a.due_ms <= b.due_ms for a, b in pairwise(blanks))


def test_a_report_never_waits_longer_than_its_interval(blanks: list[Blank]) -> None:
    assert all(blank.due_ms - blank.uptime_ms <= 60_000 for blank in blanks if not blank.is_event)


def test_packed_frames_hold_as_many_rows_as_asked_for() -> None:
    hour = packed(6, hours=1)
    assert len(hour) == 60
    for seq, blank in enumerate(hour, start=1):
        frame = decode(open_sealed(KEY, "up", sealed(blank, 7, seq, START_S, uptime_ms=86_400_000)))
        assert (frame.rows, frame.values, frame.step_ms) == (6, 36, 10_000)
        assert (frame.boot, frame.uptime_ms, frame.time_s) == (7, 86_400_000, START_S + 86_400)


def test_boards_have_ids_of_twelve_digits() -> None:
    assert device_name(0) == "be0000000000"
    assert device_name(255) == "be00000000ff"
