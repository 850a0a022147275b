"""A relay or SSR module, the only part that can do harm: it is off unless it is told otherwise and obeys."""


class Relay:
    """`value` and `sample()`: 1 while it is on. `on` is the level that switches it on. `failed` counts how often the
    pin did not follow: shorted, or driven from elsewhere."""

    def __init__(self, pin, on):
        self.value = 0
        self.failed = 0
        self._pin = pin
        self._on = on
        self.set(0)

    def set(self, value):
        """On for 1, off for anything else. Raises OSError, and is off, if the pin does not follow to on; off is never
        an error, for whoever switches off must get on with it."""
        level = self._on if value == 1 else 1 - self._on
        try:
            self._pin(level)
            followed = self._pin() == level
        except Exception:
            followed = False
        self.value = 1 if value == 1 and followed else 0
        if followed:
            return
        self.failed += 1
        if value == 1:
            self.set(0)
            raise OSError("relay: the pin does not follow")

    def sample(self):
        return self.value


def open(settings):
    from machine import Pin

    # The level is set before the pin becomes an output, so that there is no pulse.
    return Relay(Pin(settings["control"], Pin.OUT, value=1 - settings["on"]), settings["on"])
