"""consent/update_words.py: what a row of the ledger says of an update."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent.update_words import VERBS, told

NAMES = {"01": "Kitchen fridge", "02": "Kettle and pot", "03": "Cellar fridge"}


def said(**other: Any) -> dict[str, Any]:
    return {"way": "console", "firmware": "0.2.0", "boards": ["01"]} | other


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        (
            "update_order",
            {"asks": True},
            "version 0.2.0 in the console, for Kitchen fridge; the household is asked first",
        ),
        ("update_order", {"asks": False, "way": "command line"}, "Ada ordered software version 0.2.0 on the"),
        ("update_order", {"anyway": "again"}, "in the console, also where it did not last before, for Kitchen fridge"),
        ("update_order", {"anyway": "downgrade"}, "in the console, also in place of a newer one, for Kitchen fridge"),
        ("update_yes", {"way": "api"}, "Ada said yes to software version 0.2.0 through the API, for Kitchen fridge"),
        ("update_no", {"firmware": None}, "Ada said no to new software in the console, for Kitchen fridge"),
        ("update_stop", {}, "Ada stopped the update to software version 0.2.0 in the console, for Kitchen fridge"),
        ("update_yes", {"boards": ["01", "02", "03"]}, "for Kitchen fridge, Kettle and pot and Cellar fridge"),
        ("update_yes", {"boards": ["01", "99"]}, "for Kitchen fridge and one that is no longer here"),
        ("update_yes", {"boards": ["99", "98"]}, "for 2 that are no longer here"),
    ],
)
def test_each_kind_has_its_sentence(kind: str, other: dict[str, Any], words: str) -> None:
    assert words in told(kind, said(**other), "Ada", NAMES)


def test_of_many_boards_some_are_named() -> None:
    names = {f"{n}": f"Fridge {n}" for n in range(30)}
    assert told("update_yes", said(boards=list(names)), "Ada", names).endswith("Fridge 11 and 18 more")


@pytest.mark.parametrize("kind", VERBS)
@pytest.mark.parametrize("entry", [{}, {"boards": 7, "way": [], "firmware": {}}, {"boards": [[], None]}])
def test_a_row_that_somebody_spoilt_has_words_too(kind: str, entry: dict[str, Any]) -> None:
    assert VERBS[kind] in told(kind, entry, "Somebody", NAMES)
