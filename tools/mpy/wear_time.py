"""Simulated time for a whole board: `install()` first, before anything imports time or asyncio.

The firmware's own clock, asyncio's timers and every pause then run in simulated milliseconds. When nobody has anything
to do, time jumps to the next timer instead of passing: a day takes as long as what is done in it.
"""

import sys
import time as machine_time

START_S = 1_795_000_000  # Unix seconds at simulated time 0


class Time:
    """What firmware and asyncio ask of the module time. `now_ms` is simulated."""

    now_ms = 0
    # Ticks begin where the machine's are: asyncio's own C code takes those for what is due at once.
    _base_ms = machine_time.ticks_ms()

    ticks_diff = staticmethod(machine_time.ticks_diff)
    ticks_add = staticmethod(machine_time.ticks_add)

    @staticmethod
    def ticks_ms():
        return Time._base_ms + Time.now_ms

    @staticmethod
    def time():
        return START_S + Time.now_ms // 1000

    @staticmethod
    def time_ns():
        return (START_S * 1000 + Time.now_ms) * 1_000_000


def now_ms():
    """Simulated milliseconds since the start."""
    return Time.now_ms


def install():
    """Put simulated time in the place of the machine's."""
    sys.modules["time"] = Time
    from asyncio import core  # noqa: PLC0415 - it takes its clock when it is imported

    core.IOQueue.wait_io_event = _jump


def _jump(_queue, wait_ms):
    """In the place of waiting for a socket: asyncio asks to wait until its next timer."""
    if wait_ms < 0:
        raise RuntimeError("every task waits for another: nothing would ever happen again")
    Time.now_ms += wait_ms
