"""Times and numbers as commands tell them: times are on the household's clock."""

from datetime import datetime
from zoneinfo import ZoneInfo


def moment(time_ms: int, timezone: str) -> str:
    """2026-05-28 18:30, in a time zone."""
    return _local(time_ms, timezone).strftime("%Y-%m-%d %H:%M")


def to_the_second(time_ms: int, timezone: str) -> str:
    """2026-05-28 18:30:05, in a time zone."""
    return _local(time_ms, timezone).strftime("%Y-%m-%d %H:%M:%S")


def in_full(time_ms: int, timezone: str) -> str:
    """2026-05-28 18:30 (Europe/Berlin): for words that are kept, and read elsewhere."""
    return f"{moment(time_ms, timezone)} ({timezone})"


def counted(n: int, one: str) -> str:
    """`1 event`, `1,234 events`."""
    return f"{n:,} {one}{'s' * (n != 1)}"


def _local(time_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(timezone))
