"""A contact to ground: reed switch, microswitch or button, debounced."""

import asyncio
import time

from micropython import const

_SETTLE_MS = const(20)


class Contact:
    """`sample()` is `closed` (0 or 1) while the contact is closed, else the other; while it bounces, what it was
    before. `changed.wait()` returns once for every change that stays. A cut wire reads as open.

    `pin` is an input with a pull-up; its edges call back, also in the middle of other work."""

    def __init__(self, pin, closed, edges):
        self.changed = self
        self._pin = pin
        self._closed = closed
        self._edge = time.ticks_ms()
        self._bouncing = False
        self.value = self._told = self._level()
        self._flag = asyncio.ThreadSafeFlag()
        pin.irq(self._on_edge, edges)

    def sample(self):
        if self._bouncing and time.ticks_diff(time.ticks_ms(), self._edge) >= _SETTLE_MS:
            self._bouncing = False
        if not self._bouncing:
            self.value = self._level()
        return self.value

    async def wait(self):
        while True:
            await self._flag.wait()
            while self._bouncing:
                await asyncio.sleep_ms(_SETTLE_MS)
                self.sample()
            if self.value != self._told:
                self._told = self.value
                return

    def _level(self):
        return 1 - self._closed if self._pin() else self._closed

    def _on_edge(self, _pin):
        self._edge = time.ticks_ms()
        self._bouncing = True
        self._flag.set()


def open(settings):
    from machine import Pin

    pin = Pin(settings["contact"], Pin.IN, Pin.PULL_UP)
    return Contact(pin, settings["closed"], Pin.IRQ_FALLING | Pin.IRQ_RISING)
