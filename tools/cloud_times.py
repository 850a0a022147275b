"""Times and lengths of time as CloudEvents write them: RFC 3339, and the words of granularities. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

__all__ = ["EPOCH", "length_s", "parse_time", "unix_s"]

MAX_TIME_CHARS: Final = 40  # RFC 3339 with nanoseconds and an offset has 35; also bounds the cache below
LENGTH: Final = re.compile(r"([1-9][0-9]{0,3})(min|h|d)", re.ASCII)
UNIT_S: Final[Mapping[str, int]] = {"min": 60, "h": 3600, "d": 86400}
LONGEST_S: Final = 31 * 86400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@lru_cache(maxsize=4096)  # one batch names the same expiry and the same cells over and over
def _parsed(text: str) -> datetime | None:
    if _RFC3339.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def parse_time(value: object) -> datetime | None:
    """The moment of an RFC 3339 time, with its offset, or None. Leap seconds (:60) are not taken."""
    return _parsed(value) if isinstance(value, str) and len(value) <= MAX_TIME_CHARS else None


def unix_s(value: object) -> float | None:
    """Unix seconds of an RFC 3339 time, or None where it is none."""
    moment = parse_time(value)
    return None if moment is None else (moment - EPOCH).total_seconds()


@lru_cache(maxsize=256)
def length_s(granularity: str) -> int:
    """The seconds that an aggregate of this granularity sums up; 0 where it is no length of time."""
    match = LENGTH.fullmatch({"hour": "1h", "day": "1d"}.get(granularity, granularity))
    seconds = int(match[1]) * UNIT_S[match[2]] if match else 0
    return seconds if seconds <= LONGEST_S else 0
