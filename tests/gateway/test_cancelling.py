"""app/cancelling.py: tasks end, though a library loses a cancellation."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.app.cancelling import cancel_and_wait
from tools import household_loop


def test_a_task_that_loses_its_cancellation_is_told_again() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    async def scene() -> None:
        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await cancel_and_wait([task])
        assert task.cancelled()
        assert lost == 2

    household_loop.run(scene())


def test_an_ending_that_takes_its_time_is_not_cut_off() -> None:
    ended = False

    async def closes() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(2)
            ended = True

    async def scene() -> None:
        task = asyncio.create_task(closes())
        await asyncio.sleep(0)
        await cancel_and_wait([task])
        assert ended

    household_loop.run(scene())


def test_what_has_ended_or_fails_in_the_end_is_nobody_elses() -> None:
    async def fails() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        raise OSError("gone")

    async def scene() -> None:
        done, failing = asyncio.create_task(asyncio.sleep(0)), asyncio.create_task(fails())
        await asyncio.sleep(1)
        await cancel_and_wait([done, failing])
        await cancel_and_wait([])
        assert failing.done()

    household_loop.run(scene())
