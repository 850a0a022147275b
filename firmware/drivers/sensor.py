"""What the drivers of sensors share: how often they measure, and what becomes of a failure."""

import time


class Sensor:
    """`sample()` is the channel's integer, or None where the last measurement failed. It measures at most every
    `interval_ms`; asked again before that, it repeats itself. Kinds override `_measure()`, which gives the integer, or
    None, or raises OSError, and which starts what takes the sensor longer than a few milliseconds, to be read the next
    time. `offset` is added to every value. `failed` counts the measurements that gave nothing.

    The first measurement is due one interval after the start: what it reads was started in the constructor."""

    def __init__(self, interval_ms, offset=0):
        self.ready_ms = interval_ms
        self.failed = 0
        self._value = None
        self._offset = offset
        self._due = time.ticks_add(time.ticks_ms(), interval_ms)

    def sample(self):
        now = time.ticks_ms()
        if time.ticks_diff(now, self._due) >= 0:
            self._due = time.ticks_add(now, self.ready_ms)
            try:
                value = self._measure()
            except OSError:
                value = None
            if value is None:
                self.failed += 1
            else:
                value += self._offset
            self._value = value
        return self._value

    def _measure(self):
        return None
