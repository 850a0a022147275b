"""Ending tasks so that they have ended, on Python 3.11 too."""

import asyncio
from collections.abc import Collection
from typing import Any

_AGAIN_S = 5.0  # a second cancellation would cut off an ending that takes its time: the console's, a stream's


async def cancel_and_wait(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until each has ended; what they raise is not raised here.

    aiomqtt awaits with asyncio.wait_for, and Python 3.11's loses a cancellation that comes in the moment in which what
    it waits for is there: such a task goes on as if nothing had been said, so it is told again.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # nobody else asks what they raised
