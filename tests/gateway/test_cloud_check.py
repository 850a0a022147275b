"""The stand-in cloud's rules: which events are kept, which are malformed, and which are leaks."""

from __future__ import annotations

import copy
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cloud_body import BadBodyError, TooLargeError, decode_json, unpack
from tools.cloud_check import Refusal, refusal
from tools.cloud_times import length_s, unix_s

NOW_S = unix_s("2026-11-22T12:00:00Z") or 0.0
LABELS = {"unit": "Cel", "category": "temperature", "time_label": "measured"}
DATA: dict[str, dict[str, Any]] = {
    "readings": {**LABELS, "step_ms": 10_000, "values": [4.125, None, 4]},
    "aggregate": {
        **LABELS,
        "from": "2026-11-22T10:00:00Z",
        "to": "2026-11-22T11:00:00Z",
        "min": 3.5,
        "mean": 4.1,
        "max": 4.75,
        "count": 360,
    },
    "event": {**LABELS, "value": 1},
}


def event(kind: str = "aggregate", granularity: str = "hour", **changes: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "00112233445566778899aabbccddeeff",
        "source": "urn:hearthgate:device:001122334455667788990011",
        "type": f"io.hearthgate.{kind}.v1",
        "time": "2026-11-22T10:00:00Z",
        "subject": "fridge_temp",
        "datacontenttype": "application/json",
        "consentgrant": "g-1",
        "consentpurpose": "product-improvement",
        "consentgranularity": granularity,
        "consentexpiry": "2027-11-22T00:00:00Z",
        "consentrecipient": "manufacturer",
        "data": copy.deepcopy(DATA[kind]),
    }
    return {**made, **changes}


def data(kind: str, **changes: object) -> dict[str, Any]:
    return {**DATA[kind], **changes}


def judge(one: object, **options: Any) -> Refusal | None:
    return refusal(one, **{"recipient": "manufacturer", "now_s": NOW_S, **options})


def test_a_lone_reading_goes_without_a_step_and_thinned_rows_bring_their_ends() -> None:
    lone = {**LABELS, "values": [4.125]}
    thinned = {**lone, "step_ms": 600_000, "thinned": {"rows_each": 60, "min": [4], "max": [4.25]}}
    for one in (lone, thinned):
        assert judge(event("readings", "raw", data=one)) is None
    assert judge(event("readings", "raw", data={**LABELS, "values": [4, 5]})) is not None


@pytest.mark.parametrize(
    ("kind", "granularity"),
    [("readings", "raw"), ("aggregate", "raw"), ("event", "raw"), ("event", "event")]
    + [("aggregate", granularity) for granularity in ("15min", "hour")],
)
def test_what_its_flags_allow_is_kept(kind: str, granularity: str) -> None:
    assert judge(event(kind, granularity)) is None


def cell(granularity: str, start: str, end: str, **changes: object) -> dict[str, Any]:
    return event(granularity=granularity, time=start, data=data("aggregate", **{"from": start, "to": end, **changes}))


@pytest.mark.parametrize(
    ("granularity", "start", "end"),
    [
        ("6h", "2026-11-22T06:00:00Z", "2026-11-22T12:00:00Z"),
        ("30min", "2026-11-22T06:30:00Z", "2026-11-22T07:00:00Z"),
        ("7h", "2026-11-22T12:00:00Z", "2026-11-22T19:00:00Z"),  # does not divide a day: counted from 1970
        ("7d", "2026-11-12T00:00:00Z", "2026-11-19T00:00:00Z"),  # from a Thursday, as 1970-01-01 was
        ("2d", "2027-03-27T00:00:00+01:00", "2027-03-29T00:00:00+02:00"),
        ("1h", "2026-11-22T06:00:00Z", "2026-11-22T07:00:00Z"),
    ],
)
def test_a_length_of_time_of_the_households_own_is_judged_like_the_others(
    granularity: str, start: str, end: str
) -> None:
    assert judge(cell(granularity, start, end)) is None
    moved = start.replace(":00:00", ":01:00").replace(":30:00", ":31:00")
    for wrong in (cell(granularity, moved, end), event("readings", granularity), event("event", granularity)):
        assert (why := judge(wrong)) and why.kind == "consent"
    finer = cell(granularity, start, start.replace(":00:00", ":15:00").replace(":30:00", ":45:00"))
    assert (why := judge(finer)) and why.kind == "consent"


@pytest.mark.parametrize("granularity", ["0h", "32d", "99999min", "6H", "6 h", "٦h", "1w", "-1h", "6h\n", ""])
def test_what_is_no_length_of_time_is_no_granularity(granularity: str) -> None:
    assert length_s(granularity) == 0
    assert (why := judge(event(granularity=granularity))) and why.kind == "consent"


def test_an_aggregate_of_one_reading_is_that_reading_and_so_a_leak() -> None:
    why = judge(event(data=data("aggregate", count=1)))
    assert why
    assert (why.kind, "so few readings" in why.reason) == ("consent", True)
    assert judge(event(data=data("aggregate", count=4))) is None
    assert judge(event("aggregate", "raw", data=data("aggregate", count=1))) is None


def test_the_version_of_a_grant_may_be_told() -> None:
    assert judge(event(consentversion=3)) is None


def test_a_day_is_the_households_own_even_when_the_clocks_change() -> None:
    cell = data("aggregate", **{"from": "2027-03-28T00:00:00+01:00", "to": "2027-03-29T00:00:00+02:00"})
    assert judge(event(granularity="day", data=cell, time="2027-03-28T00:00:00+01:00")) is None


@pytest.mark.parametrize("flag", ["grant", "purpose", "granularity", "expiry", "recipient"])
@pytest.mark.parametrize("value", [None, "", 7, ["raw"], "\ud800"])
def test_a_consent_flag_that_is_missing_or_no_text_is_a_leak(flag: str, value: object) -> None:
    one = {**event(), f"consent{flag}": value}
    assert (why := judge(one)) and why.kind == "consent" and flag in why.reason
    del one[f"consent{flag}"]
    assert (why := judge(one)) and why == Refusal("consent", f"consent{flag} is missing")


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"consentgranularity": "minute"}, {}),
        ({"consentexpiry": "soon"}, {}),
        ({"consentexpiry": "2026-11-22T12:00:00Z"}, {}),
        ({"consentrecipient": "insurer"}, {}),
        ({}, {"recipient": "insurer"}),
        ({}, {"now_s": NOW_S + 366 * 86400}),
        ({}, {"grants": {"g-2"}}),
        ({}, {"grants": set()}),
        ({}, {"erased": {"g-1"}}),
    ],
)
def test_consent_that_does_not_hold_is_a_leak(changes: dict[str, Any], options: dict[str, Any]) -> None:
    assert (why := judge(event(**changes), **options)) and why.kind == "consent"


def test_an_event_under_a_grant_that_is_known_is_kept() -> None:
    assert judge(event(), grants={"g-1", "g-2"}, erased={"g-2"}) is None


@pytest.mark.parametrize(
    "one",
    [
        event("readings", "hour"),
        event("readings", "event"),
        event("aggregate", "event"),
        event("event", "day"),
        event("event", "event", data=data("event", values=[1, 2])),
        event(data=data("aggregate", values=[4.1])),
        event(data=data("aggregate", value=4.1)),
        event(data=data("aggregate", mean=[4.1, 4.2])),
        event(data=data("aggregate", first=4.1)),
        event(data=[4.1]),
        event(data_base64="AAAA"),
        event(granularity="day"),
        event(data=data("aggregate", **{"from": "2026-11-22T10:00:01Z"})),
        event(data=data("aggregate", **{"from": "2026-11-22T10:00:00.5Z"})),
        event(data=data("aggregate", to="2026-11-22T10:45:00Z")),
        event(data=data("aggregate", to="2026-11-22T10:00:00Z")),
        event(data=data("aggregate", to="2026-11-22T09:00:00Z")),
        event(data=data("aggregate", to="2026-11-22T11:00:00+00:45")),
        event(data=data("aggregate", to="2026-11-22T11:00:00-00:07")),
        event(data=data("aggregate", to=None)),
        event(time="2026-11-22T10:12:13Z"),
        event(time="2026-11-22T12:00:00Z"),
    ],
    ids=lambda one: f"{one['type']} {one['consentgranularity']} {one['time']} {one['data']}"[14:],
)
def test_an_event_finer_than_its_grant_is_a_leak(one: dict[str, Any]) -> None:
    assert (why := judge(one)) and why.kind == "consent"


@pytest.mark.parametrize(
    "one",
    [
        None,
        [],
        "text",
        event(specversion="0.3"),
        event(id=""),
        event(source=None),
        event(time=None, kind="event", granularity="event"),
        event(time="2026-11-22", kind="event", granularity="event"),
        event(time="2026-13-22T10:00:00Z", kind="event", granularity="event"),
        event("event", "raw", type="io.hearthgate.other.v1"),
        event("event", "raw", datacontenttype="text/plain"),
        event("event", "raw", subject="a\x00b"),
        event("event", "raw", Bad_Name="x"),
        event("event", "raw", extension=1.5),
        event("event", "raw", extension={"a": 1}),
        event("event", "raw", extension=2**31),
        event("event", "raw", data={"value": 1}),
        event("event", "raw", data=data("event", time_label=["measured"])),
        event("event", "raw", data=data("event", value=float("inf"))),
        event("event", "raw", data=data("event", value=10**30)),
        event("event", "raw", data=data("event", value=[1])),
        event("readings", "raw", data=data("readings", values="4")),
        event("readings", "raw", data=data("readings", values=["4"])),
        event("readings", "raw", data=data("readings", step_ms=0)),
        event("readings", "raw", data=data("readings", thinned=3)),
        event("readings", "raw", data=data("readings", thinned={"rows_each": 6, "min": [1], "max": [1, 2, 3]})),
        event(data=data("aggregate", count=0)),
        event(data=data("aggregate", mean=None)),
    ],
    ids=repr,
)
def test_a_malformed_event_is_refused_but_is_no_leak(one: object) -> None:
    assert (why := judge(one)) and why.kind == "format"


def test_an_event_that_is_malformed_and_without_consent_counts_as_the_worse() -> None:
    assert (why := judge({"data": {"values": [1]}})) and why.kind == "consent"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(event())), inside=st.booleans(), value=JSON)
def test_any_json_in_any_place_gets_a_verdict(field: str, inside: bool, value: object) -> None:
    for one in (event(), event("readings", "raw"), event("event", "event")):
        changed = event("readings", "raw", data={**one["data"], "value": value}) if inside else {**one, field: value}
        assert judge(changed) is None or judge(changed)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00:00Z\n",
        "٢٠٢٦-11-22T10:00:00Z",
        "1" * 50,
    ],
)
def test_only_rfc_3339_is_a_time(text: str) -> None:
    assert unix_s(text) is None


def test_the_first_and_last_of_times_are_times_too() -> None:
    for text in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        assert unix_s(text) is not None
        changed = data("aggregate", **{"from": text, "to": text})
        assert judge(event(granularity="day", data=changed, time=text, consentexpiry=text))


def test_a_time_counts_from_1970_whatever_its_offset() -> None:
    assert unix_s("1970-01-01T01:00:00.5+01:00") == unix_s("1970-01-01t00:00:00.5z") == 0.5


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[NaN]", b"[" * 100_000, b"1" * 5000],
    ids=lambda b: repr(b[:8]),
)
def test_what_is_not_json_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(BadBodyError):
        decode_json(body)


def test_unpacking_stops_at_the_bound() -> None:
    packed = gzip.compress(bytes(1001))
    assert unpack(packed, "gzip", 1001) == bytes(1001)
    with pytest.raises(TooLargeError):
        unpack(packed, "gzip", 1000)
    for broken in (packed[:-1], packed + b"x", b"not gzip", b"", packed[:-5] + b"\0\0\0\0\0"):
        with pytest.raises(BadBodyError):
            unpack(broken, "gzip", 2000)
