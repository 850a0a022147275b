"""How long a sink or a broker is left alone after a failure."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.forward.backoff import Backoff


@given(st.floats(0.001, 10), st.floats(0.001, 1000), st.integers(1, 80), st.none() | st.floats(0, 1e9))
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_its_ceiling(
    first_s: float, most_s: float, failures: int, asked_s: float | None
):
    backoff = Backoff(first_s, most_s, random.Random(2))
    for i in range(failures):
        wait_s = backoff.next_s(asked_s)
        assert wait_s >= 0.1
        assert wait_s <= max(0.1, min(most_s, first_s * 2**i), min(asked_s or 0, 86_400))
        assert asked_s is None or wait_s >= min(asked_s, 86_400)


def test_waits_of_two_houses_are_not_in_step():
    one, other = Backoff(rng=random.Random(1)), Backoff(rng=random.Random(2))
    assert [one.next_s() for _ in range(9)] != [other.next_s() for _ in range(9)]


def test_after_success_the_wait_is_short_again():
    backoff = Backoff(1, 300, random.Random(3))
    for _ in range(20):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 1
