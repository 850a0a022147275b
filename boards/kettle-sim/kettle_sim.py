"""The emulated kettle: who makes tea with it, its sensors, its drivers. The physics is kettle_body.py."""

from kettle_body import COVER_MG, ROOM_NDEG, Kettle
from sim_house import House
from sim_sensors import Ds18b20, LoadCell, Mains, PowerMeter, part


class World(House):
    """`button` is 1 for the second it is pressed."""

    SENSORS = (("water_temp", "water_16ths"), ("water_mass", "water_g"), ("power", "power_w"))
    INPUTS = (("base", 1), ("button", 0))
    ACTUATORS = ("heater",)

    def __init__(self, seed=1, altitude_m=0):
        super().__init__(seed)
        self.button = 0
        self.kettle = Kettle(altitude_m)
        self._thermometer = Ds18b20(part(seed, 1))
        self._load = LoadCell(part(seed, 2), ROOM_NDEG)
        self._meter = PowerMeter(part(seed, 3))
        self._mains = Mains(part(seed, 4))

    def _run(self, n):
        self.kettle.run(self.now_s, n, self._mains)

    # People.

    def _lift(self):
        self.kettle.base = 0
        self.edge("base", 0)

    def _set_down(self):
        self.kettle.base = 1
        self.edge("base", 1)

    def _life(self):
        dice = self.dice.between
        yield 15
        kettle = self.kettle
        while True:
            self.busy = True
            self.button = 1
            self.edge("button", 1)
            yield 1
            self.button = 0
            self.edge("button", 0)
            yield dice(330, 420)  # 1.5 kg takes 270 s
            if kettle.mass_mg > COVER_MG:
                self._lift()
                yield 3
                kettle.flow = -dice(45_000, 65_000)
                yield max(1, (dice(20_000, 80_000) - kettle.mass_mg) // kettle.flow)
                kettle.flow = 0
                yield 2
                self._set_down()
            self.busy = False
            yield self.until_awake(dice(1_200, 2_700) - 450)
            self.busy = True
            if dice(1, 6) > 1:  # else it is put on with what was left in it
                self._lift()
                yield dice(3, 8)
                kettle.flow = dice(85_000, 115_000)  # a tap gives about 6 l/min
                yield max(1, (dice(300, 1_500) * 1_000 - kettle.mass_mg) // kettle.flow)
                kettle.flow = 0
                yield dice(3, 8)
                self._set_down()
            yield dice(3, 8)

    def set(self, name, value):
        """Obey an actuator: the only one is the heater."""
        if name != "heater":
            raise ValueError(name)
        self.kettle.heater = 1 if value else 0

    # Sensors.

    def water_16ths(self):
        return self._thermometer.read(self.kettle.probe, self.now_s)

    def water_g(self):
        """Grams of water; 0 while the kettle is off its base, whose scale then carries nothing."""
        kettle = self.kettle
        return self._load.read(kettle.mass_mg, kettle.cell, self.now_s) if kettle.base else 0

    def power_w(self):
        return self._meter.read(self.kettle.power_mw)


class Heater:
    """The relay; also the channel that tells whether it is closed."""

    def __init__(self, world, catch_up):
        self._world = world
        self._catch_up = catch_up

    @property
    def value(self):
        return self._world.kettle.heater

    def set(self, value):
        self._catch_up()
        self._world.set("heater", value)

    def sample(self):
        return self.value


def open_drivers(board, clock):
    """The drivers of one emulated kettle, by name, and the task that lives in it."""
    from sim_drivers import Input, Player, Sensor

    sim = board.get("sim") or {}
    world = World(sim.get("seed", 1))
    drivers = {name: Input(value) for name, value in world.INPUTS}
    player = Player(world, clock, dict(drivers), sim.get("speed", 1))
    for name, read in world.SENSORS:
        drivers[name] = Sensor(player.catch_up, getattr(world, read))
    drivers["heater"] = Heater(world, player.catch_up)
    drivers["tasks"] = [player.run]
    return drivers
