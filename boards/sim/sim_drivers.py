"""Puts a simulated world behind the driver interface: sensors that read it, inputs that show its edges."""

import asyncio

try:
    from micropython import const
except ImportError:  # CPython, where the worlds are tested too
    from sim_sensors import const

_STEPS = const(250)  # in one go: some milliseconds at most
_BUSY_MS = const(5_000)
_IDLE_MS = const(60_000)
_SHOW_MS = const(10)  # real: an edge stays this long before the next, whatever the speed


class Changed:
    """Set on every edge; one waiter, and waiting clears it (asyncio.ThreadSafeFlag, which CPython lacks)."""

    def __init__(self):
        self._event = asyncio.Event()

    def set(self):
        self._event.set()

    async def wait(self):
        await self._event.wait()
        self._event.clear()


class Sensor:
    """`sample()` is the channel's integer, or None while `fail` is True."""

    def __init__(self, catch_up, read):
        self._catch_up = catch_up
        self._read = read
        self.fail = False

    def sample(self):
        self._catch_up()
        return None if self.fail else self._read()


class Input:
    """A debounced contact: `sample()` is 0 or 1 (None while `fail` is True), `changed` is set on an edge.

    A reed switch settles within a millisecond, so what is left after debouncing are clean edges.
    """

    def __init__(self, value):
        self.value = value
        self.fail = False
        self.changed = Changed()

    def sample(self):
        return None if self.fail else self.value

    def show(self, value):
        self.value = value
        self.changed.set()


class Player:
    """Keeps `world` at the clock's time and shows its edges, in order, on `inputs` (name -> Input).

    After a long pause it catches up in bounded steps: until then readings are those of an earlier time.
    """

    def __init__(self, world, clock, inputs, speed):
        self._world = world
        self._clock = clock
        self._inputs = inputs
        self._show_ms = _SHOW_MS * speed

    def catch_up(self):
        """Advance as far as a few milliseconds allow; True when the world is at the clock's time."""
        return self._world.advance(self._clock.uptime_ms(), _STEPS)

    async def run(self):
        world = self._world
        while True:
            there = self.catch_up()
            wait_ms = self._show_ms
            if world.edges:
                name, value = world.edges.pop(0)
                self._inputs[name].show(value)
            elif there:
                due_ms = world.next_ms() - self._clock.uptime_ms()
                wait_ms = max(wait_ms, min(due_ms, _BUSY_MS if world.busy else _IDLE_MS))
            await self._clock.sleep_ms(wait_ms)
