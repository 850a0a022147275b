"""gateway.web.words: what channels say, in words that a household has for it."""

from __future__ import annotations

import pytest

from gateway.web import words
from gateway.wire.birth import Channel, ValueKind


def channel(name: str, kind: ValueKind = ValueKind.STATE, unit: str = "/", den: int = 1) -> Channel:
    return Channel(name, unit, 1, den, kind, "use")


@pytest.mark.parametrize(
    ("known", "raw", "text"),
    [
        (channel("door"), 1, "open"),
        (channel("lid"), 1, "yes"),
        (channel("lid"), 0, "no"),
        (channel("lid"), 2, "2"),
        (channel("lid"), None, "no reading"),
        (channel("fill", ValueKind.GAUGE), 1, "1"),
        (channel("fill", ValueKind.GAUGE, den=4), 1, "0.25"),
        (channel("speed", unit="W"), 1, "1 W"),
    ],
)
def test_a_state_is_a_word_also_where_nobody_has_named_it(known: Channel, raw: int | None, text: str) -> None:
    assert words.value(known, raw) == text
