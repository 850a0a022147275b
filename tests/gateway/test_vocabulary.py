"""The words of consent: what every household has, and what may be added."""

from __future__ import annotations

import pytest

from gateway.consent.vocabulary import (
    CATEGORIES,
    FINEST_FIRST,
    GRANULARITIES,
    PURPOSES,
    Granularity,
    Party,
    Vocabulary,
    VocabularyError,
)

STANDARD = Vocabulary.standard()


class TestStandard:
    def test_every_word_has_a_sentence(self):
        for table in (STANDARD.recipients, STANDARD.purposes, STANDARD.categories, STANDARD.granularities):
            assert table
            assert all(len(sentence) > 10 for sentence in table.values())

    def test_it_has_the_words_that_households_and_boards_speak_of(self):
        assert {"manufacturer", "operator", "brand", "device", "community"} <= set(STANDARD.recipients)
        assert {"service", "product-improvement", "restocking", "research", "marketing"} <= set(STANDARD.purposes)
        assert {"temperature", "door", "stock", "energy", "presence", "use", "health"} <= set(STANDARD.categories)

    def test_what_is_sensitive_and_what_is_for_adults(self):
        assert STANDARD.sensitive == {"presence", "health"}
        assert STANDARD.special == {"health"}
        assert STANDARD.adults_only == {"marketing"}

    def test_the_constants_are_those_of_the_standard(self):
        assert STANDARD.categories == CATEGORIES
        assert STANDARD.purposes == PURPOSES
        assert set(GRANULARITIES) == set(Granularity) == set(FINEST_FIRST)

    def test_every_purpose_and_category_has_a_term_of_the_data_privacy_vocabulary(self):
        words = {("purposes", word) for word in PURPOSES} | {("categories", word) for word in CATEGORIES}
        assert set(STANDARD.terms) == words

    def test_it_cannot_be_changed(self):
        with pytest.raises(TypeError):
            STANDARD.purposes["fun"] = "for fun"  # type: ignore[index]
        with pytest.raises(AttributeError):
            STANDARD.sensitive = frozenset()  # type: ignore[misc]


class TestGranularity:
    def test_from_the_one_that_tells_most_to_the_one_that_tells_least(self):
        assert [g.value for g in FINEST_FIRST] == ["raw", "event", "15min", "hour", "day"]
        assert Granularity("30min").fineness < Granularity.HOUR.fineness < Granularity("6h").fineness

    @pytest.mark.parametrize(
        ("word", "minutes"),
        [
            ("raw", None), ("event", None), ("15min", 15), ("hour", 60), ("day", 1440), ("1min", 1), ("6h", 360),
            ("31d", 44_640),
        ],
    )  # fmt: skip
    def test_a_length_of_time_is_a_granularity(self, word: str, minutes: int | None):
        assert Granularity(word).bucket_ms == (None if minutes is None else minutes * 60_000)
        assert Granularity(word) is Granularity(word)
        assert Granularity(word) == word

    @pytest.mark.parametrize(
        "word", ["", "0min", "min", "06h", "6 h", "6H", "32d", "44641min", "-1h", "1.5h", "week", "٦h"]
    )
    def test_anything_else_is_none(self, word: str):
        with pytest.raises(ValueError, match="not a valid"):
            Granularity(word)

    def test_the_five_are_what_is_offered(self):
        Granularity("6h")
        assert len(list(Granularity)) == 5


class TestExtended:
    def test_a_sentence_is_enough(self):
        own = STANDARD.extended(
            {
                "recipients": {"dairyland": "Dairyland, whose milk is in the fridge"},
                "purposes": {"recipes": "to suggest what to cook"},
                "categories": {"noise": "how loud it is in the kitchen"},
                "granularities": {"6h": "lowest, mean and highest of each six hours"},
            }
        )
        assert own.recipients["dairyland"].startswith("Dairyland")
        assert own.purposes["recipes"] == "to suggest what to cook"
        assert own.categories["noise"]
        assert Granularity("6h") in own.granularities
        assert set(STANDARD.purposes) < set(own.purposes)
        assert "recipes" not in STANDARD.purposes

    def test_a_word_can_be_sensitive_special_or_for_adults(self):
        own = STANDARD.extended(
            {
                "categories": {
                    "sleep": {"sentence": "when somebody sleeps", "sensitive": True},
                    "insulin": {"sentence": "how much insulin is left", "special": True, "dpv": "pd:MedicalHealth"},
                },
                "purposes": {"betting": {"sentence": "to place bets", "adults_only": True}},
            }
        )
        assert own.sensitive == STANDARD.sensitive | {"sleep", "insulin"}
        assert own.special == {"health", "insulin"}
        assert own.adults_only == {"marketing", "betting"}
        assert own.terms["categories", "insulin"] == "pd:MedicalHealth"

    def test_a_known_word_can_become_stricter_and_never_laxer(self):
        own = STANDARD.extended({"categories": {"use": {"sensitive": True}}})
        assert own.sensitive == STANDARD.sensitive | {"use"}
        assert own.categories == STANDARD.categories
        with pytest.raises(VocabularyError, match="cannot be taken away"):
            STANDARD.extended({"categories": {"presence": {"sensitive": False}}})

    def test_who_a_recipient_is_can_be_told(self):
        own = STANDARD.extended({"recipients": {"manufacturer": {"name": "Acme", "jurisdiction": "DE"}}})
        own = own.extended({"recipients": {"manufacturer": {"contact": "privacy@acme.example"}}})
        assert own.parties["manufacturer"] == Party(name="Acme", jurisdiction="DE", contact="privacy@acme.example")
        assert own.recipients == STANDARD.recipients

    def test_nothing_added_changes_nothing(self):
        assert STANDARD.extended({}) == STANDARD
        assert STANDARD.extended({"purposes": {}}) == STANDARD

    @pytest.mark.parametrize(
        ("tables", "said"),
        [
            ({"purpose": {}}, "no table 'purpose'"),
            ({"purposes": "fun"}, "is a table"),
            ({"purposes": {"fun": 3}}, "a sentence, or a table"),
            ({"purposes": {"fun": {}}}, "needs a sentence"),
            ({"purposes": {"fun": "  "}}, "needs a sentence"),
            ({"purposes": {"fun": "for\nfun"}}, "one line"),
            ({"purposes": {"fun": "x" * 201}}, "one line"),
            ({"purposes": {"Fun": "for fun"}}, "lower-case"),
            ({"purposes": {"x" * 33: "for fun"}}, "32"),
            ({"purposes": {"fun": {"sentence": "for fun", "sensitive": True}}}, "no key 'sensitive'"),
            ({"purposes": {"fun": {"sentence": "for fun", "adults_only": "no"}}}, "true or false"),
            ({"purposes": {"fun": {"sentence": 3}}}, "a text"),
            ({"purposes": {"fun": {"sentence": "for fun", "dpv": "fun"}}}, "dpv:Marketing"),
            ({"purposes": {"marketing": "to repair your appliance"}}, "keep their meaning"),
            ({"purposes": {"marketing": {"dpv": "dpv:ServiceProvision"}}}, "once said"),
            ({"recipients": {"manufacturer": "a good friend"}}, "keep their meaning"),
            ({"categories": {"noise": {"sentence": "how loud", "senstive": True}}}, "no key 'senstive'"),
            ({"granularities": {"weekly": "of each week"}}, "30min, 6h or 7d"),
            ({"granularities": {"raw": "only a little"}}, "keep their meaning"),
        ],
    )
    def test_a_word_that_cannot_be_added_says_which_and_what_it_takes(self, tables: dict[str, object], said: str):
        with pytest.raises(VocabularyError, match=said):
            STANDARD.extended(tables)
