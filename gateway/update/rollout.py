"""Which board is updated when: one, then a few, then all; and nothing more once one of them did not keep its update."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["BAD", "DONE", "STAGES", "Phase", "Place", "State", "may_go", "phase", "places", "stopped"]

STAGES: Final = ("one", "few", "all")
_FEW: Final = 3
_FEW_OF_A_HUNDRED: Final = 10
AT_ONCE: Final = 4
"""So many boards are served at a time: each has a piece on its way, and restarts while the others measure."""


class State(StrEnum):
    """How far a board is."""

    ASK = "ask"  # the household has to say yes first
    WAIT = "wait"  # for its turn, or until it is heard
    LOADING = "loading"
    HELD = "held"  # it waits itself: its detail says for what
    TRIAL = "trial"  # it was started, and has to prove itself
    UPDATED = "updated"
    CURRENT = "current"  # it had it already
    ROLLED_BACK = "rolled back"
    FAILED = "failed"  # its detail says why
    STOPPED = "stopped"  # a person did not want it any more


DONE: Final = frozenset({State.UPDATED, State.CURRENT})
BAD: Final = frozenset({State.ROLLED_BACK, State.FAILED})
_OVER: Final = DONE | BAD | {State.STOPPED}


class Phase(StrEnum):
    """How a rollout stands as a whole."""

    NONE = "none"  # nothing was ordered
    ASKS = "asks"  # the household has to say yes first
    GOING = "going"
    HALTED = "halted"  # a board did not keep it: nothing more begins
    STOPPED = "stopped"  # a person did not want it, or not more of it
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Place:
    """A board in a rollout; `stage` is an index in STAGES."""

    device: str
    stage: int
    state: State


def places(boards: Sequence[tuple[str, str, bool]], stage: str) -> dict[str, int]:
    """Device -> index in STAGES, of those that a rollout up to `stage` reaches.

    boards: (device, what it is, whether it is online). Of each kind of board one goes first, one that is online if any
    is: what is wrong with a kind's firmware shows on it.
    """
    order = sorted(boards, key=lambda board: not board[2])
    seen: dict[str, int] = {}
    size: dict[str, int] = {}
    for _, kind, _ in order:
        size[kind] = size.get(kind, 0) + 1
    found = {}
    for device, kind, _ in order:
        nth = seen.get(kind, 0)
        seen[kind] = nth + 1
        few = max(_FEW, size[kind] * _FEW_OF_A_HUNDRED // 100)
        found[device] = 0 if nth == 0 else 1 if nth <= few else 2
    return {device: at for device, at in found.items() if at <= STAGES.index(stage)}


def stopped(states: Iterable[State]) -> bool:
    """Whether nothing new begins any more."""
    return any(state in BAD for state in states)


def phase(states: Iterable[State]) -> Phase:
    """How boards in these states stand together."""
    found = set(states)
    if not found:
        return Phase.NONE
    if State.ASK in found:
        return Phase.ASKS
    if stopped(found):
        return Phase.HALTED
    if found - _OVER:
        return Phase.GOING
    return Phase.STOPPED if State.STOPPED in found else Phase.DONE


def may_go(rollout: Mapping[str, Place], online: Collection[str]) -> list[str]:
    """The devices whose turn it is, in the order of stages: those that are at it, and those that may begin.

    online: the devices that are. One that is not keeps no other from its turn, and is asked when it is back; but the
    first stage lasts until one board has truly taken it, and while a board of it is open, only one beyond it begins at
    a time: it may be the first of its kind. A board on trial counts as one that is here: it restarts.
    """
    at_it = [p.device for p in rollout.values() if p.state in (State.LOADING, State.HELD, State.TRIAL)]
    if stopped(p.state for p in rollout.values()):
        # What is on its way may end; what is being loaded is not started on a second board.
        return [device for device in at_it if rollout[device].state is State.TRIAL]
    open_ = [p for p in rollout.values() if p.state not in _OVER]
    here = [p for p in open_ if p.device in online or p.state is State.TRIAL]
    if not here:
        return at_it
    tried = any(p.state in DONE for p in rollout.values())
    stage = min(p.stage for p in (here if tried else open_))
    at_once = 1 if stage and any(not p.stage for p in open_) else AT_ONCE
    busy = sum(p.state in (State.LOADING, State.TRIAL) for p in here)
    waiting = [p.device for p in here if p.stage == stage and p.state is State.WAIT]
    return [*at_it, *waiting[: max(0, at_once - busy)]]
