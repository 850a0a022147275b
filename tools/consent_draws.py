"""What consent_model draws its acts from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tools.consent_life import DAY_MS, DEVICES, SINKS
from tools.consent_reference import Hours

__all__ = [
    "BEGINS_S", "board", "categories", "days", "devices", "expiries_ms", "granularities", "hours", "names", "since_ms",
    "soon", "starts_ms", "which",
]  # fmt: skip

# A Thursday evening, and the night in which Europe's clocks go back.
BEGINS_S = (1_780_000_000, 1_792_886_500)

granularities = st.sampled_from(["raw", "event", "5min", "15min", "hour", "day"])
devices = st.sampled_from([("*",), DEVICES[:1], DEVICES[1:], DEVICES])
hours = st.none() | st.builds(
    lambda start, length, zone, days: Hours(start, start + length, zone, days),
    st.integers(-6, 12).map(lambda five: five * 5),
    st.sampled_from([5, 60, 600, 1200, 1435]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    st.none() | st.lists(st.integers(0, 6), min_size=1, unique=True).map(lambda days: tuple(sorted(days))),
)
expiries_ms = st.sampled_from([600_000, 5_000_000, DAY_MS, *[30 * DAY_MS] * 4])
starts_ms = st.sampled_from([0, 0, 0, 700_000])
since_ms = st.none() | st.sampled_from([0, 1, 299_999, 300_000, 4_000_000, 2 * DAY_MS])
categories = st.sampled_from(["temperature", "door", "stock"])
which = st.integers(0, 1000)
names = st.sampled_from(list(SINKS))
board = st.sampled_from(DEVICES)
days = st.lists(st.tuples(board, st.integers(6, 24), st.sampled_from([10, 60, 300])), min_size=1, max_size=6)


def soon(drawn: Hours | None, now_ms: int) -> Hours | None:
    """The same, counted from now on: what is measured next is to lie on both sides of their edges."""
    if drawn is None:
        return None
    here = datetime.fromtimestamp(now_ms // 1000, ZoneInfo(drawn.zone))
    shift = (here.hour * 60 + here.minute) // 5 * 5
    return replace(drawn, start_min=(drawn.start_min + shift) % 1440, end_min=(drawn.end_min + shift) % 1440)
