"""What must hold when somebody gives a grant: known words, the second yes, one sensitive thing at a time, an adult."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.consent.giving import check_bundle, check_giving, check_words
from gateway.consent.grants import Grant, GrantError
from gateway.consent.people import Person, Role, check_person
from gateway.consent.vocabulary import Granularity, Vocabulary

STANDARD = Vocabulary.standard()
OWN = STANDARD.extended(
    {
        "recipients": {"dairyland": "Dairyland, whose milk is in the fridge"},
        "purposes": {"betting": {"sentence": "to place bets", "adults_only": True}},
        "categories": {"use": {"sensitive": True}},
        "granularities": {"6h": "lowest, mean and highest of each six hours"},
    }
)
ROBIN, MIA = Person("Robin"), Person("Mia", Role.CHILD)
GRANT = Grant(
    id="g-" + "0" * 16, subject="Robin", devices=("*",), category="door", recipient="manufacturer", purpose="service",
    granularity=Granularity.RAW, hours=None, start_ms=5, expiry_ms=9, text="I agree.", language="en", created_ms=5,
)  # fmt: skip


def another(**fields: object) -> Grant:
    return replace(GRANT, id="g-" + "1" * 16, **fields)  # type: ignore[arg-type]


class TestWords:
    def test_standard_words_are_known(self):
        for recipient in STANDARD.recipients:
            for purpose in STANDARD.purposes:
                for category in STANDARD.categories:
                    check_words(
                        replace(GRANT, recipient=recipient, purpose=purpose, category=category, explicit=True), STANDARD
                    )

    @pytest.mark.parametrize(
        "fields",
        [{"recipient": "dairyland"}, {"purpose": "betting"}, {"category": "noise"}, {"granularity": Granularity("6h")}],
    )
    def test_a_word_that_nobody_added_is_told(self, fields: dict[str, object]):
        ((what, word),) = fields.items()
        with pytest.raises(GrantError, match=f"{what} is '{word}'; it must be one of .*vocabulary"):
            check_words(replace(GRANT, **fields), STANDARD)  # type: ignore[arg-type]
        if word != "noise":
            check_words(replace(GRANT, **fields), OWN)  # type: ignore[arg-type]

    @pytest.mark.parametrize("category", ["presence", "health"])
    def test_a_sensitive_category_takes_a_second_yes(self, category: str):
        with pytest.raises(GrantError, match="second, explicit yes"):
            check_words(replace(GRANT, category=category), STANDARD)
        check_words(replace(GRANT, category=category, explicit=True), STANDARD)

    def test_what_a_household_calls_sensitive_is(self):
        check_words(replace(GRANT, category="use"), STANDARD)
        with pytest.raises(GrantError, match="second, explicit yes"):
            check_words(replace(GRANT, category="use"), OWN)


class TestBundles:
    def test_several_plain_ones_may_be_agreed_to_at_once(self):
        check_bundle([GRANT, another(category="stock")], STANDARD)
        check_bundle([], STANDARD)

    def test_a_sensitive_one_is_asked_for_alone(self):
        sensitive = another(category="presence", explicit=True)
        check_bundle([sensitive], STANDARD)
        for bundle in ([GRANT, sensitive], [sensitive, GRANT]):
            with pytest.raises(GrantError, match="cannot be one of a bundle"):
                check_bundle(bundle, STANDARD)

    def test_a_grant_is_not_in_it_twice(self):
        with pytest.raises(GrantError, match="twice"):
            check_bundle([GRANT, GRANT], STANDARD)


class TestPeople:
    @pytest.mark.parametrize("name", ["", "  ", "x" * 65, "Robin\n", "Rob\tin"])
    def test_a_name_is_one_line(self, name: str):
        with pytest.raises(GrantError, match="name"):
            Person(name)

    def test_whom_nobody_called_a_child_is_an_adult(self):
        assert Person("Robin").role is Role.ADULT

    def test_a_child_cannot_grant_marketing(self):
        offers = replace(GRANT, purpose="marketing")
        check_person(offers, ROBIN, STANDARD)
        with pytest.raises(GrantError, match="Mia is a child"):
            check_person(offers, MIA, STANDARD)
        check_person(GRANT, MIA, STANDARD)

    def test_nor_what_a_household_keeps_for_adults(self):
        with pytest.raises(GrantError, match="only an adult can agree to betting"):
            check_person(replace(GRANT, purpose="betting"), MIA, OWN)


class TestGiving:
    def test_everything_is_asked_for_each_of_them(self):
        check_giving([GRANT, another(category="stock")], ROBIN, STANDARD)
        for wrong in (
            another(category="noise"), another(category="presence"), another(category="presence", explicit=True),
            another(subject="Mia"),
        ):  # fmt: skip
            with pytest.raises(GrantError):
                check_giving([GRANT, wrong], ROBIN, STANDARD)

    def test_nobody_agrees_in_another_name(self):
        offers = replace(GRANT, purpose="marketing")
        with pytest.raises(GrantError, match="Robin agrees, and it is given by Mia"):
            check_giving([offers], MIA, STANDARD)
        with pytest.raises(GrantError, match="child"):
            check_giving([replace(offers, subject="Mia")], MIA, STANDARD)
