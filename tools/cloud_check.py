"""What the stand-in cloud accepts: CloudEvents 1.0 in form, and in substance only what its consent flags allow.

Pure: no clock, socket or file. An honest recipient would make the same checks, so that what the gateway
sends is judged by code that shares nothing with the gateway.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from tools.cloud_times import EPOCH, length_s, parse_time, unix_s

__all__ = [
    "Refusal",
    "is_text",
    "refusal",
]

READINGS: Final = "io.hearthgate.readings.v1"
AGGREGATE: Final = "io.hearthgate.aggregate.v1"
EVENT: Final = "io.hearthgate.event.v1"

# Beside these two every granularity is a length of time: a household may name lengths of its own.
AS_IT_IS: Final = frozenset({"raw", "event"})
LEAST_READINGS: Final = 4
CONSENT_FLAGS: Final = (
    "consentgrant",
    "consentpurpose",
    "consentgranularity",
    "consentexpiry",
    "consentrecipient",
)

LABEL_KEYS: Final = frozenset({"unit", "category", "time_label"})
# Anything beside these in data could hold readings finer than what was granted.
AGGREGATE_KEYS: Final = LABEL_KEYS | {"from", "to", "min", "mean", "max", "count"}
EVENT_KEYS: Final = LABEL_KEYS | {"value"}
TIME_LABELS: Final = frozenset({"measured", "placed", "arrival"})

# A day that begins with summer time is an hour shorter; no cell of whole days is shorter than that.
SUMMER_TIME_S: Final = 3600
DAY_S: Final = 86400
# Every time zone in use is a whole number of quarters of an hour from UTC. Others would let a sender
# shift the grid minute by minute and have the fine readings told from the differences.
ZONE_STEP_S: Final = 900

MAX_TEXT_CHARS: Final = 1024  # of one attribute; a URI or a title in any language fits
MAX_NUMBER: Final = 2.0**63  # beyond this a number is no reading, and not every database can hold it

_ATTRIBUTE_NAME: Final = re.compile(r"[a-z0-9]+", re.ASCII)
# CloudEvents 1.0.2, type system: a String holds no control characters, surrogates or noncharacters.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not kept: `consent` is a leak (it should not have left), `format` a malformed event."""

    kind: Literal["consent", "format"]
    reason: str


def is_text(value: object) -> bool:
    """Whether this is a CloudEvents String that is not empty, within MAX_TEXT_CHARS."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARS:
        return False
    plain = value.isascii() and value.isprintable()  # nearly all are, and this is far quicker to see
    return plain or _FORBIDDEN.search(value) is None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -MAX_NUMBER < value < MAX_NUMBER  # neither NaN nor an infinity is


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return not value or is_text(value)
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_attribute(value: object) -> bool:
    """Whether a CloudEvents attribute of this JSON value is unset (null), Boolean, Integer (32 bit) or String."""
    if isinstance(value, int):
        return -(2**31) <= value < 2**31
    return value is None or is_text(value)


def refusal(
    event: object,
    *,
    recipient: str,
    now_s: float,
    grants: Collection[str] | None = None,
    erased: Collection[str] = (),
) -> Refusal | None:
    """Judge one decoded event sent to `recipient` at Unix time `now_s`; None = it may be kept.

    `grants`, where given, are the only grant ids known to be given; `erased` are those whose erasure this
    recipient was told of. An event that fails in both ways is reported as the worse of the two, a leak.
    """
    if not isinstance(event, dict):
        return Refusal("format", "an event must be a JSON object")
    leak = _flags_problem(event, recipient, now_s, grants, erased) or _granularity_problem(event)
    if leak is not None:
        return Refusal("consent", leak)
    fault = _envelope_problem(event) or _data_problem(event)
    return None if fault is None else Refusal("format", fault)


def _flags_problem(
    event: Mapping[str, object],
    recipient: str,
    now_s: float,
    grants: Collection[str] | None,
    erased: Collection[str],
) -> str | None:
    for flag in CONSENT_FLAGS:
        if event.get(flag) is None:
            return f"{flag} is missing"
        if not is_text(event[flag]):
            return f"{flag} must be a text"
    if event["consentrecipient"] != recipient:
        return f"granted to another recipient ({str(event['consentrecipient'])[:64]!r})"
    granularity = str(event["consentgranularity"])
    if granularity not in AS_IT_IS and not length_s(granularity):
        return "consentgranularity must be raw, event, hour, day or a length of time such as 15min"
    expiry_s = unix_s(event["consentexpiry"])
    if expiry_s is None:
        return "consentexpiry is not an RFC 3339 time"
    if expiry_s <= now_s:
        return f"the grant expired at {event['consentexpiry']}"
    if grants is not None and event["consentgrant"] not in grants:
        return "no such grant was given"
    if event["consentgrant"] in erased:
        return "the grant was withdrawn: its erasure notice came before"
    return None


def _granularity_problem(event: Mapping[str, object]) -> str | None:
    """Whether the event tells more than its own consentgranularity; "raw" allows everything coarser too."""
    granularity = str(event["consentgranularity"])
    if granularity == "raw":
        return None
    wanted, keys = (EVENT, EVENT_KEYS) if granularity == "event" else (AGGREGATE, AGGREGATE_KEYS)
    if event.get("type") != wanted:
        return f"sent as {str(event.get('type'))[:64]!r}, but granted only as {granularity!r}"
    data = event.get("data")
    if not isinstance(data, dict) or "data_base64" in event:
        return f"data must be a JSON object where only {granularity!r} is granted"
    for key, value in data.items():
        if key not in keys or not _is_scalar(value):
            return f"data.{key[:64]} tells more than {granularity!r}, which is all that is granted"
    if granularity == "event":
        return None
    count = data.get("count")
    if isinstance(count, int) and not isinstance(count, bool) and 0 < count < LEAST_READINGS:
        return f"data.count is {count}: the lowest, mean and highest of so few readings tell every one"
    return _grid_problem(event.get("time"), data, granularity)


def _grid_problem(time: object, data: Mapping[str, object], granularity: str) -> str | None:
    """Whether the cell is aligned by its own wall clock, so that a household's local day is a day."""
    step_s = length_s(granularity)
    moments: dict[str, datetime] = {}
    for name, value in (("from", data.get("from")), ("to", data.get("to")), ("time", time)):
        moment = parse_time(value)
        if moment is None:
            return f"{name} is not an RFC 3339 time"
        offset_s = (moment.utcoffset() or timedelta()).total_seconds()
        wall_s = (moment.replace(tzinfo=UTC, microsecond=0) - EPOCH).total_seconds()
        if wall_s % step_s or moment.microsecond or offset_s % ZONE_STEP_S:
            return f"{name} {value!s} is not on the {granularity} grid"
        moments[name] = moment
    shortest_s = step_s if step_s % DAY_S else step_s - SUMMER_TIME_S
    if (moments["to"] - moments["from"]).total_seconds() < shortest_s:
        return f"from and to are less than the granted {granularity} apart"
    if not moments["from"] <= moments["time"] <= moments["to"]:
        return "time is outside from and to"
    return None


def _envelope_problem(event: Mapping[str, object]) -> str | None:
    """CloudEvents 1.0.2, required attributes, naming and the JSON format's types."""
    if event.get("specversion") != "1.0":
        return "specversion must be 1.0"
    for name in ("id", "source", "type"):
        if not is_text(event.get(name)):
            return f"{name} must be a text that is not empty"
    if unix_s(event.get("time")) is None:
        return "time must be an RFC 3339 time"
    if event["type"] not in (READINGS, AGGREGATE, EVENT):
        return f"unknown type {str(event['type'])[:64]!r}"
    if event.get("datacontenttype") not in (None, "application/json") or "data_base64" in event:
        return "data must be application/json"
    for name, value in event.items():
        if name == "data":
            continue
        if _ATTRIBUTE_NAME.fullmatch(name) is None:
            return f"attribute name {name[:64]!r} must be lower-case letters and digits"
        if not _is_attribute(value):
            return f"attribute {name[:64]} must be a text that is not empty, an integer or true/false"
    return None


def _data_problem(event: Mapping[str, object]) -> str | None:
    data = event.get("data")
    if not isinstance(data, dict):
        return "data must be a JSON object"
    for name in ("unit", "category"):
        if not is_text(data.get(name)):
            return f"data.{name} must be a text that is not empty"
    if str(data.get("time_label")) not in TIME_LABELS:
        return "data.time_label must be one of " + ", ".join(sorted(TIME_LABELS))
    for name, value in data.items():
        if name not in ("values", "thinned") and not _is_scalar(value):
            return f"data.{name[:64]} must be a number, a short text, true/false or null"
    if event["type"] == READINGS:
        return _readings_problem(data)
    if event["type"] == AGGREGATE:
        return _aggregate_problem(data)
    return None if "value" in data and "values" not in data else "an event's data holds one value"


def _readings_problem(data: Mapping[str, object]) -> str | None:
    values, step_ms = data.get("values"), data.get("step_ms")
    if not isinstance(values, list) or not all(value is None or _is_number(value) for value in values):
        return "data.values must be a list of numbers, null where one is missing"
    alone = len(values) == 1 and "step_ms" not in data
    if not alone and (not isinstance(step_ms, int) or isinstance(step_ms, bool) or step_ms <= 0):
        return "data.step_ms must be a whole number above 0; only a single value goes without"
    return _thinned_problem(data["thinned"], len(values)) if "thinned" in data else None


def _thinned_problem(thinned: object, count: int) -> str | None:
    if not isinstance(thinned, dict) or set(thinned) != {"rows_each", "min", "max"}:
        return "data.thinned holds rows_each, min and max"
    each = thinned["rows_each"]
    if not isinstance(each, int) or isinstance(each, bool) or each < 2:
        return "data.thinned.rows_each must be a whole number above 1"
    for name in ("min", "max"):
        ends = thinned[name]
        if not isinstance(ends, list) or len(ends) != count or not all(map(_is_number, ends)):
            return f"data.thinned.{name} must hold a number for each of data.values"
    return None


def _aggregate_problem(data: Mapping[str, object]) -> str | None:
    start_s, end_s = unix_s(data.get("from")), unix_s(data.get("to"))
    if start_s is None or end_s is None or start_s >= end_s:
        return "data.from and data.to must be RFC 3339 times in that order"
    count = data.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        return "data.count must be a whole number above 0"
    low, mean, high = data.get("min"), data.get("mean"), data.get("max")
    if not (_is_number(low) and _is_number(mean) and _is_number(high)):
        return "data.min, data.mean and data.max must be numbers"
    return None if "values" not in data else "an aggregate holds no values"
