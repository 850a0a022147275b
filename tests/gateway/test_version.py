"""update/version.py: which of two versions is the older one."""

from __future__ import annotations

import itertools

import pytest

from gateway.update.version import Anyway, older, refusal

ASCENDING = (
    "0.3.0", "0.3.1", "0.9.0", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0.1", "2", "10.0",
)  # fmt: skip


def test_versions_are_in_the_order_of_their_numbers_and_not_of_their_letters() -> None:
    for before, behind in itertools.combinations(ASCENDING, 2):
        assert older(before, behind), (before, behind)
        assert not older(behind, before), (before, behind)


SAME = (("1.0", "1.0.0"), ("v0.2.0", "0.2.0"), ("0.2.0+a1", "0.2.0+b2"), ("0", "0.0"))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_is_the_same_version_is_not_older(one: str, other: str) -> None:
    assert not older(one, other)
    assert not older(other, one)


@pytest.mark.parametrize("word", ["", "dev", "1.", "1..2", "-1", "1.0.0-", "latest 1", "٣.0", "9" * 40])
def test_what_is_no_version_is_older_than_none(word: str) -> None:
    assert not older(word, "1.0.0")
    assert not older("1.0.0", word)


def test_an_older_one_and_one_that_did_not_last_take_a_person_who_insists() -> None:
    again, downgrade = Anyway.AGAIN, Anyway.DOWNGRADE
    for runs, went_back, taken in (
        ("0.9.0", False, {downgrade}),
        ("0.9.0", True, {downgrade}),
        ("0.3.0", True, {again, downgrade}),
        ("0.3.0", False, {None, again, downgrade}),
        ("0.1.0", False, {None, again, downgrade}),
        (None, False, {None, again, downgrade}),
    ):
        for anyway in (None, again, downgrade):
            why = refusal(runs, "0.3.0", anyway, went_back=went_back)
            assert (why is None) == (anyway in taken), (runs, went_back, anyway)
    assert refusal("0.9.0", "0.3.0", None, went_back=False) == (
        "it runs 0.9.0, and 0.3.0 is older: `hearthgate update --downgrade` puts that on it all the same"
    )
