"""Grants as records: what can be given, how it is kept, changed, paused, and told in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest

from gateway.consent.grants import Grant, GrantError, Hours, agreement, changed, describe
from gateway.consent.vocabulary import Granularity, Vocabulary

DAY_MS = 86_400_000
T0 = 1_780_000_000_000


def grant_of(**fields: object) -> Grant:
    sound = {
        "id": "g-" + "0" * 16, "subject": "Robin", "devices": ("*",), "category": "door", "recipient": "shop",
        "purpose": "service", "granularity": Granularity.RAW, "hours": None, "start_ms": T0, "expiry_ms": T0 + DAY_MS,
        "text": "I agree.", "language": "en", "created_ms": T0,
    }  # fmt: skip
    return Grant(**{**sound, **fields})  # type: ignore[arg-type]


class TestForm:
    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"id": "g-1"}, "id"),
            ({"subject": ""}, "subject"),
            ({"subject": "x" * 65}, "subject"),
            ({"devices": ()}, "devices"),
            ({"devices": ("kitchen",)}, "devices"),
            ({"devices": ("*", "a0b1c2d3e4f5")}, "devices"),
            ({"devices": ("*", "*")}, "devices"),
            ({"category": "Every thing"}, "category"),
            ({"purpose": ""}, "purpose"),
            ({"recipient": "The Shop"}, "recipient"),
            ({"granularity": "raw"}, "granularity"),
            ({"hours": Hours(60, 60, "UTC")}, "hours"),
            ({"hours": Hours(0, 1441, "UTC")}, "hours"),
            ({"hours": Hours(-1, 60, "UTC")}, "hours"),
            ({"hours": Hours(0, 60, "Mars/Olympus")}, "timezone"),
            ({"hours": Hours(0, 60, "../../etc/passwd")}, "timezone"),
            ({"hours": Hours(0, 60, "")}, "timezone"),
            ({"hours": Hours(0, 60, "UTC", ())}, "days"),
            ({"hours": Hours(0, 60, "UTC", (7,))}, "days"),
            ({"hours": Hours(0, 60, "UTC", (2, 1))}, "days"),
            ({"hours": Hours(0, 60, "UTC", (1, 1))}, "days"),
            ({"expiry_ms": T0}, "expire"),
            ({"start_ms": -1}, "1970"),
            ({"expiry_ms": 10**17}, "4147"),
            ({"since_ms": T0 + 1}, "since"),
            ({"since_ms": -1}, "since"),
            ({"text": ""}, "text"),
            ({"text": "x" * 4001}, "text"),
            ({"language": ""}, "language"),
            ({"language": "English!"}, "language"),
            ({"version": 0}, "version"),
            ({"explicit": None}, "explicit"),
        ],
    )
    def test_a_grant_that_cannot_be_given_says_which_field_and_what_it_takes(
        self, fields: dict[str, object], said: str
    ):
        with pytest.raises(GrantError, match=said):
            grant_of(**fields)

    def test_a_word_that_no_vocabulary_has_is_still_a_grant_that_can_be_read(self):
        grant = grant_of(category="aura", purpose="astrology", recipient="seer")
        assert Grant.from_json(grant.to_json(), None) == grant
        assert "seer may get aura" in describe(grant)


class TestRecord:
    # As it was kept before grants had versions, days of the week and a second yes.
    OLD = (
        '{"category": "door", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1780086400000, '
        '"granularity": "15min", "hours": {"end_min": 1200, "start_min": 480, "timezone": "Europe/Berlin"}, '
        '"id": "g-0000000000000000", "language": "en", "purpose": "service", "recipient": "shop", '
        '"start_ms": 1780000000000, "subject": "Robin", "text": "I agree."}'
    )

    def test_an_old_record_reads_as_the_first_version(self):
        grant = Grant.from_json(self.OLD, 7)
        assert grant == grant_of(
            granularity=Granularity.QUARTER_HOUR, hours=Hours(480, 1200, "Europe/Berlin"), revoked_ms=7
        )
        assert (grant.version, grant.explicit, grant.since_ms, grant.agreed_from_ms) == (1, False, None, T0)

    def test_what_became_of_it_is_not_in_its_record(self):
        grant = grant_of(hours=Hours(480, 1200, "UTC", (0, 6)), since_ms=T0 - DAY_MS)
        after = replace(grant, revoked_ms=1, paused_ms=2, resumed_ms=3)
        assert after.to_json() == grant.to_json()
        assert Grant.from_json(grant.to_json(), 1, 2, 3) == after
        kept = set(json.loads(grant.to_json()))
        assert kept == {f.name for f in fields(Grant)} - {"revoked_ms", "paused_ms", "resumed_ms"}

    @pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"hours": 3}', "not json"])
    def test_a_record_that_cannot_be_read_is_a_grant_error(self, text: str):
        with pytest.raises(GrantError, match="cannot be read"):
            Grant.from_json(text, None)

    def test_a_record_that_was_cut_is_a_grant_error(self):
        record = grant_of(hours=Hours(480, 1200, "UTC", (0, 6))).to_json()
        for n in range(len(record)):
            with pytest.raises(GrantError):
                Grant.from_json(record[:n], None)

    def test_the_digest_is_of_the_exact_text(self):
        texts: Sequence[str] = ("I agree.", "I agree. ", "Ich stimme zu.")
        assert len({grant_of(text=text).text_sha256 for text in texts}) == 3


class TestPause:
    def test_after_a_pause_only_what_is_measured_since_leaves(self):
        paused = grant_of().paused(T0 + 10)
        assert paused.paused(T0 + 20) == paused
        resumed = paused.resumed(T0 + 30)
        assert (resumed.paused_ms, resumed.measured_from_ms, resumed.agreed_from_ms) == (None, T0 + 30, T0)
        assert resumed.resumed(T0 + 40) == resumed

    def test_a_pause_before_the_start_takes_nothing_away(self):
        assert grant_of().paused(5).resumed(6).measured_from_ms == T0


class TestChange:
    def test_a_change_is_the_next_version_with_the_same_id(self):
        first = grant_of()
        second = changed(first, T0 + 5, text="I agree to more.", granularity=Granularity.DAY)
        assert (second.id, second.version, second.created_ms) == (first.id, 2, T0 + 5)
        assert second.text_sha256 != first.text_sha256
        assert changed(second, T0 + 6, text="And again.").version == 3

    def test_what_was_measured_before_does_not_leave_in_another_way(self):
        wide = grant_of(since_ms=T0 - DAY_MS)
        for what in (
            {"granularity": Granularity.DAY},
            {"devices": ("a0b1c2d3e4f5",)},
            {"hours": Hours(480, 1200, "UTC")},
        ):
            after = changed(wide, T0 + 5, text="-", **what)
            assert (after.start_ms, after.agreed_from_ms) == (T0 + 5, T0 + 5)

    def test_unless_the_change_says_from_when(self):
        after = changed(grant_of(), T0 + 5, text="-", granularity=Granularity.DAY, since_ms=T0 - 7)
        assert (after.start_ms, after.agreed_from_ms) == (T0 + 5, T0 - 7)

    def test_a_longer_time_alone_leaves_no_gap(self):
        after = changed(grant_of(), T0 + 5, text="-", expiry_ms=T0 + 9 * DAY_MS, granularity=Granularity.RAW)
        assert (after.start_ms, after.agreed_from_ms) == (T0, T0)

    def test_the_second_yes_is_asked_for_again(self):
        sensitive = grant_of(category="presence", explicit=True)
        assert not changed(sensitive, T0 + 5, text="-").explicit
        assert changed(sensitive, T0 + 5, text="-", explicit=True).explicit

    def test_a_paused_grant_stays_paused(self):
        assert changed(grant_of().paused(T0 + 1), T0 + 5, text="-").paused_ms == T0 + 1

    @pytest.mark.parametrize(
        ("grant", "fields", "said"),
        [
            (grant_of(), {"recipient": "maker"}, "another recipient is another agreement"),
            (grant_of(), {"purpose": "marketing"}, "another purpose"),
            (grant_of(), {"category": "use"}, "another category"),
            (grant_of(), {"version": 7}, "cannot be changed"),
            (grant_of(), {"revoked_ms": None}, "cannot be changed"),
            (grant_of(revoked_ms=3), {}, "revoked"),
            (grant_of(expiry_ms=T0 + 1), {}, "over"),
            (grant_of(), {"expiry_ms": T0}, "expire"),
        ],
    )
    def test_what_cannot_be_changed_says_why(self, grant: Grant, fields: dict[str, object], said: str):
        with pytest.raises(GrantError, match=said):
            changed(grant, T0 + 5, text="-", **fields)

    def test_saying_the_same_recipient_is_no_change_of_it(self):
        assert changed(grant_of(), T0 + 5, text="-", recipient="shop", purpose="service").version == 2


class TestWords:
    def test_the_words_of_a_plain_grant(self):
        assert agreement(grant_of(), "2026-09-01") == (
            "I, Robin, agree that shop may get when a door is opened and closed (every single reading) of all devices, "
            "to repair or look after your appliance, from now until 2026-09-01. Nothing that was measured before now "
            "is sent. I can stop this at any time, and then nothing more leaves my home."
        )

    def test_hours_and_days_are_told(self):
        night = Hours(22 * 60, 6 * 60, "Europe/Berlin", (4, 5))
        said = agreement(grant_of(hours=night), "2026-09-01")
        assert ", only between 22:00 and 06:00 (Europe/Berlin) on Friday and Saturday, from now until" in said

    @pytest.mark.parametrize(
        ("hours", "words"),
        [
            (Hours(0, 1440, "UTC", (0, 1, 2, 3, 4)), "from Monday to Friday"),
            (Hours(0, 1440, "UTC", (6,)), "on Sunday"),
            (Hours(0, 1440, "UTC", (0, 2, 4)), "on Monday, Wednesday and Friday"),
            (Hours(480, 1200, "UTC"), "between 08:00 and 20:00 (UTC)"),
            (Hours(0, 1440, "UTC"), "at any time of the day"),
        ],
    )
    def test_hours_in_words(self, hours: Hours, words: str):
        assert hours.in_words() == words

    def test_that_it_reaches_back_is_told(self):
        back = grant_of(since_ms=T0 - DAY_MS)
        assert "since 2026-05-27 20:26 UTC is sent too, and nothing older." in agreement(back, "2026-09-01")
        assert "since 27 May is sent too" in agreement(back, "2026-09-01", since="27 May")
        assert "before now" not in agreement(back, "2026-09-01")

    def test_that_it_begins_later_is_told(self):
        later = grant_of(created_ms=T0 - DAY_MS)
        said = agreement(later, "2026-09-01")
        assert "from 2026-05-28 20:26 UTC until 2026-09-01" in said
        assert "Nothing that was measured before 2026-05-28 20:26 UTC is sent." in said

    def test_the_second_yes_and_a_change_are_told(self):
        sensitive = grant_of(category="presence", explicit=True)
        assert "sensitive, and I say yes to it a second time" in agreement(sensitive, "2026-09-01")
        assert "takes the place" not in agreement(sensitive, "2026-09-01")
        assert "takes the place of what I agreed to before" in agreement(changed(sensitive, T0 + 1, text="-"), "2027")

    def test_own_words_are_told_in_their_sentences(self):
        own = Vocabulary.standard().extended(
            {
                "recipients": {"dairyland": {"sentence": "whose milk is in the fridge", "name": "Dairyland AG"}},
                "purposes": {"recipes": "to suggest what to cook"},
                "granularities": {"6h": "lowest, mean and highest of each six hours"},
            }
        )
        grant = grant_of(recipient="dairyland", purpose="recipes", granularity=Granularity("6h"))
        assert describe(grant, vocabulary=own) == (
            "Dairyland AG (dairyland) may get when a door is opened and closed (lowest, mean and highest of each six "
            "hours) of all devices, to suggest what to cook"
        )

    def test_devices_are_told_by_their_names(self):
        grant = grant_of(devices=("a0b1c2d3e4f5", "000000000001"))
        assert "of Fridge, 000000000001," in describe(grant, {"a0b1c2d3e4f5": "Fridge"})
