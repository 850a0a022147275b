"""From what is chosen in the form to a grant with its words."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.consent.grants import Grant, GrantError, Hours, changed, expires
from gateway.consent.people import Person
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.web import draft
from gateway.web.draft import Choices, Writer

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW = 1_780_000_000_000  # 28 May 2026, 22:26:40 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
WRITER = Writer(BERLIN, {"a0b1c2d3e4f5": "Kitchen fridge"}, Vocabulary.standard())


def chosen(**other: Any) -> Choices:
    return Choices(
        **{
            "person": Person("Anna"),
            "recipient": "manufacturer",
            "purpose": "service",
            "category": "temperature",
            "devices": ("a0b1c2d3e4f5",),
            "granularity": Granularity.HOUR,
            "hours": None,
            "start_ms": None,
            "since_ms": None,
            "days": 30,
            "explicit": False,
            **other,
        }
    )


def given(**other: Any) -> Grant:
    return draft.new(chosen(**other), NOW, WRITER)


def test_the_words_say_all_that_was_chosen():
    grant = given(hours=Hours(480, 1200, "Europe/Berlin", (5, 6)), since_ms=NOW - DAY_MS)
    for said in (
        "I, Anna, agree that manufacturer may get how warm or cold it is in an appliance",
        "of each hour) of Kitchen fridge",
        "only between 08:00 and 20:00 (Europe/Berlin) on Saturday and Sunday",
        "from now until 27 June 2026",
        "What was measured since 27 May 2026, 22:26 is sent too, and nothing older.",
    ):
        assert said in grant.text


def test_nothing_from_before_leaves_unless_it_is_said():
    grant = given()
    assert (grant.start_ms, grant.since_ms) == (NOW, None)
    assert "Nothing that was measured before now is sent." in grant.text


@pytest.mark.parametrize("days", [1, 30, 3650])
def test_a_grant_ends_at_a_full_hour_and_not_later_than_said(days: int):
    for start_ms in (NOW, NOW - NOW % HOUR_MS, NOW - NOW % HOUR_MS - 1):
        end_ms = expires(start_ms, days)
        assert end_ms % HOUR_MS == 0
        assert 0 <= start_ms + days * DAY_MS - end_ms < HOUR_MS
        assert end_ms > start_ms


def test_two_grants_of_one_act_do_not_tell_so_by_their_end():
    assert given().expiry_ms == draft.new(chosen(), NOW + 1234, WRITER).expiry_ms


def test_the_last_day_is_said_where_it_ends_at_midnight():
    midnight = 1_780_005_600_000  # 29 May, 00:00 in Berlin
    assert "until 28 June 2026" in draft.new(chosen(days=31), midnight, WRITER).text


def test_it_begins_when_the_button_is_pressed_and_its_words_stay():
    made = given()
    begun = draft.begun(made, NOW + 5000)
    assert (begun.start_ms, begun.created_ms) == (NOW + 5000, NOW + 5000)
    assert (begun.text, begun.expiry_ms) == (made.text, made.expiry_ms)
    later = given(start_ms=NOW + DAY_MS)
    assert draft.begun(later, NOW + 5000).start_ms == NOW + DAY_MS
    assert "from 29 May 2026, 22:26 until" in later.text


def test_a_start_that_has_passed_is_refused():
    with pytest.raises(GrantError, match="has passed"):
        given(start_ms=NOW)


def test_who_has_not_said_a_name_sees_the_words_with_a_gap():
    assert given(person=None).text.startswith("I, …, agree")


class TestChange:
    def test_what_is_kept_is_not_said(self):
        grant = given()
        other = draft.fields(chosen(days=None, keep_times=True), grant, NOW + DAY_MS)
        assert not {"start_ms", "since_ms", "expiry_ms"} & other.keys()
        made = changed(grant, NOW + DAY_MS, text="-", **other)
        assert (made.start_ms, made.expiry_ms, made.version) == (grant.start_ms, grant.expiry_ms, 2)

    def test_other_data_count_from_now(self):
        choices = chosen(days=None, keep_times=True, granularity=Granularity.RAW)
        made = draft.next_version(choices, given(since_ms=NOW - DAY_MS), NOW + DAY_MS, WRITER)
        assert (made.start_ms, made.since_ms) == (NOW + DAY_MS, None)
        assert "This takes the place of what I agreed to before." in made.text

    def test_a_new_end_counts_from_now(self):
        made = draft.next_version(chosen(days=30, keep_times=True), given(), NOW + DAY_MS, WRITER)
        assert made.expiry_ms == expires(NOW + DAY_MS, 30)

    def test_it_can_reach_back(self):
        made = draft.next_version(chosen(days=None, since_ms=NOW - DAY_MS), given(), NOW + HOUR_MS, WRITER)
        assert (made.start_ms, made.since_ms) == (NOW + HOUR_MS, NOW - DAY_MS)


class TestTimes:
    def test_a_local_time_is_that_of_the_household(self):
        at_ms = draft.local_ms("2026-05-28T22:26", BERLIN, "when")
        assert at_ms == NOW - 40_000
        assert draft.local_text(at_ms, BERLIN) == "2026-05-28T22:26"

    @pytest.mark.parametrize("text", ["", "soon", "2026-13-01T00:00", "0000-00-00T00:00"])
    def test_what_is_no_time_is_a_sentence(self, text: str):
        with pytest.raises(GrantError, match="say when it begins, as a day and a time"):
            draft.local_ms(text, BERLIN, "when it begins")

    def test_a_time_of_day(self):
        assert draft.minute_of("18:30", "from when") == 1110
        assert draft.minute_of("18:30:00", "from when") == 1110
        with pytest.raises(GrantError, match="say from when, as a time of day"):
            draft.minute_of("25:00", "from when")
