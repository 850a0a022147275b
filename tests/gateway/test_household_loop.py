"""The loop whose time jumps: timers in order, no time for work, and an error where nothing can ever happen."""

from __future__ import annotations

import asyncio
import time

import pytest

from tools import household_loop


def test_a_day_of_timers_takes_no_time_and_keeps_their_order() -> None:
    async def day() -> list[str]:
        said: list[str] = []

        async def say(word: str, after_s: float) -> None:
            await asyncio.sleep(after_s)
            said.append(word)

        await asyncio.gather(say("evening", 72_000), say("noon", 43_200), say("morning", 21_600))
        assert 72_000 <= asyncio.get_running_loop().time() < 72_001
        return said

    began = time.monotonic()
    assert household_loop.run(day()) == ["morning", "noon", "evening"]
    assert time.monotonic() - began < 5


def test_time_stands_still_while_a_thread_works() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        timer = asyncio.create_task(asyncio.sleep(60))
        await asyncio.to_thread(time.sleep, 0.2)
        passed_s = loop.time()
        await timer
        return passed_s

    assert household_loop.run(work()) < 0.01


def test_waiting_for_a_remainder_of_nothing_ends() -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + 0.1 + 0.2
        while loop.time() < due_s:  # noqa: ASYNC110 - how a window is waited for
            await asyncio.sleep(due_s - loop.time())

    household_loop.run(wait())


def test_it_says_when_nothing_can_ever_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(household_loop, "_LAST_S", 0.05)

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing would ever happen"):
        household_loop.run(wait())
