"""HX711 converter of a load cell, bit by bit. (Source: Avia Semiconductor HX711 data sheet.)"""

import time

from micropython import const
from sensor import Sensor

# Gain and channel of the conversion that follows are chosen by how many pulses read the last (table 3).
PULSES = {128: 25, 32: 26, 64: 27}

_SETTLED_MS = const(400)  # at 10 conversions a second
_TRIES = const(40)
_TRY_US = const(25)
_LOWEST = const(-0x800000)
_HIGHEST = const(0x7FFFFF)


def signed(raw):
    """The number in 24 bits of two's complement; None at either end, where the input is beyond what can be measured."""
    if raw & 0x800000:
        raw -= 0x1000000
    return raw if _LOWEST < raw < _HIGHEST else None


def grams(counts, zero, per_kg):
    """Whole grams, rounded; `zero` is what an empty scale counts, and `per_kg` by how much a kilogram changes that
    (below 0: the cell is mounted the other way up). In small integers throughout, for |per_kg| up to a million."""
    counts -= zero
    if per_kg < 0:
        counts, per_kg = -counts, -per_kg
    return counts // per_kg * 1000 + (counts % per_kg * 1000 + per_kg // 2) // per_kg


class Hx711(Sensor):
    """Grams, never below `least_g`. `raw` is the last conversion, for calibration: what the empty scale gives is
    `zero`, and the difference that a known mass makes, divided by its kilograms, is `per_kg`.

    Where `zero` is 0 it was not calibrated yet: `raw` is measured, and grams are missing. By the empty kettle's own
    weight it would find a litre of water in it, and let it heat."""

    def __init__(self, data, clock, zero, per_kg, gain=128, least_g=None):
        super().__init__(_SETTLED_MS)
        self.raw = None
        self._data = data
        self._clock = clock
        self._zero = zero
        self._per_kg = per_kg
        self._least_g = least_g
        self._pulses = PULSES[gain]
        # After power on the gain is 128: with another, the first conversion only says which.
        self._stale = gain != 128
        clock(0)

    def _measure(self):
        self.raw = None
        if not self._wait():
            return None
        raw = self._read()
        # The pulse after the 24th lifts the line (figure 2). One that stays low has no converter behind it.
        if not self._data():
            return None
        if self._stale:
            self._stale = False
            return None
        self.raw = raw = signed(raw)
        if raw is None or not self._zero:
            return None
        mass_g = grams(raw, self._zero, self._per_kg)
        return mass_g if self._least_g is None or mass_g > self._least_g else self._least_g

    def _wait(self):
        """True once a conversion is ready. A ready one may be gone for a moment, while the next takes its place."""
        for _ in range(_TRIES):
            if not self._data():
                return True
            time.sleep_us(_TRY_US)
        return False

    def _read(self):
        from machine import disable_irq, enable_irq

        data, clock = self._data, self._clock
        raw = 0
        for i in range(self._pulses):
            # An interrupt within the pulse could stretch it to the 60 us that switch the converter off (figure 3).
            state = disable_irq()
            clock(1)
            clock(0)
            enable_irq(state)
            if i < 24:
                raw = raw << 1 | data()
        return raw


def open(settings):
    from machine import Pin

    data, clock = Pin(settings["data"], Pin.IN), Pin(settings["clock"], Pin.OUT, value=0)
    gain, least_g = settings.get("gain", 128), settings.get("least_g")
    return Hx711(data, clock, settings["zero"], settings["per_kg"], gain, least_g)
