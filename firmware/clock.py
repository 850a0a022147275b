"""Time on the board: milliseconds since start, Unix seconds once somebody has told them, and simulated speed.

A frame carries uptime and, when it is known, the Unix time of that same uptime. The distance of the two is
kept in whole seconds, so `time_s * 1000 + uptime_ms % 1000` is the Unix time in milliseconds, exactly.
"""

import asyncio
import time

from micropython import const

# NTP and the C library hand out whole seconds: two readings of one clock may differ by one. Following that
# would cut a frame in two each time. The gateway's word comes late by what it was on the way.
_JITTER_S = const(1)
_GATEWAY_JITTER_S = const(2)


class Clock:
    """`speed` simulated seconds pass in a real one. With `epoch_ms` (the real Unix time in milliseconds at which
    simulated and real time are equal) the clock is set from the machine's own; without, it is not set.

    `source` is who set it: "system", "ntp", "gateway", or None."""

    def __init__(self, speed=1, epoch_ms=None):
        self.speed = speed
        self.offset_s = self.source = None
        self._tick = time.ticks_ms()
        self._real_ms = 0
        if epoch_ms is not None:
            real_ms = time.time_ns() // 1000000
            self.set_time_s((epoch_ms + (real_ms - epoch_ms) * speed) // 1000)

    def real_ms(self):
        """Real milliseconds since start. Goes on past the wrap of the hardware's ticks, as long as it is asked
        at least once in half their period (six days where the period is 2**30 ms)."""
        tick = time.ticks_ms()
        self._real_ms += time.ticks_diff(tick, self._tick)
        self._tick = tick
        return self._real_ms

    def uptime_ms(self):
        """Simulated milliseconds since start."""
        return self.real_ms() * self.speed

    def time_s(self, uptime_ms=None):
        """Unix seconds at `uptime_ms` (now, without one), or None while the clock is not set."""
        if self.offset_s is None:
            return None
        return self.offset_s + (self.uptime_ms() if uptime_ms is None else uptime_ms) // 1000

    def set_time_s(self, unix_s, source="system"):
        """It is `unix_s` now, says `source`. The gateway is believed only where nobody else has told the time."""
        jitter_s = _JITTER_S
        if source == "gateway":
            if self.source not in (None, source):
                return
            jitter_s = _GATEWAY_JITTER_S
        self.source = source
        offset_s = unix_s - self.uptime_ms() // 1000
        if self.offset_s is None or abs(offset_s - self.offset_s) > jitter_s:
            self.offset_s = offset_s

    async def sleep_ms(self, ms):
        """Sleeps simulated milliseconds, rounded up to a real one so that nobody wakes just before the time."""
        await asyncio.sleep_ms(max(0, -(-ms // self.speed)))
