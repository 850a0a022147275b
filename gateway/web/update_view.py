"""What the home page and the API show of an update, in words for a household. Runs in the store's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.store import devices, updates
from gateway.store.database import Database
from gateway.update.rollout import BAD, DONE, Phase, State, may_go, phase
from gateway.update.version import Anyway
from gateway.web import words

__all__ = ["BoardView", "UpdateView", "about", "away", "plan", "read", "said", "title", "worth_showing"]

ROWS_SHOWN = 12
_SHOWN_MS = 86_400_000  # for so long after its end
_TROUBLE_SHOWN_MS = 7 * _SHOWN_MS
_NAMED = 2  # more than these are a number
# What a household wants to see first, if not all fit.
_FIRST = (
    State.ROLLED_BACK, State.FAILED, State.TRIAL, State.LOADING, State.HELD, State.ASK, State.WAIT, State.UPDATED,
    State.CURRENT, State.STOPPED,
)  # fmt: skip


_OPEN = (State.WAIT, State.LOADING, State.HELD)
"""Nobody has started it there yet, so a person can still keep it from beginning."""
_SAID = {
    State.HELD: "waits: {}",
    State.TRIAL: "tries it out",
    State.UPDATED: "is updated",
    State.CURRENT: "had it already",
    State.ROLLED_BACK: "went back to what it had: {}",
    State.FAILED: "did not take it: {}",
    State.STOPPED: "stays as it is",
}


@dataclass(frozen=True, slots=True)
class BoardView:
    """How far one board is. `stage` is an index in STAGES; `runs`: the version that it last said it has; `percent`: of
    what it has to fetch, None before that is known; `turn`: it is being served."""

    device: str
    name: str
    stage: int
    state: State
    detail: str
    runs: str | None
    percent: int | None
    online: bool
    turn: bool
    changed_ms: int


@dataclass(frozen=True, slots=True)
class UpdateView:
    """The last update that was ordered. `firmware`: the version that it brings, None where no image of it was made."""

    phase: Phase
    firmware: str | None
    boards: tuple[BoardView, ...]

    @property
    def changed_ms(self) -> int:
        """When something of it last changed; 0 where nothing was ordered."""
        return max((board.changed_ms for board in self.boards), default=0)

    @property
    def can_stop(self) -> bool:
        """Whether a person can still keep a board from beginning."""
        return self.phase is Phase.GOING and any(board.state in _OPEN for board in self.boards)

    @property
    def shown(self) -> tuple[BoardView, ...]:
        """Of many boards those that matter most, in the order of all."""
        first = sorted(self.boards, key=lambda board: _FIRST.index(board.state))[:ROWS_SHOWN]
        return tuple(board for board in self.boards if board in first)


def read(db: Database) -> UpdateView:
    """Read it."""
    rows = updates.rows(db)
    if not rows:
        return UpdateView(Phase.NONE, None, ())
    known = devices.registry(db)
    online = {device for device, board in known.items() if board.online}
    turn = may_go({device: row.place for device, row in rows.items()}, online)
    boards = []
    for device, row in rows.items():
        birth = devices.newest_birth(db, known[device].id)
        boards.append(
            BoardView(
                device,
                row.name,
                row.stage,
                row.state,
                row.detail,
                None if birth is None else birth.firmware,
                100 * row.done // row.size if row.size else None,
                known[device].online,
                device in turn,
                row.changed_ms,
            )
        )
    return UpdateView(phase(row.state for row in rows.values()), updates.firmware(db), tuple(boards))


def worth_showing(view: UpdateView, now_ms: int) -> bool:
    """Whether the home page shows it: until it is over, and some time after."""
    since_ms = now_ms - view.changed_ms
    if view.phase is Phase.HALTED:
        return since_ms < _TROUBLE_SHOWN_MS
    return view.phase in (Phase.ASKS, Phase.GOING) or (view.phase is not Phase.NONE and since_ms < _SHOWN_MS)


def title(view: UpdateView) -> str:
    """It in a line."""
    whom = view.boards[0].name if len(view.boards) == 1 else "your appliances"
    if view.phase is Phase.ASKS:
        return f"New software for {whom}"
    if view.phase is Phase.GOING:
        return f"New software goes to {whom}"
    if view.phase is Phase.HALTED:
        bad = next(board for board in view.boards if board.state in BAD)
        return f"The update was halted at {bad.name}"
    if view.phase is Phase.DONE:
        return f"The update is done: {_count(view.boards, DONE)} of {len(view.boards)}"
    return "The update was called off"


def about(view: UpdateView) -> str:
    """What that means for the household."""
    n, done = len(view.boards), _count(view.boards, DONE)
    version = f"Version {view.firmware}" if view.firmware else "A new version"
    if view.phase is Phase.ASKS:
        return f"{version} is ready for {words.plural(n, 'appliance')}. Nothing happens until you say yes."
    if view.phase is Phase.GOING:
        return f"{version}: {done} of {n} done. This goes on by itself, also when you close this page."
    if view.phase is Phase.HALTED:
        bad = next(board for board in view.boards if board.state in BAD)
        now = "works again with what it had" if bad.state is State.ROLLED_BACK else "did not take it"
        others = " No other appliance is begun." if n > 1 else ""
        return f"{bad.name} {now}.{others} To try again: `hearthgate update{_insisting(bad)}`."
    if view.phase is Phase.DONE:
        return f"{version} is what {'it has' if n == 1 else 'they all have'} now."
    left = f"{done} of {n} were done before; the others keep" if done else "Your appliances keep"
    return f"{left} the software that they have. To be offered it again: `hearthgate update`."


def _insisting(bad: BoardView) -> str:
    """What has to be said beside, so that a board is given the same firmware once more."""
    if bad.state is State.ROLLED_BACK:
        return f" --{Anyway.AGAIN}"
    return next((f" --{anyway}" for anyway in Anyway if f" --{anyway}`" in bad.detail), "")  # as `refusal` names it


def plan(view: UpdateView) -> list[str]:
    """What happens on a yes, a sentence a step."""
    stages = [[board.name for board in view.boards if board.stage == stage] for stage in range(3)]
    steps = []
    if len(view.boards) > 1:
        first, few, others = stages
        one_of_each = "One appliance of each kind"
        steps.append(f"{_names(first, one_of_each)} first{', then a few more' if few and others else ''}")
        if last := others or few:
            steps[0] += f", then {_names(last, 'the others')}"
        steps[0] += "."
    steps.append("Each fetches it while it works as ever, and then starts anew: for some seconds it measures nothing.")
    whole = "Then no other is begun." if len(view.boards) > 1 else ""
    steps.append(f"It tries the new version out. If that does not work, it goes back to what it had by itself. {whole}")
    steps.append("A kettle that heats waits until it is done, and what runs on a low battery until it is charged.")
    return [step.strip() for step in steps]


def _names(names: Sequence[str], many: str) -> str:
    return " and ".join(names) if len(names) <= _NAMED else many


def away(board: BoardView) -> bool:
    """Whether it is its being offline that keeps it from going on."""
    return not board.online and board.state in _OPEN


def said(board: BoardView, view: UpdateView) -> str:
    """How far one board is, in a few words."""
    if board.state is State.ASK:
        return _asked(board, view.firmware)
    if view.phase is Phase.HALTED and board.state in _OPEN:
        return "not begun" if board.state is State.WAIT else "not finished: it keeps what it had"
    if away(board):
        done = f"fetched {board.percent or 0} %; " if board.state is State.LOADING else ""
        return f"{done}offline: it is asked when it is back"
    if board.state is State.WAIT:
        return "is asked what it has" if board.turn else "waits for its turn"
    if board.state is State.LOADING:
        return f"fetches it: {board.percent or 0} %"
    return _SAID[board.state].format(board.detail)


def _asked(board: BoardView, firmware: str | None) -> str:
    if board.runs is None or firmware is None:
        change = "has not said what it has"
    else:
        change = f"has {firmware} already" if board.runs == firmware else f"from {board.runs} to {firmware}"
    return change if board.online else f"{change}; offline now"


def _count(boards: Sequence[BoardView], states: frozenset[State]) -> int:
    return sum(board.state in states for board in boards)
