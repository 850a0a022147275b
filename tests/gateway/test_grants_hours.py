"""Hours of the day and days of the week, on the household's wall clock."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from struct import unpack
from zoneinfo import ZoneInfo

import pytest
import tzdata
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.hours import Hours

FRIDAY, SATURDAY, SUNDAY = 4, 5, 6


def minutes(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def ms(at: str, timezone: str = "Europe/Berlin") -> int:
    return int(datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(timezone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "end", "at", "inside"),
    [
        ("08:00", "20:00", "2026-05-01T08:00:00", True),
        ("08:00", "20:00", "2026-05-01T07:59:59.999", False),
        ("08:00", "20:00", "2026-05-01T19:59:59.999", True),
        ("08:00", "20:00", "2026-05-01T20:00:00", False),
        ("22:00", "06:00", "2026-05-01T23:30:00", True),
        ("22:00", "06:00", "2026-05-02T05:59:00", True),
        ("22:00", "06:00", "2026-05-02T06:00:00", False),
        ("22:00", "06:00", "2026-05-02T12:00:00", False),
        ("00:00", "24:00", "2026-05-02T23:59:59", True),
        ("00:00", "24:00", "2026-05-02T00:00:00", True),
        ("24:00", "06:00", "2026-05-02T05:00:00", True),
        ("24:00", "06:00", "2026-05-02T23:00:00", False),
    ],
)
def test_hours_are_local_half_open_and_may_pass_midnight(start: str, end: str, at: str, inside: bool):
    assert Hours(minutes(start), minutes(end), "Europe/Berlin").contain(ms(at)) == inside


@pytest.mark.parametrize(
    ("start", "end", "days", "at", "inside"),
    [
        # 2026-05-01 is a Friday.
        ("00:00", "24:00", (FRIDAY,), "2026-05-01T00:00:00", True),
        ("00:00", "24:00", (FRIDAY,), "2026-05-01T23:59:59.999", True),
        ("00:00", "24:00", (FRIDAY,), "2026-05-02T00:00:00", False),
        ("08:00", "20:00", (SATURDAY, SUNDAY), "2026-05-01T12:00:00", False),
        ("08:00", "20:00", (SATURDAY, SUNDAY), "2026-05-02T12:00:00", True),
        # The night from Friday to Saturday is Friday's.
        ("22:00", "06:00", (FRIDAY,), "2026-05-01T22:00:00", True),
        ("22:00", "06:00", (FRIDAY,), "2026-05-02T05:59:59", True),
        ("22:00", "06:00", (FRIDAY,), "2026-05-01T05:59:59", False),
        ("22:00", "06:00", (FRIDAY,), "2026-05-02T22:00:00", False),
        ("22:00", "06:00", (SUNDAY,), "2026-05-04T02:00:00", True),
    ],
)
def test_a_day_is_the_one_on_which_its_hours_begin(start: str, end: str, days: tuple[int, ...], at: str, inside: bool):
    assert Hours(minutes(start), minutes(end), "Europe/Berlin", days).contain(ms(at)) == inside


def test_summer_time_is_the_households():
    morning = Hours(8 * 60, 9 * 60, "Europe/Berlin")
    for at in (ms("2026-01-15T07:30", "UTC"), ms("2026-07-15T06:30", "UTC")):
        assert morning.contain(at)
        assert not morning.contain(at - 3_600_000)


def test_a_span_with_the_change_of_the_clocks_in_it_is_not_steady():
    # 2026-03-29 02:00 becomes 03:00 in Berlin.
    before, after = ms("2026-03-29T01:59:59"), ms("2026-03-29T03:00:00")
    day = Hours(0, 1439, "Europe/Berlin")
    assert after - before == 1000
    assert not day.steady(before, after)
    assert day.steady(before - 5_000, before)
    assert day.steady(after, after + 5_000)
    assert Hours(0, 1440, "Europe/Berlin").steady(before, after + 9 * 86_400_000)


def test_a_span_up_to_an_edge_is_steady_and_so_is_one_from_it():
    morning = Hours(8 * 60, 9 * 60, "Europe/Berlin")
    eight, nine = ms("2026-05-01T08:00"), ms("2026-05-01T09:00")
    assert morning.steady(eight, nine - 1)
    assert morning.steady(nine, nine + 3_600_000)
    assert not morning.steady(eight - 1, eight)
    assert not morning.steady(eight, nine)
    assert morning.contain_all(eight, nine - 1)
    assert not morning.contain_all(eight - 1, nine - 1)
    assert not morning.contain_all(eight, nine)
    assert not morning.contain_all(eight, eight + 86_400_000)


def test_days_that_follow_on_each_other_contain_the_midnight_between():
    working = Hours(0, 1440, "Europe/Berlin", (0, 1, 2, 3, 4))
    monday, saturday = ms("2026-05-04T00:00"), ms("2026-05-09T00:00")
    assert working.contain_all(monday, saturday - 1)
    assert not working.contain_all(monday, saturday)


@given(
    st.integers(0, 1440),
    st.integers(0, 1440),
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Chatham", "Australia/Lord_Howe", "America/St_Johns"]),
    st.sampled_from([None, (0, 1, 2, 3, 4), (6,)]),
    st.integers(1_774_000_000_000, 1_776_000_000_000),
    st.sampled_from([0, 1, 599_000, 3_600_000, 80_000_000]),
    st.lists(st.floats(0, 1), max_size=30),
)
def test_while_it_is_steady_it_answers_the_same(
    start: int, end: int, zone: str, days: tuple[int, ...] | None, first: int, length: int, parts: list[float]
):
    hours = Hours(start, end if end != start else (start + 1) % 1440, zone, days)
    if hours.steady(first, first + length):
        assert {hours.contain(first + int(length * part)) for part in (0, *parts, 1)} == {hours.contain(first)}


def test_no_zone_changes_its_clock_twice_within_a_day():
    """What `steady` relies on. The transitions of each TZif file (RFC 8536), after 1970."""
    checked = 0
    for path in (Path(tzdata.__file__).parent / "zoneinfo").rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if not data.startswith(b"TZif"):
            continue
        counts = unpack(">6l", data[20:44])
        second = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
        n = unpack(">l", data[second + 32 : second + 36])[0]
        times = [t for t in unpack(f">{n}q", data[second + 44 : second + 44 + 8 * n]) if t > -86_400]
        assert all(b - a > 86_400 for a, b in pairwise(times)), path.name
        checked += 1
    assert checked > 300
