"""The module `time`, standing still until it is told to go on; its milliseconds wrap where the ESP32's do."""

_PERIOD = 1 << 30


class Ticks:
    def __init__(self, now_us=0):
        self.now_us = now_us

    def ticks_ms(self):
        return self.now_us // 1000 % _PERIOD

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % _PERIOD

    def ticks_diff(self, a, b):
        return (a - b + _PERIOD // 2) % _PERIOD - _PERIOD // 2

    def sleep_us(self, us):
        self.now_us += us

    def sleep_ms(self, ms):
        self.now_us += ms * 1000
