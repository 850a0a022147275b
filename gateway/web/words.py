"""Plain words for what boards and the gateway say: names, values, events, times. Pure; plain text, never HTML."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.wire.birth import Birth, Channel, ValueKind

_TITLES: Final = {
    "fridge_temp": "Fridge temperature",
    "freezer_temp": "Freezer temperature",
    "water_temp": "Water temperature",
    "water_mass": "Water inside",
    "door": "Door",
    "top_shelf": "Top shelf",
    "bottom_shelf": "Bottom shelf",
    "power": "Power",
    "heating": "Heating",
    "heap_free": "Board's free memory",
}
# Channels with unit "/" (a ratio, RFC 8428): what 0 and 1 mean.
_STATES: Final = {"door": ("closed", "open"), "heating": ("off", "on"), "base": ("lifted", "on its base")}
_OTHER_STATE: Final = ("no", "yes")
_HAPPENINGS: Final = {
    "door_event": ("Door closed", "Door opened"),
    "boil": ("Stopped before the boil", "Water boiled"),
    "switch": ("Switched off", "Switched on"),
    "base": ("Lifted off its base", "Put on its base"),
    "dry": ("Enough water again", "Stopped: too little water"),
}
LOCAL_USE: Final = {
    "keep": "Always told to this home",
    "granted": "Told only while you share it with somebody",
    "unmeasured": "Measured only while you share it with somebody",
}
_UNITS: Final = {"Cel": "°C", "%RH": "% humidity", "%": "%", "/": "", "s": "s", "B": "bytes", "W": "W", "kg": "kg"}
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip  # not strftime's: those follow the machine's language, and the console is English
_UNIT_CHARS: Final = 12
_MINUS: Final = "\N{MINUS SIGN}"


def title(channel: str) -> str:
    """`freezer_temp` as `Freezer`; a channel that nobody named here as its own words."""
    return _TITLES.get(channel) or sentence(channel)


def sentence(name: str) -> str:
    """A name of the wire as the beginning of a sentence."""
    spaced = name.replace("_", " ").replace("-", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def plural(n: int, one: str, many: str = "") -> str:
    """`1 message`, `1,234 messages`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def unit(channel: Channel) -> str:
    """The unit as people write it, empty where there is none; one that nobody knows is cut, so that it fits a line."""
    known = _UNITS.get(channel.unit)
    return channel.unit[:_UNIT_CHARS] if known is None else known


def states(channel: Channel) -> tuple[str, str] | None:
    """What 0 and 1 of a channel mean, None where it is no state."""
    if channel.unit != "/":
        return None
    return _STATES.get(channel.name) or (_OTHER_STATE if channel.kind is ValueKind.STATE else None)


def value(channel: Channel, raw: int | None) -> str:
    """A scaled integer with its unit: temperature to a tenth, weight in g below a kilogram, a state in its word."""
    if raw is None:
        return "no reading"
    scaled = channel.scaled(raw)
    if channel.unit == "/":
        pair = states(channel)
        return pair[int(scaled)] if pair and scaled in (0, 1) else number(scaled, 2)
    if channel.unit == "Cel":
        return f"{number(scaled, 1, fixed=True)} °C"
    if channel.unit == "kg":
        return weight(float(scaled))
    return f"{number(scaled, 2)} {unit(channel)}".strip()


def weight(mass_kg: float) -> str:
    """`310 g`, `1.25 kg`."""
    return f"{number(mass_kg * 1000, 0)} g" if abs(mass_kg) < 1 else f"{number(mass_kg, 2, fixed=True)} kg"


def number(x: float, places: int, *, fixed: bool = False) -> str:
    """A number to so many places, with a true minus sign; trailing zeros only where `fixed`."""
    text = f"{x:,.{places}f}"
    if places and not fixed:
        text = text.rstrip("0").rstrip(".")
    text = text.replace("-", _MINUS)
    return text[1:] if text.startswith(_MINUS) and not text.strip(f"{_MINUS}0.,") else text


def happening(channel: Channel, raw: int, birth: Birth) -> str:
    """What an event says, in a few words."""
    scaled = channel.scaled(raw)
    pair = _HAPPENINGS.get(channel.name)
    if pair and scaled in (0, 1):
        return pair[int(scaled)]
    if channel.name == "stock_event":
        return f"{weight(abs(float(scaled)))} {'put in' if scaled > 0 else 'taken out'}"
    if channel.name == "door_ajar":
        return f"Door left open for {duration(float(scaled))}"
    if channel.name == "fault":
        index = raw if raw >= 0 else -1 - raw
        which = title(birth.channels[index].name) if index < len(birth.channels) else "unknown"
        return f"Sensor “{which}” {'gives no reading' if raw >= 0 else 'works again'}"
    return f"{title(channel.name)}: {value(channel, raw)}"


def duration(seconds: float) -> str:
    """`40 seconds`, `3 minutes`, `2 hours`, `4 days`: rounded down."""
    for size, noun in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), noun)
    return plural(max(0, int(seconds)), "second")


def ago(then_ms: int, now_ms: int) -> str:
    """How long ago, roughly. A clock that was set back does not make it negative."""
    seconds = (now_ms - then_ms) // 1000
    if seconds < 10:
        return "just now"
    return f"{duration(seconds if seconds >= 60 else seconds // 10 * 10)} ago"


def size(n: int) -> str:
    """`612 bytes`, `41 kB`, `1.3 MB`."""
    if n < 1000:
        return plural(n, "byte")
    return f"{number(n / 1000, 0)} kB" if n < 1_000_000 else f"{number(n / 1_000_000, 1)} MB"


def date(time_ms: int, zone: ZoneInfo) -> str:
    """`22 November 2026`."""
    at = datetime.fromtimestamp(time_ms / 1000, zone)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def date_time(time_ms: int, zone: ZoneInfo) -> str:
    """`22 November 2026, 14:03`: for words that are kept, and are read on another day."""
    at = datetime.fromtimestamp(time_ms / 1000, zone)
    return f"{date(time_ms, zone)}, {at.hour:02}:{at.minute:02}"


def moment(time_ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """`14:03` today, `22 Nov, 14:03` on another day of this year, else with the year."""
    at, now = datetime.fromtimestamp(time_ms / 1000, zone), datetime.fromtimestamp(now_ms / 1000, zone)
    clock = f"{at.hour:02}:{at.minute:02}"
    if at.date() == now.date():
        return clock
    day = f"{at.day} {_MONTHS[at.month - 1][:3]}"
    return f"{day}, {clock}" if at.year == now.year else f"{day} {at.year}, {clock}"
