"""The emulated fridge: the people who open it, its sensors, its drivers. The physics is fridge_body.py."""

from fridge_body import AJAR, OPEN, Cabinet
from sim_house import START_S, House
from sim_sensors import DAY_S, NDEG, Ds18b20, LoadCell, Mains, PowerMeter, const, part

# What people take, in grams: eggs, cheese, yoghurt from the top shelf; vegetables and bottles from the bottom.
_TAKES = ((60, 30, 150, 60, 30), (120, 180, 330))
_MILK_G = const(1030)  # a full carton
_CARTON_G = const(30)
_SHELF_G = const(4_200)  # full
_LOW_G = const(1_000)  # on either: somebody goes shopping
_SHOP_S = const(63_000)  # 17:30
_SHOP_NDEG = const(14_000_000_000)


class World(House):
    """`mass_g` is what lies on the top and on the bottom shelf."""

    SENSORS = (
        ("fridge_temp", "fridge_16ths"),
        ("freezer_temp", "freezer_16ths"),
        ("top_shelf", "top_g"),
        ("bottom_shelf", "bottom_g"),
        ("power", "power_w"),
    )
    INPUTS = (("door", 0), ("button", 0))
    ACTUATORS = ()

    def __init__(self, seed=1):
        super().__init__(seed)
        self.mass_g = [3_150, 3_900]
        self.cabinet = Cabinet(START_S)
        self._milk_g = _MILK_G
        self._milk_out = False
        self._shop_day = 2
        self._thermometer = Ds18b20(part(seed, 1))
        self._freezer_thermometer = Ds18b20(part(seed, 2))
        self._cells = (LoadCell(part(seed, 3), 5 * NDEG), LoadCell(part(seed, 4), 5 * NDEG))
        self._meter = PowerMeter(part(seed, 5))
        self._mains = Mains(part(seed, 6))

    def _run(self, n):
        self.cabinet.run(self.now_s + START_S, n, self.mass_g[0] + self.mass_g[1])

    # People.

    def _swing(self, door, gap):
        if door != self.cabinet.door:
            self.cabinet.door = door
            self.busy = door == 1
            self.edge("door", door)
        self.cabinet.gap = gap

    def _put(self, shelf, grams, ndeg=None):
        """Lay `grams` on a shelf (take, if negative); what comes in at `ndeg` mixes with the food."""
        if ndeg is not None:
            self.cabinet.lay_in(grams, ndeg, self.mass_g[0] + self.mass_g[1])
        self.mass_g[shelf] += grams

    def _reach_in(self):
        """Take something, put something back, or only look."""
        dice = self.dice.between
        hour = self.time_of_day_s() // 3600
        meal = hour in (7, 8, 12, 13, 18, 19)
        if self._milk_out:
            self._milk_out = False
            self._milk_g -= dice(150, 250)
            if self._milk_g > _CARTON_G:
                self._put(1, self._milk_g, 8 * NDEG)
            else:
                self._milk_g = _MILK_G
        elif meal and dice(1, 4) == 1 and self.mass_g[1] > self._milk_g:
            self._milk_out = True
            self._put(1, -self._milk_g)
        elif meal and hour > 12 and dice(1, 6) == 1 and self.mass_g[0] < _SHELF_G - 500:
            self._put(0, dice(150, 450), 30 * NDEG)  # leftovers
        elif dice(1, 100) <= (65 if meal else 30):
            shelf = 1 if dice(1, 8) > 5 else 0
            self._take(shelf, _TAKES[shelf][dice(1, len(_TAKES[shelf])) - 1])

    def _take(self, shelf, grams):
        if self.mass_g[shelf] >= grams:
            self._put(shelf, -grams)

    def _shopping(self):
        """True where somebody just came home with bags: each week, and when the shelves run low."""
        if self.time_of_day_s() < _SHOP_S or self._milk_out:
            return False
        if (self.now_s + START_S) // DAY_S >= self._shop_day:
            self._shop_day += 7
            return True
        return min(self.mass_g) < _LOW_G

    def _life(self):
        dice = self.dice.between
        yield 30
        self._swing(1, OPEN)
        yield 7
        self._take(0, 150)
        yield 6
        self._swing(0, 0)
        while True:
            yield self.until_awake(dice(480, 1200))
            self._swing(1, OPEN)
            if self._shopping():
                for shelf in (1, 0):
                    while self.mass_g[shelf] < _SHELF_G - 600:
                        yield dice(3, 6)
                        self._put(shelf, _MILK_G if shelf else dice(150, 600), _SHOP_NDEG)
                yield dice(3, 6)
            else:
                stay_s = dice(5, 40)
                yield stay_s // 2
                self._reach_in()
                yield stay_s - stay_s // 2
                if dice(1, 40) == 1:  # not pushed quite shut
                    self._swing(1, AJAR)
                    yield dice(90, 420)
            self._swing(0, 0)

    # Sensors.

    def fridge_16ths(self):
        return self._thermometer.read(self.cabinet.probe, self.now_s)

    def freezer_16ths(self):
        return self._freezer_thermometer.read(self.cabinet.freezer_probe, self.now_s)

    def top_g(self):
        return self._cells[0].read(self.mass_g[0] * 1000, self.cabinet.wall, self.now_s)

    def bottom_g(self):
        return self._cells[1].read(self.mass_g[1] * 1000, self.cabinet.wall, self.now_s)

    def power_w(self):
        return self._meter.read(self.cabinet.power_mw * (self._mains.mv(self.now_s) // 10) // 23_000)


def open_drivers(board, clock):
    """The drivers of one emulated fridge, by name, and the task that lives in it."""
    from sim_drivers import Input, Player, Sensor

    sim = board.get("sim") or {}
    world = World(sim.get("seed", 1))
    drivers = {name: Input(value) for name, value in world.INPUTS}
    player = Player(world, clock, dict(drivers), sim.get("speed", 1))
    for name, read in world.SENSORS:
        drivers[name] = Sensor(player.catch_up, getattr(world, read))
    drivers["tasks"] = [player.run]
    return drivers
