"""What the stand-in cloud's page says about one event, in words that a household knows. Plain text, not HTML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from tools.cloud_times import length_s, parse_time

__all__ = [
    "ago",
    "expiry",
    "finely",
    "moment",
    "number",
    "plural",
    "purpose",
    "sentence",
    "short",
    "subject",
    "value",
    "when",
]

FINELY: Final[Mapping[str, str]] = {
    "raw": "every reading",
    "15min": "15-minute summaries",
    "hour": "hourly summaries",
    "day": "daily summaries",
    "event": "events only",
}
UNITS: Final[Mapping[str, str]] = {"Cel": "°C", "%RH": "% humidity", "/": ""}
# Of channels with unit "/" (a ratio, RFC 8428): what 0 and 1 mean.
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "door": ("closed", "open"),
    "door_event": ("closed", "opened"),
    "heating": ("off", "on"),
    "switch": ("off", "on"),
    "base": ("lifted", "on its base"),
    "boil": ("not yet", "boiled"),
    "dry": ("fine", "too little water"),
}
SHORT_CHARS: Final = 24
# Not strftime's: those follow the machine's language, and the page is English.
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def plural(n: int, noun: str) -> str:
    """`1 event`, `1,234 events`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def number(value: object) -> str:
    """A number to at most three places; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else str(value)
    if isinstance(value, int):
        text = f"{value:,}"
    elif value and not 0.001 <= abs(value) < 1e9:
        text = f"{value:.3g}"
    else:
        text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "\N{MINUS SIGN}")


def short(name: str) -> str:
    """A grant's id, cut where it would not fit a line."""
    return name if len(name) <= SHORT_CHARS else name[: SHORT_CHARS - 1] + "…"


def subject(event: Mapping[str, object]) -> str:
    """`fridge_temp` as `Fridge temp`."""
    return sentence(str(event.get("subject") or "no subject"))


def sentence(name: str) -> str:
    """A name of the wire as the beginning of a sentence: its first letter large, blanks for underscores."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def purpose(name: str) -> str:
    """`product-improvement` as `product improvement`."""
    return name.replace("-", " ").replace("_", " ")


def finely(granularity: str) -> str:
    """A granularity as what is sent: `hour` as `hourly summaries`."""
    return FINELY.get(granularity) or (f"summaries of {granularity}" if length_s(granularity) else granularity)


def moment(time: object) -> str:
    """`22 Nov 2026, 10:00`, with seconds if it has any and the offset if it is not UTC."""
    parsed = parse_time(time)
    return str(time) if parsed is None else f"{_day(parsed)}, {_clock(parsed)}{_zone(parsed)}"


def expiry(time: object, *, to_the_minute: bool) -> str:
    """When a grant ends, as a day or to the minute."""
    parsed = parse_time(time)
    if parsed is None:
        return str(time)
    return moment(parsed.replace(second=0).isoformat()) if to_the_minute else _day(parsed)


def when(event: Mapping[str, object]) -> str:
    """When the event was, or from when to when it sums up."""
    data = _data(event)
    start, end = parse_time(data.get("from")), parse_time(data.get("to"))
    if start is None or end is None or start >= end:
        return moment(event.get("time"))
    if _is_midnight(start) and _is_midnight(end) and end.date() > start.date():
        last = end - timedelta(days=1)
        return _day(start) if last.date() == start.date() else f"{_day(start)} to {_day(last)}"
    if start.date() == end.date():
        return f"{_day(start)}, {_clock(start)} to {_clock(end)}{_zone(end)}"
    return f"{moment(data['from'])} to {moment(data['to'])}"


def value(event: Mapping[str, object]) -> str:
    """What the event says: a value, a summary, or the span of its readings."""
    data = _data(event)
    unit = UNITS.get(str(data.get("unit")), str(data.get("unit", "")))
    states = STATES.get(str(event.get("subject"))) if data.get("unit") == "/" else None
    if "mean" in data:
        return _summary(data, unit, states)
    values = data.get("values")
    if isinstance(values, list):
        return _readings(values, data.get("step_ms"), unit, states)
    return _with_unit(_state(data.get("value"), states), unit)


def ago(seconds: float) -> str:
    """How long ago, roughly; a clock that was set back does not make it negative."""
    for size, noun in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{plural(int(seconds // size), noun)} ago"
    return f"{plural(max(0, int(seconds)), 'second')} ago"


def _summary(data: Mapping[str, object], unit: str, states: tuple[str, str] | None) -> str:
    readings = plural(count, "reading") if isinstance(count := data.get("count"), int) else ""
    mean = data["mean"]
    if states is not None and isinstance(mean, (int, float)):
        return f"{states[1]} {number(round(mean * 100, 1))} % of the time ({readings})"
    low, high = number(data.get("min")), number(data.get("max"))
    return f"{_with_unit(number(mean), unit)} on average, {low} to {high} ({readings})"


def _readings(values: list[object], step_ms: object, unit: str, states: tuple[str, str] | None) -> str:
    there = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    every = f", {number(step_ms / 1000)} s apart" if isinstance(step_ms, int) and len(values) > 1 else ""
    missing = f", {len(values) - len(there)} missing" if len(there) < len(values) else ""
    tail = f"({plural(len(values), 'reading')}{every}{missing})"
    if not there:
        return tail
    low, high = _state(min(there), states), _state(max(there), states)
    span = low if low == high else f"{low} to {high}"
    return f"{_with_unit(span, unit)} {tail}"


def _state(value: object, states: tuple[str, str] | None) -> str:
    return states[int(value)] if states and isinstance(value, (int, float)) and value in (0, 1) else number(value)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}".strip()


def _data(event: Mapping[str, object]) -> Mapping[str, object]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _is_midnight(time: datetime) -> bool:
    return not (time.hour or time.minute or time.second or time.microsecond)


def _day(time: datetime) -> str:
    return f"{time.day} {MONTHS[time.month - 1]} {time.year}"


def _clock(time: datetime) -> str:
    return time.strftime("%H:%M:%S" if time.second else "%H:%M")


def _zone(time: datetime) -> str:
    return time.strftime(" %z") if time.utcoffset() else ""
