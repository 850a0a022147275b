"""A household in simulated time: people's doings as a generator, physics on a fixed grid of one second.

No clock and no asyncio: the time to advance to is handed in, and the same instants give the same state
whatever the calls in between.
"""

from sim_sensors import DAY_S, const, mix32

START_S = const(27_000)  # 07:30, the time of day at which a world begins
_WAKE_S = const(23_400)  # 06:30
_SLEEP_S = const(82_800)  # 23:00
_MAX_EDGES = const(16)


class Dice:
    """xorshift32 (Marsaglia 2003): the choices people make, drawn in their order."""

    def __init__(self, seed):
        self._x = mix32(seed & 0xFFFFFFFF) or 1

    def between(self, low, high):
        """Uniform in low..high, both included."""
        x = self._x
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._x = x
        return low + (x >> 3) % (high - low + 1)


class House:
    """What both worlds share. A world gives `_life()`, a generator that yields the seconds until the next
    doing, and `_run(n)`, which integrates n seconds from `now_s`."""

    def __init__(self, seed):
        self.dice = Dice(seed)
        self.now_s = 0
        self.busy = False
        self.edges = []  # (input's name, value): not yet shown to the firmware
        self.edges_lost = 0
        self._doings = self._life()
        self._next_s = next(self._doings)

    def advance(self, to_ms, max_steps=DAY_S):
        """Integrate to `to_ms` (never back), at most `max_steps` seconds of it; True when there."""
        left = to_ms // 1000 - self.now_s
        there = left <= max_steps
        if not there:
            left = max_steps
        while left > 0:
            n = min(left, self._next_s - self.now_s)
            self._run(n)
            self.now_s += n
            left -= n
            if self.now_s == self._next_s:
                self._next_s += next(self._doings)
        return there

    def next_ms(self):
        """When the next doing is due."""
        return self._next_s * 1000

    def time_of_day_s(self):
        return (self.now_s + START_S) % DAY_S

    def until_awake(self, wait_s):
        """`wait_s`, or longer: till some minutes after 06:30, where it would end at night."""
        then = (self.now_s + wait_s + START_S) % DAY_S
        if _WAKE_S <= then < _SLEEP_S:
            return wait_s
        return wait_s + (_WAKE_S - then) % DAY_S + self.dice.between(0, 1200)

    def edge(self, name, value):
        """Keep an edge for the firmware; of more than 16 unseen the oldest goes and is counted."""
        if len(self.edges) == _MAX_EDGES:
            self.edges.pop(0)
            self.edges_lost += 1
        self.edges.append((name, value))
