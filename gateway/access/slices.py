"""Which readings somebody wants: everything, or a slice by device, category, channel and time. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.errors import HearthgateError
from gateway.wire.birth import Channel
from gateway.wire.frame import MAX_TIME_S

_UNIX = re.compile(r"\d{9,}(\.\d+)?")
# Unix seconds reach this in the year 5138, and milliseconds passed it in 1973.
_MILLISECONDS_FROM = 100_000_000_000


class AccessError(HearthgateError):
    """Readings cannot be handed out as asked; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the readings; what is empty or None does not narrow it.

    `devices`: ids; `categories`, `channels`: as births name them; from `from_ms` up to, not including, `to_ms`, Unix
    ms. A reading whose time nobody knows is taken by the time of its arrival.
    """

    devices: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    from_ms: int | None = None
    to_ms: int | None = None

    def __post_init__(self) -> None:
        if self.from_ms is not None and self.to_ms is not None and self.from_ms >= self.to_ms:
            raise AccessError("--from is not before --to: nothing lies between them")

    def takes_device(self, device: str) -> bool:
        """Whether anything of this device is wanted."""
        return not self.devices or device in self.devices

    def takes_channel(self, channel: Channel) -> bool:
        """Whether this channel is wanted, of any device."""
        return (not self.categories or channel.category in self.categories) and (
            not self.channels or channel.name in self.channels
        )

    def takes_time(self, time_ms: int) -> bool:
        """Whether this time lies in the slice."""
        return (self.from_ms is None or time_ms >= self.from_ms) and (self.to_ms is None or time_ms < self.to_ms)


def moment(text: str, timezone: str) -> int:
    """Unix ms of a time as people write it: ISO 8601 (a date alone is its midnight; without an offset it is a time of
    `timezone`), or Unix seconds or milliseconds. Raises AccessError."""
    try:
        unix_ms = _unix_ms(text, timezone)
    except (ValueError, OverflowError):
        unix_ms = -1
    if not 0 <= unix_ms <= MAX_TIME_S * 1000:
        raise AccessError(
            f"{text!r} is not a time: write it like 2026-05-28, 2026-05-28T18:30, 2026-05-28T18:30:00Z or as Unix "
            "seconds"
        )
    return unix_ms


def _unix_ms(text: str, timezone: str) -> int:
    if _UNIX.fullmatch(text):
        number = float(text)
        return round(number if number >= _MILLISECONDS_FROM else number * 1000)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(timezone))
    return round(at.timestamp() * 1000)
