"""A fridge with a freezer: its door, what is put on its shelves and taken from them, and how long it stood open."""

from appliance import Appliance
from micropython import const

_UNMEASURED = const(2)
_AJAR_MS = const(60000)
_AJAR_AGAIN_MS = const(300000)
_CHANGE_G = const(20)
# Load cells of a few kilograms come to rest within this.
_REST_G = const(10)
_REST_SAMPLES = const(3)


class DoorWatch:
    """Tells edges of the door, and when it has stood open for too long."""

    def __init__(self):
        self.open = None
        self._since_ms = 0
        self._told_ms = 0

    def level(self, is_open, now_ms):
        """True if that is a change. The first level after the start is none, and None (no sensor) never is."""
        if is_open is None or is_open == self.open:
            return False
        changed = self.open is not None
        self.open = is_open
        self._since_ms = self._told_ms = now_ms
        return changed

    def ajar_s(self, now_ms):
        """Seconds open, after the first minute and every five minutes from there; else None."""
        if not self.open:
            return None
        again = self._told_ms != self._since_ms
        if now_ms - self._told_ms < (_AJAR_AGAIN_MS if again else _AJAR_MS):
            return None
        self._told_ms = now_ms
        return (now_ms - self._since_ms) // 1000


class ShelfWatch:
    """Tells what was put on a shelf or taken from it, once the scale rests and the door is closed."""

    def __init__(self):
        self.settled_g = None
        self._low = self._high = 0
        self._count = 0

    def sample(self, mass_g, door_open):
        """The change in grams when one has settled, else None. Slow drift of the scale moves the settled mass
        along and is never a change."""
        if mass_g is None:
            self._count = 0
            return None
        low = min(self._low, mass_g)
        high = max(self._high, mass_g)
        if self._count == 0 or high - low > _REST_G or door_open:
            self._low = self._high = mass_g
            self._count = 0 if door_open else 1
            return None
        self._low = low
        self._high = high
        self._count += 1
        if self._count < _REST_SAMPLES:
            return None
        rest_g = (low + high) // 2
        before_g, self.settled_g = self.settled_g, rest_g
        self._count = 0
        if before_g is None or abs(rest_g - before_g) <= _CHANGE_G:
            return None
        return rest_g - before_g


class Fridge(Appliance):
    def __init__(self, config, clock, drivers, sealer):
        super().__init__(config, clock, drivers, sealer)
        self._door = DoorWatch()
        self._shelves = []
        places = [config.channels[index].name for index in self._series]
        self._door_place = places.index("door") if "door" in places else None
        for name in ("top_shelf", "bottom_shelf"):
            if name in places:
                self._shelves.append((places.index(name), ShelfWatch()))

    def tasks(self):
        tasks = super().tasks()
        if "door" in self.drivers:
            tasks.append(("door", self._watch_door, None))
        return tasks

    async def _watch_door(self):
        door = self.drivers["door"]
        while True:
            await door.changed.wait()
            place = self._door_place
            if self.quiet or (place is not None and self.use[self._series[place]] == _UNMEASURED):
                continue
            self._door_level(door.sample())
            self.settle()

    def _door_level(self, is_open):
        if self._door.level(is_open, self.clock.uptime_ms()):
            self.event("door_event", is_open)

    def measure(self, row, now):
        if self._door_place is not None:
            self._door_level(row[self._door_place])
        for place, shelf in self._shelves:
            change_g = shelf.sample(row[place], self._door.open)
            if change_g is not None:
                self.event("stock_event", change_g)

    def forget(self):
        self._door.open = None
        for _, shelf in self._shelves:
            shelf.settled_g = None

    def look(self, now):
        super().look(now)
        ajar_s = self._door.ajar_s(now)
        if ajar_s is not None:
            self.event("door_ajar", ajar_s)
