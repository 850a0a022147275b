"""The stand-in cloud's page, without the server: what is held, in words that a household knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools import cloud_words as words
from tools.cloud_faults import MODES, Faults
from tools.cloud_page import gather, render
from tools.cloud_store import CloudStore

NOW_S = 1_795_348_800.0  # 2026-11-22T12:00:00Z
LABELS = {"unit": "Cel", "category": "temperature", "time_label": "measured"}


def event(n: int, kind: str, granularity: str, subject: str, **data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{n:032x}",
        "source": "urn:hearthgate:device:00112233445566778899aabb",
        "type": f"io.hearthgate.{kind}.v1",
        "time": "2026-11-22T10:00:00Z",
        "subject": subject,
        "consentgrant": "g-1",
        "consentpurpose": "product-improvement",
        "consentgranularity": granularity,
        "consentexpiry": "2027-11-22T00:00:30Z",
        "consentrecipient": "manufacturer",
        "data": {**LABELS, **data},
    }


def summary(unit: str = "Cel", **more: object) -> dict[str, object]:
    cell = {"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:15:00Z"}
    return {"unit": unit, **cell, "min": 3.5, "mean": 4.125, "max": 4.75, "count": 90, **more}


def page(folder: Path, events: list[object], faults: Faults | None = None) -> str:
    store = CloudStore(folder / "cloud.sqlite")
    try:
        if events:
            store.take("manufacturer", events, size=1, now_s=NOW_S - 90, grants=None)
        return render(gather(store), faults or Faults(), NOW_S)
    finally:
        store.close()


def test_an_empty_cloud_says_so(tmp_path: Path) -> None:
    assert "Nothing has been received" in page(tmp_path, [])


def test_values_terms_and_times_are_in_plain_words(tmp_path: Path) -> None:
    shown = page(
        tmp_path,
        [
            event(0, "event", "event", "door_event", unit="/", category="door", value=1),
            event(1, "aggregate", "15min", "fridge_temp", **summary()),
            event(2, "readings", "raw", "freezer_temp", step_ms=10_000, values=[-18.5, None, -18.25]),
        ],
    )
    for text in (
        "Nothing leaked",
        "Each of the 3 events held here",
        "the last one 1 minute ago",
        "opened",
        "4.125 °C on average, 3.5 to 4.75 (90 readings)",
        "\N{MINUS SIGN}18.5 to \N{MINUS SIGN}18.25 °C (3 readings, 10 s apart, 1 missing)",
        "22 Nov 2026, 10:00 to 10:15",
        "15-minute summaries",
        "product improvement",
        "until 22 Nov 2027, 00:00 · 1 event",
    ):
        assert text in shown, text


def test_malformed_events_are_no_leak_on_the_page_either(tmp_path: Path) -> None:
    shown = page(tmp_path, [event(0, "event", "raw", "door", unit="", value=1)])
    assert "Nothing leaked, but something arrived that could not be read" in shown


@pytest.mark.parametrize("mode", MODES)
def test_the_page_says_when_the_cloud_was_told_to_misbehave(tmp_path: Path, mode: str) -> None:
    assert ("told to misbehave" in page(tmp_path, [], Faults(mode))) == (mode != "ok")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (summary("/", mean=0.125), "open 12.5 % of the time (90 readings)"),
        ({"unit": "/", "value": 0}, "closed"),
        ({"unit": "kg", "value": -0.482}, "\N{MINUS SIGN}0.482 kg"),
        ({"unit": "W", "value": 1.5e12}, "1.5e+12 W"),
        ({"unit": "s", "value": None}, "– s"),
        ({"unit": "/", "step_ms": 1000, "values": [0, 0, 1]}, "closed to open (3 readings, 1 s apart)"),
        ({"step_ms": 1000, "values": [None]}, "(1 reading, 1 missing)"),
    ],
)
def test_a_value_in_words(changes: dict[str, object], text: str) -> None:
    assert words.value(event(0, "event", "raw", "door", **changes)) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11-22T00:00:00+01:00", "2026-11-23T00:00:00+01:00", "22 Nov 2026"),
        ("2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z", "22 Nov 2026 to 23 Nov 2026"),
        ("2026-11-22T23:00:00Z", "2026-11-23T01:00:00Z", "22 Nov 2026, 23:00 to 23 Nov 2026, 01:00"),
        ("2026-11-22T10:00:00+01:00", "2026-11-22T11:00:00+01:00", "22 Nov 2026, 10:00 to 11:00 +0100"),
        ("9999-12-31T00:00:00-12:00", "0001-01-01T00:00:00+12:00", "31 Dec 9999, 00:00 -1200"),
        ("0001-01-01T00:00:00+12:00", "0001-01-01T00:00:00-12:00", "1 Jan 1, 00:00 to 00:00 -1200"),
        ("soon", None, "soon"),
    ],
)
def test_a_cell_in_words(start: str, end: str | None, text: str) -> None:
    assert words.when({"time": start, "data": {"from": start, "to": end}}) == text
