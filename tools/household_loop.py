"""An asyncio loop whose time is a household's, not the machine's: it jumps to the next timer when nobody has work.

So a process with windows of seconds and minutes lives through a day as fast as it can, and nothing in it is shortened:
every timer is due at its own time, and no time passes while a thread works.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["HouseholdLoop", "run"]

_T = TypeVar("_T")
_WORK_S = 1.0  # how long one wait for a thread is; its end wakes the loop at once
_LAST_S = 10.0
_TURN_S = 1e-6  # a turn of the loop takes time, or who waits for a remainder of nothing would wait for ever


class _Jumping(selectors.DefaultSelector):
    """Waits only for threads; else it moves the loop's time on."""

    def __init__(self) -> None:
        super().__init__()
        self.working = 0
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += _TURN_S
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.working:
            return super().select(_WORK_S)
        if timeout is not None:
            self.now_s += timeout
            return []
        # A thread that nobody counts may still have a word to say, as when the loop is closed.
        if not (ready := super().select(_LAST_S)):
            raise RuntimeError("every task waits for another: nothing would ever happen again")
        return ready


class HouseholdLoop(asyncio.SelectorEventLoop):
    """Begins at time 0. For work in this process and its threads: a socket's peer lives in real time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of the household's time."""
        return self._jumping.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:  # type: ignore[override]
        """As always; time stands still until it is done."""
        self._jumping.working += 1
        future: asyncio.Future[_T] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _: object) -> None:
        self._jumping.working -= 1


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """asyncio.run() in household's time."""
    with asyncio.Runner(loop_factory=HouseholdLoop) as runner:
        return runner.run(main)
