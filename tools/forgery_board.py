"""Forged and replayed messages of a gateway, told to a board: the firmware's link and update on real MicroPython."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.update.manifest import LAST, Component, Manifest, components, encode_chunk, encode_manifest
from gateway.wire import topics
from gateway.wire.cose import seal
from gateway.wire.downlink import encode_ack, encode_command
from tools import onboard
from tools.board_folder import ROOT, find_micropython
from tools.forgery_draw import ROLES, Forger, Genuine
from tools.forgery_house import BOARD, NEIGHBOUR, Board
from tools.forgery_tally import Tally

__all__ = ["KINDS", "run"]

KINDS: Final = {"command": "cmd", "ack": "ack", "manifest": "update"}
"""What the gateway says, and in which role."""

_PROGRAM: Final = Path(__file__).parent / "mpy" / "forged_board.py"
_HEAP: Final = "128k"
_BOOT: Final = 7
_START_S: Final = 1_780_000_000
_HOUR_S: Final = 3600
_NUMBER: Final = 1_779_000_000  # of the newest update that the board has started
_ACKS: Final = 13
_COMMANDS: Final = 8
_RETAINED: Final = 0.2
_TOLD_EVERY: Final = 200
_FILES: Final = {"link.mpy": b"l" * 1500, "main.py": b"m" * 100, LAST: b'{"board": "fridge-sim"}'}


_Told = Callable[[str, int], None]


class _Ended(Exception):
    """A board ended, with its last words: what it was told must not do that."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the board says after a message: how many it has refused by now, how often it answered, what it is."""

    refused: int
    said: int
    state: str


class _Process:
    """A board, and its end of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a board is spoken to through pipes")
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self.klass = bytes.fromhex(self._heard()).decode()

    def order(self, line: str) -> None:
        """Tell it a line that has no answer."""
        self._to.write(line + "\n")

    def say(self, message: Genuine, *, retained: bool = False) -> _Answer:
        """Deliver a message on its topic."""
        return self.deliver(message.device, message.role, message.sealed, retained=retained)

    def deliver(self, device: str, role: str, message: bytes, *, retained: bool) -> _Answer:
        """Deliver any bytes on any topic."""
        topic = topics.topic(device, role).encode().hex()
        self.order(f"say {topic} {int(retained)} {message.hex() or '-'}")
        refused, said, state = self._heard().split(" ")
        return _Answer(int(refused), int(said), state)

    def look(self) -> tuple[Counter[str], str]:
        """How often it refused for which reason, and all that is on it."""
        self.order("look")
        reasons, whole = self._heard().split(" ")
        return Counter(json.loads(reasons)), whole

    def _heard(self) -> str:
        with contextlib.suppress(BrokenPipeError):  # it says below why it ended
            self._to.flush()
        last = ""
        for line in self._from:
            if line.startswith("= "):
                return line[2:].rstrip()
            last = line
        said = self._process.stderr.read() if self._process.stderr else ""
        raise _Ended(f"the board ended: {last}{said[-600:]}")


@contextmanager
def _board(folder: Path, key: bytes) -> Iterator[_Process]:
    command = [find_micropython(), "-X", f"heapsize={_HEAP}", str(_PROGRAM), str(onboard.FIRMWARE),
               str(ROOT / "boards" / "sim"), str(folder / "flash"), key.hex()]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=folder) as process:
        try:
            yield _Process(process)
        finally:
            process.kill()
    (folder / "flash").unlink()


class _Seen:
    """What a gateway said to the board. `genuine`: what arrived, in order. `held`: what it would obey now, and never
    got. `stale`: under the right MAC, and not to be obeyed: out of date, or not for this board."""

    def __init__(self, dice: random.Random, klass: str, key: bytes) -> None:
        self.key = key
        self.neighbour = Board(NEIGHBOUR, dice.randbytes(32))
        wait_s = (30, 120, 600, 1)
        now_s = _START_S + _HOUR_S
        last = 2 * _ACKS
        self.genuine = {
            "ack": [self._ack(2 * n, _START_S + 5 * n, wait_s[n % 4]) for n in range(1, _ACKS)]
            + [self._ack(last, _START_S + 5 * _ACKS, 1)],
            "cmd": [self._command(n, _START_S + 2 * _HOUR_S) for n in range(1, _COMMANDS + 1)],
            "update": [self._manifest(_NUMBER - n, klass, "b") for n in range(4)],
        }
        self.held = {
            "ack": [self._ack(last + n, now_s + 86_400 * n, 600) for n in (6, 5, 3)],
            "cmd": [self._command(_COMMANDS + n, now_s + _HOUR_S) for n in (1, 2, 9)],
            "update": [self._manifest(_NUMBER + n, klass, "b") for n in (1, 2, 50)],
        }
        other = f"kettle-sim {klass.split()[1]}"
        self.stale: dict[str, list[Genuine]] = {
            "ack": [],
            "cmd": [self._command(_COMMANDS + n, now_s - 5 * n) for n in range(1, 9)],
            "update": [
                self._manifest(_NUMBER + 1, other, "b"),
                self._manifest(_NUMBER + 1, f"{klass}1", "b"),
                self._manifest(_NUMBER + 1, klass, "a"),
                *(self._say("update", encode_chunk(_NUMBER - n, 0, 0, _FILES["link.mpy"])) for n in range(2)),
            ],
        }
        board = Board(BOARD, key)
        self.uplink = [
            board.birth(_BOOT), board.frame(_BOOT, 3), board.frame(_BOOT, 4), board.items("state", _BOOT, 1),
            board.items("want", 1, _NUMBER, 0, 0),
        ]  # fmt: skip

    def _say(self, role: str, payload: bytes) -> Genuine:
        return Genuine(BOARD, role, seal(self.key, role, payload))

    def _ack(self, upto: int, time_s: int, wait_s: int, *more: tuple[int, int]) -> Genuine:
        return self._say("ack", encode_ack([(_BOOT, upto), *more], time_s=time_s, wait_s=wait_s))

    def _command(self, counter: int, expiry_s: int) -> Genuine:
        return self._say("cmd", encode_command(counter, expiry_s, "live", [60]))

    def _manifest(self, number: int, klass: str, slot: str) -> Genuine:
        files: tuple[Component, ...] = components(_FILES)
        return self._say("update", encode_manifest(Manifest(number, klass, slot, files)))

    def restarted(self) -> Genuine:
        """The first ack after a restart, when two frames of the next boot were sent."""
        marks = [(_BOOT + 1, 2), (_BOOT, 2 * _ACKS)]
        return self._say("ack", encode_ack(marks, time_s=_START_S + _HOUR_S + 60, wait_s=1))

    def live(self, board: _Process) -> None:
        """The board's life so far: its frames were acked but for the last six, commands done, an update has stayed."""
        for n, ack in enumerate(self.genuine["ack"]):
            board.order("seal 2")
            board.say(ack)
            if n == 0:
                for command in self.genuine["cmd"]:
                    board.say(command)
            board.order("pass 5000")
        board.order(f"slot {_NUMBER}")
        board.order(f"pass {_HOUR_S * 1000}")
        board.order("seal 6")

    def forger(self, role: str, dice: random.Random) -> Forger:
        """Who forges messages in this role."""
        others = [m for said in (self.genuine, self.held) for name in said if name != role for m in said[name]]
        strangers = [
            Genuine(NEIGHBOUR, role, self.neighbour.say(role, m.payload).sealed)
            for m in (*self.genuine[role][-4:], *self.held[role])
        ]
        places = [(BOARD, other) for other in (*ROLES, "", "x") if other != role]
        own = [*self.genuine[role], *self.held[role]]
        return Forger(dice, own, [*others, *self.uplink], strangers, places, self.key)

    def replay(self, role: str, dice: random.Random) -> tuple[Genuine, bool]:
        """Something to play again, and whether the broker says that it kept it."""
        if role == "ack":
            return dice.choice(self.genuine[role]), dice.random() < _RETAINED
        if dice.random() < _RETAINED:
            return dice.choice([*self.genuine[role], *self.held[role], *self.stale[role]]), True
        return dice.choice([*self.genuine[role], *self.stale[role]]), False


def run(kinds: Sequence[str], mutations: int, replays: int, seed: int, folder: Path, told: _Told) -> list[Tally]:
    """A tally for each of the kinds, each on a board of its own. folder: for its flash. told: is called with the kind
    and how many were said. Raises BoardError where there is no MicroPython."""
    tallies = []
    for kind in kinds:
        dice = random.Random(f"{seed} {kind}")
        key = dice.randbytes(32)
        tally = Tally(kind)
        began = time.monotonic()
        try:
            with _board(folder, key) as board:
                _try(board, _Seen(dice, board.klass, key), tally, dice, mutations, replays, told)
        except _Ended as why:
            tally.accept(str(why))
        tally.seconds = time.monotonic() - began
        tallies.append(tally)
    return tallies


def _try(
    board: _Process, seen: _Seen, tally: Tally, dice: random.Random, mutations: int, replays: int, told: _Told
) -> None:
    role = KINDS[tally.kind]
    seen.live(board)
    reasons, whole = board.look()
    if reasons:
        tally.miss(f"the board refused genuine messages: {dict(reasons)}")
        return
    _forge(board, seen.forger(role, dice), tally, mutations, told)
    _replay(board, seen, role, tally, dice, replays // 2)
    _unchanged(board, tally, whole)
    # Once more after a restart: what a board keeps of what it has heard has to outlive that.
    board.order("start")
    board.order("seal 2")
    board.say(seen.restarted())
    _, whole = board.look()
    _replay(board, seen, role, tally, dice, replays - replays // 2)
    _unchanged(board, tally, whole)
    tally.reasons, _ = board.look()
    _control(board, seen, role, tally)


def _forge(board: _Process, forger: Forger, tally: Tally, mutations: int, told: _Told) -> None:
    before = _now(board)
    while tally.mutations < mutations:
        draw = forger.draw()
        retained = forger.dice.random() < _RETAINED
        after = board.deliver(draw.device, draw.role, draw.message, retained=retained)
        tally.mutations += 1
        case = f"{draw.way} on {draw.role!r}{' retained' * retained}: {draw.message.hex()}"
        tally.counted += _judge(tally, before, after, case, answers=False)
        before = after
        if tally.mutations % _TOLD_EVERY == 0:
            told(tally.kind, tally.mutations)
    tally.again, tally.ways = forger.again, forger.drawn


def _replay(board: _Process, seen: _Seen, role: str, tally: Tally, dice: random.Random, replays: int) -> None:
    before = _now(board)
    for _ in range(replays):
        message, retained = seen.replay(role, dice)
        after = board.say(message, retained=retained)
        tally.replays += 1
        case = f"replayed{' retained' * retained}: {message.sealed.hex()}"
        # That a board says why it does not do an update again is no harm.
        tally.replays_counted += _judge(tally, before, after, case, answers=role == "update")
        before = after


def _judge(tally: Tally, before: _Answer, after: _Answer, case: str, *, answers: bool) -> int:
    """Notes what a message did. Returns 1 if it was counted, once."""
    if after.state != before.state or (after.said and not answers):
        tally.accept(f"{case}\n  was {before.state}\n  is  {after.state}, and it said {after.said}")
    elif after.refused != before.refused + 1:
        tally.miss(f"not counted: {case}")
    return int(after.refused == before.refused + 1)


def _now(board: _Process) -> _Answer:
    """What the board is, by a message that is none: it is refused, and not one of those that are counted here."""
    return board.deliver(BOARD, "none", b"", retained=False)


def _unchanged(board: _Process, tally: Tally, whole: str) -> None:
    _, now = board.look()
    if now != whole:
        tally.accept(f"what is on flash or in the journal has changed\n  was {whole}\n  is  {now}")


def _control(board: _Process, seen: _Seen, role: str, tally: Tally) -> None:
    """A genuine message that the board has not heard yet is obeyed, also by the board that was told all that."""
    before = _now(board)
    after = board.say(seen.held[role][0])
    tally.control = after.refused == before.refused and after.state != before.state
