"""update/rollout.py: one of each kind, then a few, then all, and nothing new after the first that did not keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.update.rollout import AT_ONCE, BAD, DONE, Phase, Place, State, may_go, phase, places, stopped

BOARDS = [(f"{n:012x}", "fridge", n != 0) for n in range(10)] + [(f"{n:012x}", "kettle", True) for n in range(20, 22)]


def rollout(*states: State, stage: int = 0) -> dict[str, Place]:
    return {str(n): Place(str(n), stage, state) for n, state in enumerate(states)}


def test_one_of_each_kind_goes_first_and_is_online_if_any_is() -> None:
    found = places(BOARDS, "all")
    first = [device for device, stage in found.items() if stage == 0]
    assert first == [f"{1:012x}", f"{20:012x}"]
    assert sorted(found.values()) == [0] * 2 + [1] * 4 + [2] * 6


def test_a_rollout_ends_where_it_is_to_end() -> None:
    assert len(places(BOARDS, "one")) == 2
    assert len(places(BOARDS, "few")) == 6
    assert len(places(BOARDS, "all")) == 12


def test_of_a_thousand_a_few_are_a_hundred() -> None:
    assert list(places([(str(n), "fridge", True) for n in range(1000)], "all").values()).count(1) == 100


def test_a_stage_begins_when_all_before_it_are_done() -> None:
    plan = {
        "a": Place("a", 0, State.UPDATED),
        "b": Place("b", 0, State.LOADING),
        "c": Place("c", 1, State.WAIT),
    }
    assert may_go(plan) == ["b"]
    plan["b"] = Place("b", 0, State.CURRENT)
    assert may_go(plan) == ["c"]


def test_so_many_are_served_at_once() -> None:
    assert len(may_go(rollout(*[State.WAIT] * 9))) == AT_ONCE
    assert len(may_go(rollout(State.TRIAL, State.LOADING, *[State.WAIT] * 9))) == AT_ONCE
    assert len(may_go(rollout(*[State.HELD] * 5, *[State.WAIT] * 9))) == 5 + AT_ONCE, (
        "who waits for itself keeps no place"
    )


def test_after_a_rollback_nothing_begins_and_what_was_started_may_end() -> None:
    plan = rollout(State.ROLLED_BACK, State.LOADING, State.TRIAL, State.WAIT, State.HELD)
    assert may_go(plan) == ["2"]
    assert stopped(place.state for place in plan.values())


def test_nobody_goes_before_the_household_says_yes() -> None:
    assert may_go(rollout(State.ASK, State.ASK)) == []


@pytest.mark.parametrize(
    ("states", "together"),
    [
        ([], Phase.NONE),
        ([State.ASK, State.ASK], Phase.ASKS),
        ([State.WAIT, State.UPDATED], Phase.GOING),
        ([State.TRIAL, State.STOPPED], Phase.GOING),
        ([State.HELD], Phase.GOING),
        ([State.UPDATED, State.ROLLED_BACK, State.WAIT], Phase.HALTED),
        ([State.TRIAL, State.FAILED], Phase.HALTED),
        ([State.UPDATED, State.STOPPED], Phase.STOPPED),
        ([State.UPDATED, State.CURRENT], Phase.DONE),
    ],
)
def test_a_rollout_stands_as_its_boards_do(states: list[State], together: Phase) -> None:
    assert phase(states) is together


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(State)), max_size=12))
def test_whoever_begins_waited_and_nobody_before_is_open(boards: list[tuple[int, State]]) -> None:
    plan = {str(n): Place(str(n), stage, state) for n, (stage, state) in enumerate(boards)}
    turn = may_go(plan)
    assert len(set(turn)) == len(turn)
    for device in turn:
        place = plan[device]
        assert place.state not in DONE | BAD | {State.ASK, State.STOPPED}
        if place.state is State.WAIT:
            assert not stopped(other.state for other in plan.values())
            assert all(
                other.stage >= place.stage or other.state in DONE or other.state is State.STOPPED
                for other in plan.values()
            )
