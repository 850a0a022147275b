"""relay.py: off at the start, off on every fault, and nothing else than 1 switches it on."""

import machine
import relay

PIN = 26


class Part:
    """Follows, unless it is `stuck` at a level or `broken` altogether."""

    def __init__(self, stuck=None, broken=False):
        self.stuck = stuck
        self.broken = broken
        self.now = None

    def level(self):
        if self.broken:
            raise OSError(5)
        return self.now if self.stuck is None else self.stuck

    def drive(self, level):
        self.now = level
        if self.broken:
            raise OSError(5)


def opened(on=1, **fault):
    machine.wired[PIN] = part = Part(**fault)
    machine.trace.clear()
    return relay.open({"control": PIN, "on": on}), part


def test_the_pin_is_off_before_it_is_an_output():
    for on in (0, 1):
        made, part = opened(on)
        assert machine.trace == [(PIN, "out", None, 1 - on), (PIN, 1 - on, 0)]
        assert (made.value, made.sample(), part.now) == (0, 0, 1 - on)


def test_one_is_on_and_anything_else_is_off():
    for on in (0, 1):
        made, part = opened(on)
        made.set(1)
        assert (made.value, made.sample(), part.now) == (1, 1, on)
        for value in (0, None, False, 2, -1, "1", 0.5):
            made.set(1)
            made.set(value)
            assert (made.value, part.now) == (0, 1 - on), value


def refused(made):
    try:
        made.set(1)
    except OSError:
        return True
    return False


def test_a_pin_that_does_not_follow_is_switched_off_and_said():
    made, part = opened(stuck=0)
    assert refused(made)
    assert (made.value, part.now, made.failed) == (0, 0, 1)


def test_switching_off_is_never_an_error():
    made, part = opened()
    made.set(1)
    part.stuck = 1
    made.set(0)
    assert (made.value, part.now, made.failed) == (0, 0, 1)
    part.broken = True
    made.set(0)
    assert (made.value, part.now, made.failed) == (0, 0, 2)
    assert refused(made)
    assert (made.value, part.now) == (0, 0)
