"""The hours of the day and the days of the week in which readings may be shared."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import HearthgateError

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_MIN = 1440
_DAY_MS = 86_400_000
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


class HoursError(HearthgateError, ValueError):
    """Hours that cannot be: the text says which, and what they take."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day, as minutes after midnight in `timezone`, and days of the week (0 = Monday; None: every day).

    They may pass midnight: the night from Friday 22:00 to 06:00 is Friday's, as people say it.
    """

    start_min: int
    end_min: int
    timezone: str
    days: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raises HoursError unless they can be."""
        if not all(0 <= minute <= _DAY_MIN for minute in (self.start_min, self.end_min)):
            raise HoursError("hours must be times of day from 00:00 to 24:00")
        if self.start_min == self.end_min:
            raise HoursError("hours must be two different times of day; 00:00 to 24:00 is the whole day")
        if self.days is not None and (not self.days or list(self.days) != sorted(set(self.days) & set(range(7)))):
            raise HoursError("days must be days of the week from 0 (Monday) to 6 (Sunday), each once and in order")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError, RecursionError):
            raise HoursError(f"timezone {self.timezone!r} is not known; for example Europe/Berlin") from None

    def contain(self, time_ms: int) -> bool:
        """Whether the local time of `time_ms` lies in [start, end) of one of the days."""
        day, of_day_ms = divmod(_local_ms(time_ms, self.timezone), _DAY_MS)
        minute = of_day_ms // 60_000
        if self.start_min < self.end_min:
            inside = self.start_min <= minute < self.end_min
        elif minute >= self.start_min:
            inside = True
        else:
            inside = minute < self.end_min
            day -= 1
        return inside and (self.days is None or (day + _EPOCH_WEEKDAY) % 7 in self.days)

    def steady(self, first_ms: int, last_ms: int) -> bool:
        """Whether `contain` answers the same for every time from `first_ms` to `last_ms`. A no may be overcautious."""
        if self.days is None and (self.start_min, self.end_min) == (0, _DAY_MIN):
            return True
        span_ms = last_ms - first_ms
        first_local_ms = _local_ms(first_ms, self.timezone)
        # No clock of any zone is changed twice within a day, so the same offset at both ends held all the while.
        if span_ms and (span_ms >= _DAY_MS or _local_ms(last_ms, self.timezone) - first_local_ms != span_ms):
            return False
        to_edge_ms = min((edge * 60_000 - first_local_ms - 1) % _DAY_MS + 1 for edge in (self.start_min, self.end_min))
        return span_ms < to_edge_ms

    def contain_all(self, first_ms: int, last_ms: int) -> bool:
        """Whether they contain every time from `first_ms` to `last_ms`."""
        waiting = [(first_ms, last_ms)]
        while waiting:
            first, last = waiting.pop()
            if not (self.contain(first) and self.contain(last)):
                return False
            if not self.steady(first, last):
                half = (first + last) // 2
                waiting += [(first, half), (half + 1, last)]
        return True

    def in_words(self) -> str:
        """For example: between 08:00 and 20:00 (Europe/Berlin) on Saturday and Sunday."""
        parts = []
        if (self.start_min, self.end_min) != (0, _DAY_MIN):
            parts.append(f"between {clock(self.start_min)} and {clock(self.end_min)} ({self.timezone})")
        if self.days is not None:
            parts.append(_days_in_words(self.days))
        return " ".join(parts) or "at any time of the day"


def clock(minute: int) -> str:
    """A minute of the day as 08:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


@lru_cache(maxsize=1024)
def _local_ms(time_ms: int, timezone: str) -> int:
    """The wall clock of a zone, in milliseconds after its 1970-01-01 00:00. All grants ask it of the same few times."""
    offset = datetime.fromtimestamp(time_ms / 1000, ZoneInfo(timezone)).utcoffset() or timedelta()
    return time_ms + offset // timedelta(milliseconds=1)


def _days_in_words(days: tuple[int, ...]) -> str:
    names = [DAY_NAMES[day] for day in days]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"from {names[0]} to {names[-1]}"
    return "on " + " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
