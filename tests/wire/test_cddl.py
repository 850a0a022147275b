"""The CDDL against a validator that is not ours: each payload against the rule of its kind.

pycddl reads RFC 8610 with gaps of its own (seen in 0.6.4), so it gets the schema in other words, REWORDED: ranges that
begin below 0 or that bytes must not fit, choices behind an occurrence, groups of several entries and &() in arrays,
occurrences beside other entries, expressions that are anchored as XSD's are. It also cannot refuse a map or an array
for how many entries it has, nor tell an array from bytes. And it takes a whole schema, not a rule: each rule is asked
for as `start`.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest

import gateway.wire
from gateway.wire.crash import encode_crash
from tools import vectors

CDDL = (Path(gateway.wire.__file__).parent / "frame.cddl").read_text(encoding="utf-8")
VECTORS = vectors.load()
RULES = {"births": "birth", "states": "state", "crashes": "crash", "acks": "ack", "commands": "command"}
UP_TO_8 = " / ".join(f"[version, time-s: 0..68719476736, wait-s: 0..600{', mark' * n}]" for n in range(1, 9))
REWORDED = {
    "value = -536870912..536870911": "value = int",
    "event = (channel: 0..63, offset-ms: 0..2147483647, value)": "event = [0..63, 0..2147483647, value]",
    "ack = [version, time-s: 0..68719476736, wait-s: 0..600, 1*8 [boot: counter, seq: 0..4294967295]]": (
        f"ack = {UP_TO_8}\nmark = [boot: counter, seq: 0..4294967295]"
    ),
    "last: counter]": "last: uint .ge 1]",
    "&(gauge: 0, state: 1, counter: 2, event: 3)": "0..3",
    "[*8 argument]": "[*8 (int / text / bool)]",
    '"[a-z][a-z0-9_]{0,31}"': '"^[a-z][a-z0-9_]{0,31}$"',
}


@cache
def rule(name: str) -> pycddl.Schema:
    schema = CDDL
    for ours, theirs in {**REWORDED, "message =": f"start = {name}\n\nmessage ="}.items():
        assert schema.count(ours) == 1, ours
        schema = schema.replace(ours, theirs)
    return pycddl.Schema(schema)


def fits(name: str, item: Any) -> bool:
    """Whether an item, or the bytes of one, fit a rule."""
    try:
        rule(name).validate_cbor(item if isinstance(item, bytes) else cbor2.dumps(item))
    except pycddl.ValidationError:
        return False
    return True


def items(sequence: bytes) -> list[Any]:
    """The items of a frame as the array that its rule is written for, each event in an array of its own."""
    stream, found = io.BytesIO(sequence), []
    while stream.tell() < len(sequence):
        found.append(cbor2.CBORDecoder(stream, read_size=1).decode())
    if found and isinstance(found[-1], list):
        found[-1] = [found[-1][i : i + 3] for i in range(0, len(found[-1]), 3)]
    return found


def frame_rule(vector: dict[str, Any]) -> str:
    meaning = vector["meaning"]
    for name, rule_name in (("events", "events"), ("gap", "gap"), ("each", "thinned")):
        if name in meaning:
            return rule_name
    return "lone-row" if len(meaning["columns"][0]) == 1 else "series"


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["frames"]])
def test_a_frame_fits_its_rule(vector: dict[str, Any]):
    item = items(bytes.fromhex(vector["payload"]))
    assert fits(frame_rule(vector), item)
    assert fits("frame", item)


@pytest.mark.parametrize("section", list(RULES))
def test_every_other_message_fits_its_rule(section: str):
    for vector in VECTORS[section]:
        assert fits(RULES[section], bytes.fromhex(vector["payload"])), vector["name"]


def test_every_sealed_message_fits_the_envelope():
    for section in VECTORS["roles"]:
        for vector in VECTORS[section]:
            assert fits("sealed", bytes.fromhex(vector["sealed"])), vector["name"]


STARTS = [0, 1, 2, 3, 4, 5, 2**32 - 1]
SERIES = [1, 7, 42, 1_780_000_000, 250, 10_000, 60, b"\x08\x00"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2), (0, True), (1, 0), (1, 2**32), (1, 1.0), (2, 0), (2, None), (3, -1), (3, 2**36 + 1), (3, "now"),
        (4, -1), (4, 2**48 + 1), (5, 0), (5, 2**31), (6, 1), (6, 4097), (6, 2**60), (7, "text"), (7, None),
    ],
)  # fmt: skip
def test_the_rule_of_a_series_refuses_a_wrong_field(place: int, value: Any):
    assert fits("series", SERIES)
    assert not fits("series", [value if i == place else item for i, item in enumerate(SERIES)])


THINNED = [*SERIES[:7], 6, SERIES[7]]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2), (1, 0), (2, 0), (3, -1), (4, -1), (5, 0), (5, 2**31), (6, 0), (6, 4097), (7, 0), (7, 1), (7, 65_536),
        (7, None), (7, True), (7, 2.0), (8, "text"), (8, 5),
    ],
)  # fmt: skip
def test_the_rule_of_a_thinned_frame_refuses_a_wrong_field(place: int, value: Any):
    assert fits("thinned", THINNED)
    assert not fits("thinned", [value if i == place else item for i, item in enumerate(THINNED)])


GAP = [1, 7, 42, None, 250, 6, 900, 1200]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2), (1, 0), (2, 0), (3, -1), (4, -1), (5, 0), (5, -1), (5, 2**32), (5, None), (6, 0), (6, -1),
        (6, 2**32), (6, True), (7, 0), (7, -1), (7, 1200.0), (7, b"\x08"),
    ],
)  # fmt: skip
def test_the_rule_of_a_gap_refuses_a_wrong_field(place: int, value: Any):
    assert fits("gap", GAP)
    assert not fits("gap", [value if i == place else item for i, item in enumerate(GAP)])


def test_a_crash_report_fits_its_rule():
    assert fits("crash", [1, 0, 1, 0, 1, STARTS, b""])
    assert fits("crash", encode_crash(7, 255, 30000, 4, STARTS, bytes(700)))


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("series", SERIES[:-1]),
        ("series", THINNED),
        ("series", GAP),
        ("gap", GAP[:-1]),
        ("gap", [*GAP, 1]),
        ("gap", SERIES),
        ("thinned", SERIES),
        ("thinned", [*THINNED, 1]),
        ("series", [*SERIES, 0]),
        ("lone-row", SERIES),
        ("lone-row", [*SERIES[:5], "text"]),
        ("events", [*SERIES[:5], [[64, 0, 0]]]),
        ("events", [*SERIES[:5], [[0, -1, 0]]]),
        ("events", [*SERIES[:5], [[0, 0, 1.5]]]),
        ("state", [1, 7, 3]),
        ("state", [1, 7, 1, []]),
        ("state", [1, 7, 1, [4]]),
        ("state", [1, 7, 1, [2**30, 0]]),
        ("state", [1, 7, 0, [4, 0]]),
        ("state", [1, 7, 1, 4, 0]),
        ("state", [1, 0, 1]),
        ("state", [1, 7, True]),
        ("crash", [1, 7, 3, 30000, 1, STARTS]),
        ("crash", [1, -1, 3, 30000, 1, STARTS, b""]),
        ("crash", [1, 7, 256, 30000, 1, STARTS, b""]),
        ("crash", [1, 7, 3, None, 1, STARTS, b""]),
        ("crash", [1, 7, 3, 30000, 0, STARTS, b""]),
        ("ack", [1, 5, 1, [7, -1]]),
        ("ack", [1, 5, 1, [0, 1]]),
        ("ack", [1, 5, 601, [7, 1]]),
        ("ack", [1, 5, -1, [7, 1]]),
        ("ack", [1, -1, 1, [7, 1]]),
        ("ack", [1, None, 1, [7, 1]]),
        ("ack", [1, [7, 1]]),
        ("ack", [1, 5, 1]),
        ("ack", [1, 5, 1, *[[7, 1]] * 9]),
        ("command", [1, 0, 60, "off", []]),
        ("command", [1, 1, -1, "off", []]),
        ("command", [1, 1, 60, b"off", []]),
        ("command", [1, 1, 60, "off", [1.5]]),
        ("command", [1, 1, 60, "off"]),
        ("birth", [1, 7, "k", "m", "0", "n", [["beats", "1", 0, 1, 0, "use"]]]),
        ("birth", [1, 7, "k", "m", "0", "n", [["beats", "1", 1, 1, 4, "use"]]]),
        ("birth", [1, 7, "k", "", "0", "n", [["beats", "1", 1, 1, 0, "use"]]]),
        ("birth", [1, 7, "K", "m", "0", "n", [["beats", "1", 1, 1, 0, "use"]]]),
        ("sealed", [b"\xa1\x01\x04", {}, b"", b"1234567"]),
        ("sealed", [b"\xa1\x01", {}, b"", b"12345678"]),
        ("sealed", [b"\xa1\x01\x04", {}, None, b"12345678"]),
    ],
)
def test_a_rule_refuses_what_is_wrong(name: str, item: Any):
    assert not fits(name, item)


def test_refused_frames_of_the_vectors_that_are_cbor_and_wrong_by_a_bound_do_not_fit_either():
    """What a schema can see. Not: the packed bits, the form of a number, and what pycddl cannot see."""
    bounds = (
        "boot_", "seq_", "time_s_", "uptime_ms_", "step_ms_", "rows_", "version_", "each_", "thinned_rows_",
        "thinned_step_ms_", "gap_head_", "gap_first_0", "gap_boot_0", "gap_last_0",
    )  # fmt: skip
    seen = 0
    for vector in VECTORS["refused"]:
        if vector["role"] != "up" or not vector["name"].startswith(bounds):
            continue
        value = vector["name"].rpartition("_")[2]
        if value.lstrip("-").isdigit():
            seen += 1
            assert not fits("frame", items(bytes.fromhex(vector["payload"]))), vector["name"]
    assert seen >= 30
