"""Pins with nothing wired to them. Of the board's own machine this has nothing: it is a reset away from its start."""


class Pin:
    IN, OUT, OPEN_DRAIN, PULL_UP = 0, 1, 2, 3
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, number, mode=None, pull=None, value=None):
        self.level = 1 if value is None else value

    def __call__(self, value=None):
        if value is None:
            return self.level
        self.level = value

    def irq(self, handler, trigger):
        pass


def disable_irq():
    return 0


def enable_irq(state):
    pass


def unique_id():
    return b"\x5e\x00\x00\x00\x00\x32"


def time_pulse_us(pin, level, timeout_us):
    return -1
