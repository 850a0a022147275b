"""The dedup window against a plain set of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from gateway.store.window import MAX_ISLANDS, Window, WindowFull

seqs = st.integers(1, 60)


def check(window: Window, here: set[int]) -> None:
    upto = 0
    while upto + 1 in here:
        upto += 1
    assert window.upto == upto
    above = [seq for first, last in window.islands for seq in range(first, last + 1)]
    assert above == sorted(here - set(range(1, upto + 1)))
    edges = [window.upto, *(edge for island in window.islands for edge in island)]
    assert all(last + 1 < first for last, first in zip(edges[::2], edges[1::2], strict=False))


@given(st.lists(seqs, max_size=150))
def test_a_window_holds_what_was_added_and_says_what_was_new(added: list[int]):
    window, here = Window(), set[int]()
    for seq in added:
        assert (seq in window) == (seq in here)
        assert window.add(seq) == (seq not in here)
        here.add(seq)
        check(window, here)
    assert {seq for seq in range(1, 70) if seq in window} == here
    assert 0 in window


@given(st.sets(st.integers(1, 2**32 - 1), max_size=MAX_ISLANDS), st.randoms(use_true_random=False))
def test_the_order_in_which_numbers_come_does_not_matter(here: set[int], rng):
    one, other = Window(), Window()
    for seq in sorted(here):
        one.add(seq)
    shuffled = list(here)
    rng.shuffle(shuffled)
    for seq in shuffled:
        other.add(seq)
    assert (one.upto, one.islands) == (other.upto, other.islands)


@given(st.sets(seqs))
def test_a_window_comes_back_from_what_is_kept_of_it(here: set[int]):
    window = Window()
    for seq in here:
        window.add(seq)
    again = Window(window.upto, [list(island) for island in window.islands])  # as JSON gives it
    check(again, here)
    assert all(not again.add(seq) for seq in here)


def test_one_island_too_many_is_refused_and_changes_nothing():
    window = Window()
    for i in range(MAX_ISLANDS):
        window.add(3 + 2 * i)
    before = (window.upto, list(window.islands))
    with pytest.raises(WindowFull):
        window.add(3 + 2 * MAX_ISLANDS)
    with pytest.raises(WindowFull):
        window.add(2**32 - 1)
    assert (window.upto, window.islands) == before


def test_a_full_window_still_takes_what_closes_gaps_or_makes_islands_longer():
    window = Window()
    for i in range(MAX_ISLANDS):
        window.add(3 + 3 * i)
    assert not window.add(3)
    assert window.add(4)
    assert window.add(5)  # joins two islands
    assert len(window.islands) == MAX_ISLANDS - 1
    assert window.add(2)
    assert window.add(1)
    assert window.upto == 6


def test_in_order_a_window_is_one_number():
    window = Window()
    for seq in range(1, 5000):
        assert window.add(seq)
    assert (window.upto, window.islands) == (4999, [])


class Windows(RuleBasedStateMachine):
    """Adding, asking and coming back from disk in any order."""

    seen = Bundle("seen")

    def __init__(self) -> None:
        super().__init__()
        self.window = Window()
        self.here: set[int] = set()

    @rule(target=seen, seq=seqs)
    def add(self, seq: int) -> int:
        assert self.window.add(seq) == (seq not in self.here)
        self.here.add(seq)
        return seq

    @rule(seq=seen)
    def add_again(self, seq: int) -> None:
        assert seq in self.window
        assert not self.window.add(seq)

    @rule()
    def come_back(self) -> None:
        self.window = Window(self.window.upto, self.window.islands)

    @invariant()
    def same_as_the_set(self) -> None:
        check(self.window, self.here)


test_any_order_of_adding_and_coming_back = Windows.TestCase
