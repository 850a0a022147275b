"""How times and values are spelled. A fridge says the same few values all day, so their text is kept."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from gateway.wire.birth import Channel

_MOST_VALUES = 50_000
_MOST_SCALES = 64


def timestamps(times_ms: Iterable[int]) -> list[str]:
    """RFC 3339 in UTC, always with milliseconds: sorted as text they are sorted by time."""
    texts = []
    for time_ms in times_ms:
        minute, rest_ms = divmod(time_ms, 60_000)
        second, ms = divmod(rest_ms, 1000)
        texts.append(f"{_minute(minute)}{second:02}.{ms:03}Z")
    return texts


@lru_cache(4096)
def _minute(number: int) -> str:
    return f"{datetime.fromtimestamp(number * 60, UTC):%Y-%m-%dT%H:%M:}"


def seconds(time_ms: int) -> str:
    """Milliseconds as seconds, exactly, in the shortest decimal text."""
    sign = "-" if time_ms < 0 else ""
    whole, ms = divmod(abs(time_ms), 1000)
    return f"{sign}{whole}.{ms:03}".rstrip("0") if ms else f"{sign}{whole}"


class Numbers(dict[int, str]):
    """The text of scaled integers: what `Channel.scaled` says, as JSON writes it."""

    def __init__(self, num: int, den: int) -> None:
        super().__init__()
        self._num = num
        self._den = den

    def __missing__(self, raw: int) -> str:
        if len(self) >= _MOST_VALUES:
            self.clear()
        whole, rest = divmod(raw * self._num, self._den)
        text = self[raw] = repr(raw * self._num / self._den) if rest else str(whole)
        return text


class Scales:
    """The numbers of every scale that was met."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], Numbers] = {}

    def of(self, channel: Channel) -> Numbers:
        """Those of a channel."""
        key = channel.num, channel.den
        if key not in self._numbers:
            if len(self._numbers) >= _MOST_SCALES:
                self._numbers.clear()
            self._numbers[key] = Numbers(*key)
        return self._numbers[key]
