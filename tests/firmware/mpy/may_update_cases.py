"""When an appliance lets an update be written and started, and what it says of its sensors."""

from kettle import Kettle
from scripted import Clock, Config, Heater, Sealer, Sensor

CHANNELS = [
    ["water_temp", "Cel", 1, 16, 0, "temperature", "water_temp"],
    ["water_mass", "kg", 1, 1000, 0, "use", "water_mass"],
]


def kettle(**more):
    drivers = {"water_temp": Sensor(20 * 16), "water_mass": Sensor(800), "base": Sensor(1), "heater": Heater()}
    drivers.update(more)
    made = Kettle(Config(CHANNELS), Clock(), drivers, Sealer())
    made.running = True
    return made


def test_a_kettle_at_rest_lets_it_be():
    assert kettle().may_update() is None


def test_a_kettle_that_is_armed_or_heats_waits():
    made = kettle()
    readings = made._readings()
    assert made.control.hold(0, *readings) is None
    assert made.may_update() == "running"
    assert made.control.remote(0, *readings) is None
    assert made.control.on and made.may_update() == "running"
    made.make_safe()
    assert made.may_update() is None


def test_who_wants_quiet_gets_it():
    made = kettle()
    made.quiet = True
    assert made.may_update() == "quiet"


def test_on_a_low_battery_it_waits_and_on_the_mains_it_does_not():
    for left, why in ((39, "battery"), (0, "battery"), (40, None), (100, None), (None, None)):
        assert kettle(battery=Sensor(left)).may_update() == why, left


def test_a_sensor_that_reads_nothing_is_told_unless_it_is_not_to_be_measured():
    made = kettle(water_mass=Sensor(None))
    assert made.failures() == 0b10
    made.use[1] = 2
    assert made.failures() == 0
