"""Simulated time for a whole board: `install()` first, before anything imports time or asyncio.

The firmware's own clock, asyncio's timers and every pause then run in simulated milliseconds. When nobody has anything
to do, time jumps to the next timer instead of passing: a day takes as long as what is done in it.
"""

import sys
import time as machine_time

START_S = 1_795_000_000  # Unix seconds at simulated time 0

now_ms = 0
_base_ms = 0


class _Time:
    """What firmware and asyncio ask of the module time."""

    ticks_diff = staticmethod(machine_time.ticks_diff)
    ticks_add = staticmethod(machine_time.ticks_add)
    ticks_us = staticmethod(machine_time.ticks_us)

    @staticmethod
    def ticks_ms():
        # Begins where the machine's ticks are: asyncio's own C code takes those for what is due at once.
        return _base_ms + now_ms

    @staticmethod
    def time():
        return START_S + now_ms // 1000

    @staticmethod
    def time_ns():
        return (START_S * 1000 + now_ms) * 1_000_000


def install():
    """Put simulated time in the place of the machine's."""
    global _base_ms
    _base_ms = machine_time.ticks_ms()
    sys.modules["time"] = _Time
    from asyncio import core

    core.IOQueue.wait_io_event = _jump


def _jump(_queue, wait_ms):
    """In the place of waiting for a socket: asyncio asks to wait until its next timer."""
    global now_ms
    if wait_ms < 0:
        raise RuntimeError("every task waits for another: nothing would ever happen again")
    now_ms += wait_ms
