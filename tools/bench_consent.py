"""What consent costs: the decision over a thousand grants, and the whole way out beside one that asks nobody."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from unittest.mock import patch

from gateway.consent import register
from gateway.consent.decide import GrantIndex, Reading, Reason, decide, decide_runs
from gateway.consent.grants import Grant, Hours
from gateway.consent.vocabulary import Granularity
from gateway.forward.outbox import Outbox
from gateway.forward.queue import SinkQueue
from gateway.forward.sharing import Series
from gateway.store.reader import StoredFrame
from tools.bench import Figure
from tools.consent_house import Board, House

GRANTS = 1000
ROWS = 60
STEP_MS = 10_000
FRAMES = 300
PAIRS = 9
_NOW_MS = 1_780_000_000_000
_DAY_MS = 86_400_000
_DEVICE = "a0b1c2d3e4f5"
_ABOUT = ("manufacturer", "service")
_ASKED = ("temperature", "door", "stock")


def grants() -> list[Grant]:
    """A thousand: three under which a fridge's readings leave, one of them in some hours only; others that speak of the
    same and were taken back; and those of a household that shares much with many."""
    rng = random.Random(4)
    given = [
        _grant(n, category, hours=Hours(0, 1430, "Europe/Berlin") if category == "stock" else None)
        for n, category in enumerate(_ASKED)
    ]
    for n in range(3, GRANTS):
        category = rng.choice(["energy", "use", *_ASKED])
        if n % 10 == 0:
            given.append(_grant(n, category, granularity=Granularity.HOUR).revoked(_NOW_MS))
        else:
            recipient, purpose = rng.choice(["operator", "brand", "community"]), rng.choice(["research", "restocking"])
            given.append(_grant(n, category, recipient, purpose))
    return given


def _grant(n: int, category: str, recipient: str = _ABOUT[0], purpose: str = _ABOUT[1], **fields: object) -> Grant:
    about: dict[str, object] = {
        "granularity": Granularity.RAW, "hours": None, "start_ms": _NOW_MS - _DAY_MS,
        "expiry_ms": _NOW_MS + 365 * _DAY_MS,
    }  # fmt: skip
    return Grant(
        id=f"g-{n:016x}", subject="Robin", devices=("*",), category=category, recipient=recipient, purpose=purpose,
        text="I agree.", language="en", created_ms=_NOW_MS, **(about | fields),  # type: ignore[arg-type]
    )  # fmt: skip


def deciding() -> Figure:
    """Microseconds a reading, asked for by the frame as the way out does; beside every grant asked for each reading."""
    given = grants()
    index = GrantIndex(given)
    now_ms = _NOW_MS + _DAY_MS

    def by_frame(frames: int) -> int:
        asked = 0
        for number in range(frames):
            first_ms = _NOW_MS + number * ROWS * STEP_MS
            times = range(first_ms, first_ms + ROWS * STEP_MS, STEP_MS)
            for category in _ASKED:
                candidates = index.candidates(*_ABOUT, category, _DEVICE)
                for _ in decide_runs(_DEVICE, category, times, *_ABOUT, candidates, now_ms, is_event=False):
                    pass
                asked += len(times)
        return asked

    def one_by_one(frames: int) -> int:
        for row in range(frames):
            for category in _ASKED:
                decide(Reading(_DEVICE, category, _NOW_MS + row * STEP_MS, is_event=False), *_ABOUT, given, now_ms)
        return frames * len(_ASKED)

    by_frame(10)
    fast = statistics.median(_us_each(lambda: by_frame(200)) for _ in range(7))
    slow = statistics.median(_us_each(lambda: one_by_one(50)) for _ in range(7))
    return Figure("consent.decide_us_per_reading", fast, "us", "every grant asked for each reading", slow, "under 20")


def _us_each(work: Callable[[], int]) -> float:
    began = time.process_time()
    n = work()
    return (time.process_time() - began) * 1e6 / n


def unasked(given: Grant) -> Callable[..., Iterator[Series]]:
    """In the place of `share`: every reading leaves, and nobody is asked."""

    def share(
        frame: StoredFrame, _recipient: str, _purposes: Sequence[str], _grants: GrantIndex, _now_ms: int,
        _withheld: Counter[Reason],
    ) -> Iterator[Series]:  # fmt: skip
        body, begins_ms = frame.frame, frame.time_ms or 0
        for (index, channel), column in zip(frame.birth.series, body.columns, strict=True):
            values = [value for value in column if value is not None]
            yield Series(frame, index, channel, given, 0, begins_ms, body.step_ms, frame.label, False, values)  # noqa: FBT003

    return share


class _Way:
    """One household's way out, with consent or without."""

    def __init__(self, folder: Path, *, asks: bool) -> None:
        folder.mkdir()
        self.house = House(folder, _NOW_MS, careless=False)
        self.board: Board = self.house.board(_DEVICE)
        self.queue: SinkQueue = self.house.queue("maker", _ABOUT[0], _ABOUT[1:])
        given = grants()
        register.give(self.house.db, given)
        for it in given:
            if it.revoked_ms is not None:
                register.take_back(self.house.db, it.id, _NOW_MS)
        self.house.receive([self.board.birth()])
        self._instead: list[AbstractContextManager[object]] = [] if asks else [
            patch("gateway.forward.fill.share", unasked(given[0])),
            patch.object(Outbox, "_refusal", lambda *_: None),
            patch.object(Outbox, "_disclose", lambda *_: 0),
        ]  # fmt: skip

    def receive(self, first: int) -> None:
        """Ten minutes of rows a frame."""
        messages = []
        for seq in range(first, first + FRAMES):
            at_ms = (seq - 1) * ROWS * STEP_MS
            rows = [[200 + (seq + i) % 50, 0, 1500 + i % 3] for i in range(ROWS)]
            messages.append(self.board.rows(1, seq, (_NOW_MS + at_ms) // 1000, at_ms, STEP_MS, rows))
        self.house.now_ms = _NOW_MS + (first + FRAMES) * ROWS * STEP_MS
        self.house.receive(messages)

    def forward(self) -> tuple[float, int]:
        """(seconds, events): all that has come is decided on, taken and delivered."""
        with ExitStack() as instead:
            for it in self._instead:
                instead.enter_context(it)
            events, began = 0, time.process_time()
            more = True
            while more:
                more = self.queue.fill()
                while batch := self.queue.take():
                    self.queue.delivered(batch)
                    events += len(batch)
            return time.process_time() - began, events


def forwarding() -> Figure:
    """Seconds for ten thousand frames' readings, ledger and disclosures included; beside a way out that asks nobody.

    The machine is noisy, so both go turn by turn, and the ratio is that of their medians."""
    with tempfile.TemporaryDirectory() as folder:
        asking, not_asking = _Way(Path(folder, "a"), asks=True), _Way(Path(folder, "b"), asks=False)
        spent: tuple[list[float], list[float]] = ([], [])
        for pair in range(PAIRS + 1):
            for way in (asking, not_asking):
                way.receive(1 + pair * FRAMES)
            ways = [(asking, spent[0]), (not_asking, spent[1])]
            for way, seconds in ways if pair % 2 else reversed(ways):
                took, events = way.forward()
                if pair:  # the first warms up
                    seconds.append(took)
            print(f"\r  {pair} of {PAIRS} pairs, {events} events each …", end="", file=sys.stderr)
        print(file=sys.stderr)
        for way in (asking, not_asking):
            way.house.close()
    with_, without = (statistics.median(seconds) for seconds in spent)
    return Figure("consent.forward_ratio", with_, "s", "forwarding that asks nobody", without, "at most 1.3")


def figures() -> Iterator[Figure]:
    """Every figure of this group."""
    yield deciding()
    yield forwarding()
