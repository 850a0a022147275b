"""web/update_view.py: what a household is told of an update, at each point of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.store import updates
from gateway.update.rollout import Phase, State
from gateway.update.version import refusal
from gateway.web import update_view
from gateway.web.api_update import update_out
from gateway.web.update_view import BoardView, UpdateView, about, plan, read, said, title, worth_showing

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


def board(name: str, state: State, stage: int = 0, **other: Any) -> BoardView:
    fields: dict[str, Any] = {
        "detail": "", "runs": "0.1.0", "percent": None, "online": True, "turn": False, "changed_ms": NOW_MS,
    }  # fmt: skip
    return BoardView(device=f"id of {name}", name=name, stage=stage, state=state, **fields | other)


def view(phase: Phase, *boards: BoardView) -> UpdateView:
    return UpdateView(phase, "0.2.0", boards)


def test_nothing_is_shown_where_nothing_was_ordered(household: Any) -> None:
    found = read(household.db)
    assert found == UpdateView(Phase.NONE, None, ())
    assert not worth_showing(found, NOW_MS)


def test_it_is_read_as_it_is_stored(household: Any) -> None:
    boards = [household.board(), household.board("a0b1c2d3e4f6")]
    household.receive(boards[0].birth())
    first, second = (board.device for board in boards)
    updates.order(household.db, {first: 0, second: 1}, NOW_MS, ask=True)
    found = read(household.db)
    assert found.phase is Phase.ASKS
    assert [(b.device, b.stage, b.state, b.percent, b.turn) for b in found.boards] == [
        (first, 0, State.ASK, None, False), (second, 1, State.ASK, None, False),
    ]  # fmt: skip
    assert [b.runs is None for b in found.boards] == [False, True]
    assert len(updates.allow(household.db, NOW_MS)) == 2
    updates.note(household.db, first, NOW_MS + 1, State.LOADING, sequence=7, done=301, size=1000)
    found = read(household.db)
    assert (found.phase, found.changed_ms, found.can_stop) == (Phase.GOING, NOW_MS + 1, True)
    assert [(b.percent, b.turn) for b in found.boards] == [(30, True), (None, False)]
    updates.note(household.db, first, NOW_MS + 2, State.ROLLED_BACK, detail="its starts did not last")
    found = read(household.db)
    assert (found.phase, found.can_stop) == (Phase.HALTED, False)
    updates.keep_image(household.db, "fridge-sim 2566", "0.2.0", {"main.py": b"m"}, NOW_MS)
    assert read(household.db).firmware == "0.2.0"
    updates.order(household.db, {first: 0}, NOW_MS, ask=True, firmware="0.3.0")
    assert read(household.db).firmware == "0.3.0"


def test_a_no_is_shown_as_called_off(household: Any) -> None:
    device = household.board().device
    updates.order(household.db, {device: 0}, NOW_MS, ask=True)
    assert len(updates.decline(household.db, NOW_MS)) == 1
    assert updates.decline(household.db, NOW_MS) == updates.allow(household.db, NOW_MS) == []
    assert updates.rows(household.db)[device].detail == "the household said no"
    found = read(household.db)
    assert (title(found), found.phase) == ("The update was called off", Phase.STOPPED)
    assert about(found).startswith("Your appliances keep the software that they have.")


@pytest.mark.parametrize("age_ms", [0, DAY_MS - 1, DAY_MS, 7 * DAY_MS - 1, 7 * DAY_MS, 400 * DAY_MS])
def test_what_is_over_goes_from_the_page_and_what_is_not_stays(age_ms: int) -> None:
    shown = {
        phase
        for phase, state in (
            (Phase.ASKS, State.ASK),
            (Phase.GOING, State.WAIT),
            (Phase.HALTED, State.FAILED),
            (Phase.STOPPED, State.STOPPED),
            (Phase.DONE, State.UPDATED),
        )
        if worth_showing(view(phase, board("Fridge", state)), NOW_MS + age_ms)
    }
    over = {Phase.STOPPED, Phase.DONE} if age_ms < DAY_MS else set()
    halted = {Phase.HALTED} if age_ms < 7 * DAY_MS else set()
    assert shown == {Phase.ASKS, Phase.GOING} | halted | over


def test_before_a_yes_it_says_what_would_happen() -> None:
    alone = view(Phase.ASKS, board("Kitchen fridge", State.ASK))
    assert title(alone) == "New software for Kitchen fridge"
    assert about(alone) == "Version 0.2.0 is ready for 1 appliance. Nothing happens until you say yes."
    assert not any("first" in step or "no other" in step for step in plan(alone))
    two = view(Phase.ASKS, board("Fridge", State.ASK), board("Kettle", State.ASK))
    assert plan(two)[0] == "Fridge and Kettle first."
    assert "Then no other is begun." in plan(two)[2]
    stages = view(Phase.ASKS, *(board(f"{n}", State.ASK, stage) for n, stage in enumerate((0, 1, 1, 1, 2, 2, 2))))
    assert plan(stages)[0] == "0 first, then a few more, then the others."
    kinds = view(Phase.ASKS, *(board(f"{n}", State.ASK, stage) for n, stage in enumerate((0, 0, 0, 1))))
    assert plan(kinds)[0] == "One appliance of each kind first, then 3."


@pytest.mark.parametrize(
    ("phase", "state", "other", "words"),
    [
        (Phase.ASKS, State.ASK, {}, "from 0.1.0 to 0.2.0"),
        (Phase.ASKS, State.ASK, {"online": False}, "from 0.1.0 to 0.2.0; offline now"),
        (Phase.ASKS, State.ASK, {"runs": "0.2.0"}, "has 0.2.0 already"),
        (Phase.ASKS, State.ASK, {"runs": None}, "has not said what it has"),
        (Phase.GOING, State.WAIT, {}, "waits for its turn"),
        (Phase.GOING, State.WAIT, {"turn": True}, "is asked what it has"),
        (Phase.GOING, State.WAIT, {"online": False}, "offline: it is asked when it is back"),
        (Phase.GOING, State.LOADING, {"percent": 43}, "fetches it: 43 %"),
        (
            Phase.GOING,
            State.LOADING,
            {"percent": 43, "online": False},
            "fetched 43 %; offline: it is asked when it is back",
        ),
        (Phase.GOING, State.HELD, {"detail": "its battery is low"}, "waits: its battery is low"),
        (Phase.GOING, State.HELD, {"detail": "it heats", "online": False}, "offline: it is asked when it is back"),
        (Phase.GOING, State.TRIAL, {}, "tries it out"),
        (Phase.GOING, State.TRIAL, {"online": False}, "tries it out"),
        (Phase.DONE, State.UPDATED, {}, "is updated"),
        (Phase.DONE, State.CURRENT, {"detail": "firmware 0.2.0"}, "had it already"),
        (Phase.HALTED, State.ROLLED_BACK, {"detail": "{why}"}, "went back to what it had: {why}"),
        (Phase.HALTED, State.FAILED, {"detail": "its flash is full"}, "did not take it: its flash is full"),
        (Phase.HALTED, State.WAIT, {}, "not begun"),
        (Phase.HALTED, State.LOADING, {"percent": 43}, "not finished: it keeps what it had"),
        (Phase.HALTED, State.HELD, {}, "not finished: it keeps what it had"),
        (Phase.HALTED, State.TRIAL, {}, "tries it out"),
        (Phase.STOPPED, State.STOPPED, {"detail": "the household said no"}, "stays as it is"),
    ],
)
def test_each_appliance_says_how_far_it_is(phase: Phase, state: State, other: dict[str, Any], words: str) -> None:
    one = board("Fridge", state, **other)
    assert said(one, view(phase, one)) == words


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_words_in_every_phase(state: State) -> None:
    for phase in Phase:
        assert said(board("Fridge", state), view(phase, board("Fridge", state)))


def test_an_update_that_was_halted_says_at_which_appliance_and_what_of_it() -> None:
    done, bad, rest = board("A", State.UPDATED), board("B", State.ROLLED_BACK, 1), board("C", State.WAIT, 2)
    halted = view(Phase.HALTED, done, bad, rest)
    assert title(halted) == "The update was halted at B"
    assert about(halted) == (
        "B works again with what it had. No other appliance is begun. To try again: `hearthgate update --again`."
    )
    assert (
        about(view(Phase.HALTED, board("B", State.FAILED))) == "B did not take it. To try again: `hearthgate update`."
    )


@pytest.mark.parametrize(
    ("runs", "went_back", "option"), [("0.1.0", True, " --again"), ("0.3.0", False, " --downgrade")]
)
def test_a_board_that_was_refused_it_is_told_what_to_say_beside(runs: str, went_back: bool, option: str) -> None:
    why = refusal(runs, "0.2.0", None, went_back=went_back)
    said_of_it = about(view(Phase.HALTED, board("B", State.FAILED, detail=why)))
    assert said_of_it == f"B did not take it. To try again: `hearthgate update{option}`."


def test_the_api_says_of_a_board_that_is_offline_why_nothing_happens() -> None:
    boards = [board("A", state, detail="so", online=False) for state in (State.WAIT, State.HELD, State.TRIAL)]
    shown = update_out(view(Phase.GOING, *boards, board("B", State.HELD, detail="so"))).boards
    assert [(b.detail, b.online) for b in shown] == [
        ("offline", False), ("offline", False), ("so", False), ("so", True),
    ]  # fmt: skip


def test_of_many_appliances_those_that_matter_are_shown_in_the_order_of_all() -> None:
    many = [board(f"{n}", State.UPDATED if n < 20 else State.WAIT) for n in range(40)]
    many[30] = board("30", State.LOADING)
    many[2] = board("2", State.HELD)
    shown = [b.name for b in view(Phase.GOING, *many).shown]
    assert len(shown) == update_view.ROWS_SHOWN
    assert shown[:2] == ["2", "20"]
    assert "30" in shown
