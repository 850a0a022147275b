"""Forged and replayed messages of boards, through a gateway's ingest into a database that must not notice them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.wire import topics
from tools.forgery_draw import ROLES, Draw, Forger, Genuine
from tools.forgery_house import BOARD, NEIGHBOUR, REVOKED, UNKNOWN, Board, House, house
from tools.forgery_tally import Tally

__all__ = ["KINDS", "run"]

KINDS: Final = {"frame": "up", "birth": "birth", "state": "state", "crash": "crash", "want": "want"}
"""What boards say, and in which role."""

_BOOTS: Final = range(1, 6)
_SEQS: Final = range(1, 25)
_TOGETHER: Final = 200
_DEAD: Final = "dead_letters"
_WANTS: Final = "wants_refused"
_REPEATED: Final = {
    "frame": "frames_duplicate",
    "birth": "births_repeated",
    "state": "states_outdated",
    "crash": "crashes_repeated",
}


class _Seen:
    """What went over the broker so far. `genuine`: what was said; `held`: what was made, and never arrived."""

    def __init__(self, dice: random.Random) -> None:
        keys = {device: dice.randbytes(32) for device in (BOARD, NEIGHBOUR, REVOKED, UNKNOWN)}
        self.boards = {device: Board(device, key) for device, key in keys.items()}
        self.board = self.boards[BOARD]
        board = self.board
        starts = (3, 1, 0, 2, 0, 1, 0)
        self.genuine: dict[str, list[Genuine]] = {
            "birth": [board.birth(boot) for boot in _BOOTS],
            "up": [board.frame(boot, seq) for boot in _BOOTS for seq in _SEQS],
            "state": [board.items("state", boot, 1) for boot in _BOOTS],
            "crash": [board.items("crash", boot, 3, 4096, 1, list(starts), b"no memory") for boot in (2, 3)],
            "want": [],
        }
        last = _BOOTS[-1]
        self.held: dict[str, list[Genuine]] = {
            "birth": [board.birth(last + n) for n in (1, 2)],
            "up": [board.frame(last, _SEQS[-1] + n) for n in range(1, 13)],
            "state": [board.items("state", last + 1, online) for online in (0, 2)],
            "crash": [board.items("crash", last, 1, 2048, 2, list(starts), b"a crash that is not told")],
            "want": [],
        }
        # The same of other boards, and what the gateway says: all of it can be said again to somebody else.
        self.strangers = {
            role: [
                Genuine(other.device, role, other.say(role, message.payload).sealed)
                for other in list(self.boards.values())[1:]
                for message in (*self.genuine[role][-4:], *self.held[role])
            ]
            for role in self.genuine
        }
        self.downlink = [
            board.items("ack", 1_780_000_000, 30, [last, 3]),
            board.items("cmd", 4, 1_780_000_999, "live", [60]),
            board.items("update", 0),
        ]

    def ordered(self, sequence: int) -> None:
        """An update of this number is on its way: what the board says of it."""
        for boards, said in (([self.board], self.held), (list(self.boards.values())[1:], self.strangers)):
            said["want"] = [
                message
                for board in boards
                for message in (
                    board.items("want", 5, sequence, ""),
                    board.items("want", 1, sequence, 0, 0),
                    board.items("want", 7, sequence, "flash"),
                )
            ]

    def forger(self, kind: str, dice: random.Random) -> Forger:
        """Who forges messages of this kind."""
        role = KINDS[kind]
        others = [
            message for said in (self.genuine, self.held) for name in said if name != role for message in said[name]
        ]
        places = [(BOARD, other) for other in ROLES if other != role]
        places += [(device, role) for device in (NEIGHBOUR, REVOKED, UNKNOWN, BOARD.upper(), BOARD[:-1], "+")]
        places += [(BOARD, odd) for odd in (f"{role}/x", role.upper(), f"{role}\n", "")]
        own = [*self.genuine[role][-30:], *self.held[role]]
        return Forger(dice, own, [*others, *self.downlink], self.strangers[role], places, self.board.key)


async def run(
    kinds: Sequence[str], mutations: int, replays: int, seed: int, folder: Path, told: Callable[[str, int], None]
) -> list[Tally]:
    """A tally for each of the kinds. folder: for the database. told: is called with the kind and how many were said."""
    seen = _Seen(random.Random(f"{seed} keys"))
    boards = [board for board in seen.boards.values() if board.device != UNKNOWN]
    tallies = []
    async with house(folder / "house.sqlite", boards) as home:
        for role in ("birth", "up", "state", "crash"):
            await _say(home, seen.genuine[role])
        seen.ordered(await home.order(BOARD))
        for kind in kinds:
            dice = random.Random(f"{seed} {kind}")
            tally = Tally(kind)
            began = time.monotonic()
            await _forge(home, seen, tally, seen.forger(kind, dice), mutations, told)
            if kind in _REPEATED:
                await _replay(home, seen, tally, dice, replays)
            await _control(home, seen, tally)
            tally.seconds = time.monotonic() - began
            tallies.append(tally)
    return tallies


async def _say(home: House, messages: Sequence[Genuine]) -> None:
    await home.hear([(topics.topic(m.device, m.role), m.sealed) for m in messages])


async def _refused(home: House, draws: Sequence[Draw]) -> Counter[str]:
    """Says forgeries; what the counters of refused messages gained, by reason."""
    before = await home.counters()
    await home.hear([(topics.topic(d.device, d.role), d.message) for d in draws])
    gained = await home.counters() - before
    return Counter({name: n for name, n in gained.items() if name.startswith(f"{_DEAD}.") or name == _WANTS})


async def _forge(
    home: House, seen: _Seen, tally: Tally, forger: Forger, mutations: int, told: Callable[[str, int], None]
) -> None:
    state = await home.state()
    home.told(seen.board)
    while tally.mutations < mutations:
        batch = [forger.draw() for _ in range(min(_TOGETHER, mutations - tally.mutations))]
        reasons = await _refused(home, batch)
        tally.mutations += len(batch)
        tally.counted += reasons.total()
        tally.reasons.update({name.removeprefix(f"{_DEAD}."): n for name, n in reasons.items()})
        after, said = await home.state(), home.told(seen.board)
        if after != state or said or reasons.total() != len(batch):
            await _look(home, tally, batch, said)
            state = await home.state()
            home.told(seen.board)
        told(tally.kind, tally.mutations)
    tally.again, tally.ways = forger.again, forger.drawn


async def _look(home: House, tally: Tally, batch: Sequence[Draw], said: Sequence[str]) -> None:
    """Something of a batch was taken, or not counted: each is said again alone, to find which."""
    found = tally.accepted
    for draw in batch:
        if (await _refused(home, [draw])).total() != 1:
            tally.accept(f"{draw.way} on {draw.device}/{draw.role!r}: {draw.message.hex()}")
    if tally.accepted == found:
        tally.accept(f"one of {len(batch)} changed what is stored, or was answered: {', '.join(said)}")


async def _replay(home: House, seen: _Seen, tally: Tally, dice: random.Random, replays: int) -> None:
    """Messages that were taken before, in any order; nothing may come of them but that they are counted."""
    name = _REPEATED[tally.kind]
    among = seen.genuine[KINDS[tally.kind]]
    if tally.kind == "state":
        among = among[:-1]  # what the board last said of itself is what it is: it may be said at any time
    state = await home.state()
    home.told(seen.board)
    while tally.replays < replays:
        batch = [dice.choice(among) for _ in range(min(_TOGETHER, replays - tally.replays))]
        before = await home.counters()
        await _say(home, batch)
        gained = await home.counters() - before
        tally.replays += len(batch)
        tally.replays_counted += gained[name]
        tally.reasons[name] += gained[name]
        after, said = await home.state(), home.told(seen.board)
        if gained[name] != len(batch):
            tally.miss(f"{len(batch) - gained[name]} of {len(batch)} replays were not counted")
        if after != state or said:
            tally.accept(f"a replay changed what is stored, or was answered: {', '.join(said)}")
            state = after


async def _control(home: House, seen: _Seen, tally: Tally) -> None:
    """A genuine message that nobody has heard yet is taken: what was refused was not refused because nothing works."""
    role = KINDS[tally.kind]
    state, refused = await home.state(), await home.counters()
    await _say(home, seen.held[role][:1])
    gained = await home.counters() - refused
    tally.control = await home.state() != state and not gained[_DEAD] and not gained[_WANTS]
    seen.genuine[role].append(seen.held[role].pop(0))
