"""Grants as they are written on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.drafts import Choices, House, fields, given, granularity, next_version, weekdays
from gateway.consent.grants import Grant, GrantError, Hours
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.errors import HearthgateError

NOW_MS = 1_780_000_123_456
HOUR_MS = 3_600_000
HOUSE = House("Europe/Berlin", Vocabulary.standard(), {"a0b1c2d3e4f5": "Kitchen fridge"}, NOW_MS)


def draft(*categories: str, explicit: bool = False, **chosen: Any) -> list[Grant]:
    choices = Choices(**{"subject": "Ada", **chosen})
    return given(HOUSE, "manufacturer", categories or ("temperature",), "service", choices, explicit=explicit)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", (0,)),
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat,sun", (5, 6)),
        ("Fri-Mon", (0, 4, 5, 6)),
        ("monday, Wed-Thu", (0, 2, 3)),
        ("sun-sun", (6,)),
    ],
)
def test_days_of_the_week_are_written_as_people_write_them(text: str, days: tuple[int, ...]):
    assert weekdays(text) == days


@pytest.mark.parametrize("text", ["", "mo", "mon-", "-fri", "mon-fri-sun", "x", "mon,,tue", "t"])
def test_what_is_no_day_of_the_week_is_said_to_be_so(text: str):
    with pytest.raises(GrantError, match="mon-fri"):
        weekdays(text)


def test_a_grant_ends_at_a_full_hour_and_says_so_in_its_words():
    (one,) = draft(days=30)
    assert one.expiry_ms % HOUR_MS == 0
    assert 0 <= one.created_ms + 30 * 24 * HOUR_MS - one.expiry_ms < HOUR_MS
    assert "until 2026-06-27 22:00 (Europe/Berlin)" in one.text
    assert (one.start_ms, one.since_ms, one.granularity) == (NOW_MS, None, Granularity.DAY)


def test_hours_days_start_and_since_are_read_in_the_households_time():
    (one,) = draft(
        hours="22:00-06:00", weekdays="fri", start="2026-06-01", since="2026-05-01T12:00", devices=["a0b1c2d3e4f5"]
    )
    assert one.hours == Hours(1320, 360, "Europe/Berlin", (4,))
    assert one.start_ms == 1_780_264_800_000
    assert "from 2026-06-01 00:00 (Europe/Berlin)" in one.text
    assert "measured since 2026-05-01 12:00 (Europe/Berlin)" in one.text
    assert "Kitchen fridge" in one.text
    assert draft(weekdays="sat,sun")[0].hours == Hours(0, 1440, "Europe/Berlin", (5, 6))


def test_several_categories_are_several_grants_and_each_has_its_own_words():
    one, two = draft("temperature", "door", "temperature")
    assert (one.category, two.category) == ("temperature", "door")
    assert one.id != two.id
    assert one.text != two.text


def test_the_second_yes_stands_only_where_it_is_needed():
    one, two = draft("temperature", "presence", explicit=True)
    assert (one.explicit, two.explicit) == (False, True)
    assert "a second time" in two.text


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"hours": "8-20"}, "08:00-20:00"),
        ({"hours": "08:60-20:00"}, "minutes"),
        ({"hours": "25:00-20:00"}, "times of day"),
        ({"granularity": "tiny"}, "6h"),
        ({"language": "de"}, "--text"),
        ({"start": "soon"}, "not a time"),
        ({"since": "2027-01-01"}, "not after the start"),
        ({"devices": ["fridge"]}, "12 hex digits"),
        ({"subject": ""}, "name the person"),
    ],
)
def test_what_cannot_be_is_a_sentence(chosen: dict[str, Any], says: str):
    with pytest.raises(HearthgateError, match=says):
        draft(**chosen)


def test_a_change_says_only_what_was_said():
    (old,) = draft(hours="08:00-20:00", weekdays="mon-fri", text="Ja.", language="de")
    assert fields(old, HOUSE, Choices(granularity="hour"), explicit=True) == {
        "granularity": Granularity.HOUR,
        "language": "en",
        "explicit": False,
    }
    new = next_version(old, HOUSE, Choices(hours="09:00-10:00"), explicit=False)
    assert new.hours == Hours(540, 600, "Europe/Berlin", (0, 1, 2, 3, 4))
    assert (new.version, new.id) == (2, old.id)
    assert "takes the place" in new.text
    assert next_version(old, HOUSE, Choices(weekdays="sun"), explicit=False).hours == Hours(
        480, 1200, "Europe/Berlin", (6,)
    )
    assert next_version(old, HOUSE, Choices(any_time=True), explicit=False).hours is None
    assert next_version(old, HOUSE, Choices(text="Ja!"), explicit=False).language == "de"


def test_a_change_of_nothing_and_of_two_minds_is_refused():
    (old,) = draft()
    for chosen in (Choices(), Choices(any_time=True, hours="08:00-20:00")):
        with pytest.raises(GrantError):
            fields(old, HOUSE, chosen, explicit=False)


def test_a_length_of_time_is_a_granularity():
    assert granularity("6h").bucket_ms == 6 * HOUR_MS
