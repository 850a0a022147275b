"""update/rollout.py: one of each kind, then a few, then all, and nothing new after the first that did not keep it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.update.rollout import AT_ONCE, BAD, DONE, Phase, Place, State, may_go, phase, places, stopped

BOARDS = [(f"{n:012x}", "fridge", n != 0) for n in range(10)] + [(f"{n:012x}", "kettle", True) for n in range(20, 22)]


def rollout(*states: State, stage: int = 0) -> dict[str, Place]:
    return {str(n): Place(str(n), stage, state) for n, state in enumerate(states)}


def served(*states: State) -> list[str]:
    """Whose turn it is, where all are online."""
    plan = rollout(*states)
    return may_go(plan, plan)


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
    assert may_go(plan, plan) == ["b"]
    plan["b"] = Place("b", 0, State.CURRENT)
    assert may_go(plan, plan) == ["c"]


def test_a_board_that_is_offline_keeps_no_other_from_its_turn_and_has_it_when_it_is_back() -> None:
    plan = {
        "a": Place("a", 0, State.UPDATED),
        "b": Place("b", 0, State.WAIT),
        "c": Place("c", 1, State.WAIT),
        "d": Place("d", 2, State.WAIT),
    }
    assert may_go(plan, {"a", "c", "d"}) == ["c"]
    assert may_go(plan, {"a", "b", "c", "d"}) == ["b"]
    assert may_go(plan, {"a", "d"}) == ["d"]
    assert may_go(plan, {"a"}) == []
    for state in (State.LOADING, State.HELD):
        plan["b"] = Place("b", 0, state)
        assert may_go(plan, {"a", "c", "d"}) == ["b", "c"]


def test_nobody_else_begins_before_one_has_truly_taken_it() -> None:
    plan = {"a": Place("a", 0, State.WAIT), "b": Place("b", 1, State.WAIT), "c": Place("c", 1, State.WAIT)}
    assert may_go(plan, {"b", "c"}) == []
    plan["a"] = Place("a", 0, State.LOADING)
    assert may_go(plan, {"b", "c"}) == ["a"]
    plan["a"] = Place("a", 0, State.UPDATED)
    assert may_go(plan, {"b", "c"}) == ["b", "c"]


@pytest.mark.parametrize("done", [State.UPDATED, State.CURRENT])
def test_while_the_first_of_a_kind_is_to_come_the_others_begin_one_at_a_time(done: State) -> None:
    plan = {"f0": Place("f0", 0, done), "k0": Place("k0", 0, State.WAIT)}
    plan |= {f"k{n}": Place(f"k{n}", 2, State.WAIT) for n in range(1, 9)}
    online = plan.keys() - {"k0"}
    assert may_go(plan, online) == ["k1"]
    for state in (State.LOADING, State.TRIAL):
        plan["k1"] = Place("k1", 2, state)
        assert may_go(plan, online) == ["k1"], "no kettle has taken it yet"
    plan["k1"] = Place("k1", 2, State.UPDATED)
    assert may_go(plan, online) == ["k2"]
    plan["k0"] = Place("k0", 0, State.UPDATED)
    assert may_go(plan, online) == ["k2", "k3", "k4", "k5"]


def test_boards_that_are_offline_take_no_place_but_one_on_trial_restarts() -> None:
    plan = rollout(*[State.LOADING] * AT_ONCE, *[State.WAIT] * 9, State.UPDATED)
    assert may_go(plan, plan) == ["0", "1", "2", "3"]
    assert may_go(plan, {"4", "5", "6"}) == ["0", "1", "2", "3", "4", "5", "6"]
    plan = rollout(*[State.TRIAL] * AT_ONCE, State.WAIT, State.UPDATED)
    assert may_go(plan, {"4"}) == ["0", "1", "2", "3"]


def test_so_many_are_served_at_once() -> None:
    assert len(served(*[State.WAIT] * 9)) == AT_ONCE
    assert len(served(State.TRIAL, State.LOADING, *[State.WAIT] * 9)) == AT_ONCE
    assert len(served(*[State.HELD] * 5, *[State.WAIT] * 9)) == 5 + AT_ONCE, "who waits for itself keeps no place"


def test_after_a_rollback_nothing_begins_and_what_was_started_may_end() -> None:
    plan = rollout(State.ROLLED_BACK, State.LOADING, State.TRIAL, State.WAIT, State.HELD)
    assert may_go(plan, plan) == ["2"]
    assert stopped(place.state for place in plan.values())


def test_nobody_goes_before_the_household_says_yes() -> None:
    assert served(State.ASK, State.ASK) == []


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


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(State), st.booleans()), max_size=12))
def test_whoever_begins_waited_and_nobody_before_is_open(boards: list[tuple[int, State, bool]]) -> None:
    plan = {str(n): Place(str(n), stage, state) for n, (stage, state, _) in enumerate(boards)}
    online = {str(n) for n, board in enumerate(boards) if board[2]}
    turn = may_go(plan, online)
    assert len(set(turn)) == len(turn)
    done = any(other.state in DONE for other in plan.values())
    for device in turn:
        place = plan[device]
        assert place.state not in DONE | BAD | {State.ASK, State.STOPPED}
        if place.state is State.WAIT:
            assert device in online
            assert not stopped(other.state for other in plan.values())
            assert all(
                other.stage >= place.stage
                or other.state in DONE | {State.STOPPED}
                or (done and other.device not in online and other.state is not State.TRIAL)
                for other in plan.values()
            )
