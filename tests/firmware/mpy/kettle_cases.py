"""kettle.Kettle: pins, commands and events around HeaterControl (whose own cases are heater_cases.py)."""

import asyncio

from kettle import Kettle
from scripted import Clock, Config, Heater, Sealer, Sensor, diagnostics, run_until

CHANNELS = [
    ["water_temp", "Cel", 1, 16, 0, "temperature", "water_temp"],
    ["water_mass", "kg", 1, 1000, 0, "use", "water_mass"],
    ["heating", "/", 1, 1, 1, "use", "heater"],
    ["boil", "/", 1, 1, 3, "use", None],
    ["switch", "/", 1, 1, 3, "use", None],
    ["dry", "/", 1, 1, 3, "use", None],
    ["base", "/", 1, 1, 3, "use", None],
]
BOIL, SWITCH, DRY, BASE = 3, 4, 5, 6


class Contact(Sensor):
    def __init__(self, value):
        super().__init__(value)
        self.changed = asyncio.ThreadSafeFlag()

    def show(self, value):
        self.value = value
        self.changed.set()


class Bench:
    """A kettle on the bench, and hands."""

    def __init__(self, without=()):
        self.clock = Clock()
        self.sealer = Sealer()
        self.drivers = {
            "water_temp": Sensor(20 * 16),
            "water_mass": Sensor(800),
            "base": Contact(1),
            "button": Contact(0),
            "heater": Heater(),
        }
        for name in without:
            del self.drivers[name]
        self.kettle = Kettle(Config(CHANNELS + diagnostics()), self.clock, self.drivers, self.sealer)
        self.kettle.running = True
        self.kettle.tick()

    def run(self, seconds):
        run_until(self.kettle, self.clock, self.clock.now + seconds * 1000)

    def arm(self):
        self.drivers["button"].value = 1
        self.run(3)
        self.drivers["button"].value = 0
        self.run(1)

    def heats(self):
        return self.drivers["heater"].value == 1

    def events(self):
        return [
            (index, value)
            for frame in self.sealer.frames
            if frame[0] == "events"
            for index, _, value in frame[3]
            if index < BASE + 1
        ]


def test_the_heater_is_off_at_boot():
    assert Bench().drivers["heater"].history == [0]


def test_a_remote_boil_needs_arming():
    bench = Bench()
    assert bench.kettle.command("boil", []) == "unarmed"
    assert not bench.heats()
    bench.arm()
    assert not bench.heats()
    assert bench.kettle.command("boil", []) is None
    assert bench.heats()
    assert bench.events() == [(SWITCH, 1)]


def test_a_remote_boil_takes_at_most_one_whole_number():
    bench = Bench()
    bench.arm()
    for args in (["90"], [None], [9000, 1], [[9000]]):
        assert bench.kettle.command("boil", args) == "verb"
    assert bench.kettle.command("boil", [10**12]) == "target"
    assert not bench.heats()


def test_from_press_to_boil():
    bench = Bench()
    bench.arm()
    assert bench.kettle.command("boil", [9000]) is None
    for _ in range(100):
        bench.drivers["water_temp"].value += 16
        bench.run(1)
        if not bench.heats():
            break
    assert bench.drivers["water_temp"].value == 90 * 16
    assert bench.events() == [(SWITCH, 1), (SWITCH, 0), (BOIL, 1)]
    steps = [frame[3] for frame in bench.sealer.frames if frame[0] == "columns"]
    assert 1000 in steps, "rows every second while it heats"
    bench.sealer.take()
    bench.run(200)
    assert all(frame[3] == 10000 for frame in bench.sealer.take() if frame[0] == "columns")


def test_each_reading_stops_it_within_a_second():
    for name, value, told in (
        ("water_temp", None, []),
        ("water_mass", None, []),
        ("base", None, []),
        ("water_mass", 249, [(DRY, 1)]),
        ("base", 0, []),
        ("water_temp", 1600, [(BOIL, 1)]),
    ):
        bench = Bench()
        bench.arm()
        bench.kettle.command("boil", [])
        bench.run(5)
        bench.drivers[name].value = value
        bench.run(1)
        assert not bench.heats(), (name, value)
        events = [event for event in bench.events() if event[0] != BASE]
        assert events[:2] == [(SWITCH, 1), (SWITCH, 0)], (name, value, events)
        assert events[2:] == told, (name, value, events)


def test_off_works_whenever():
    bench = Bench()
    assert bench.kettle.command("off", []) is None
    bench.arm()
    bench.kettle.command("boil", [])
    assert bench.kettle.command("off", [1]) == "verb"
    assert bench.heats()
    assert bench.kettle.command("off", []) is None
    assert not bench.heats()


def test_without_a_loop_that_would_stop_it_it_does_not_start():
    bench = Bench()
    bench.arm()
    bench.kettle.running = False
    assert bench.kettle.command("boil", []) is not None
    assert not bench.heats()


def test_made_safe_it_is_off_and_unarmed():
    bench = Bench()
    bench.arm()
    bench.kettle.command("boil", [])
    bench.kettle.make_safe()
    assert not bench.heats()
    assert bench.kettle.command("boil", []) == "unarmed"


def test_without_any_of_its_sensors_it_never_heats():
    for name in ("water_temp", "water_mass", "base"):
        bench = Bench(without=(name,))
        bench.arm()
        assert bench.kettle.command("boil", []) == "unarmed"
        assert not bench.heats()
    bench = Bench(without=("heater", "button"))
    assert bench.kettle.command("boil", []) == "unarmed"


def test_lifting_and_placing_are_told_and_disarm():
    bench = Bench()
    bench.arm()
    bench.drivers["base"].value = 0
    bench.run(10)
    bench.drivers["base"].value = 1
    bench.run(10)
    assert bench.events() == [(BASE, 0), (BASE, 1)]
    assert bench.kettle.command("boil", []) == "unarmed"


async def test_button_and_base_act_at_once():
    bench = Bench()
    tasks = [asyncio.create_task(start()) for name, start, _ in bench.kettle.tasks() if name in ("button", "base")]
    assert len(tasks) == 2
    await asyncio.sleep_ms(1)
    bench.drivers["button"].show(1)
    await asyncio.sleep_ms(5)
    assert bench.heats(), "no sample in between"
    bench.drivers["button"].show(0)
    await asyncio.sleep_ms(5)
    assert bench.heats()
    bench.drivers["base"].show(0)
    await asyncio.sleep_ms(5)
    assert not bench.heats()
    assert bench.events() == [(SWITCH, 1), (BASE, 0), (SWITCH, 0)], bench.events()
    for task in tasks:
        task.cancel()


async def test_a_press_without_water_is_told_as_dry():
    bench = Bench()
    bench.drivers["water_mass"].value = 100
    watch = next(start for name, start, _ in bench.kettle.tasks() if name == "button")
    task = asyncio.create_task(watch())
    await asyncio.sleep_ms(1)
    bench.drivers["button"].show(1)
    await asyncio.sleep_ms(5)
    task.cancel()
    assert not bench.heats()
    assert bench.events() == [(DRY, 1)]


def test_its_safety_reads_what_is_not_to_be_measured():
    for name, value in (("water_temp", 1600), ("water_mass", 249), ("water_temp", None), ("water_mass", None)):
        bench = Bench()
        assert bench.kettle.command("use", [0x7F, 0x7F]) is None
        bench.arm()
        assert bench.kettle.command("boil", []) is None
        bench.run(5)
        assert bench.heats()
        bench.drivers[name].value = value
        bench.run(1)
        assert not bench.heats(), (name, value)
        bench.kettle.seal()
        frames = bench.sealer.take()
        assert bench.events() == []
        told = [row for frame in frames if frame[0] == "columns" for row in frame[4]][1:]
        assert told and all(row == [None, None, None] for row in told), "and nobody hears of it"


def hold(bench, seconds):
    """As a finger does it: pressed at once, and then held."""
    bench.kettle._show(bench.kettle.control.press(bench.clock.now, *bench.kettle._readings()))
    bench.drivers["button"].value = 1
    bench.run(seconds)
    bench.drivers["button"].value = 0
    bench.run(1)


def test_held_longer_it_is_quiet_and_obeys_nobody_from_afar():
    bench = Bench()
    hold(bench, 6)
    assert not bench.kettle.quiet
    assert bench.kettle.control.armed(bench.clock.now)
    hold(bench, 9)
    assert bench.kettle.quiet
    assert not bench.heats()
    assert not bench.kettle.control.armed(bench.clock.now)
    bench.sealer.take()
    for args in ([], [9000]):
        assert bench.kettle.command("boil", args) == "quiet"
    assert bench.kettle.command("off", []) is None
    hold(bench, 4)
    assert bench.kettle.command("boil", []) == "quiet", "what would arm it does not"
    assert not bench.kettle.control.armed(bench.clock.now)
    hold(bench, 9)
    assert not bench.kettle.quiet
    assert bench.kettle.command("boil", []) == "unarmed"
    assert bench.sealer.take() == []


def test_quiet_it_heats_for_who_presses_and_is_as_safe_as_ever():
    for name, value in (
        ("water_temp", None),
        ("water_mass", None),
        ("base", None),
        ("water_mass", 249),
        ("base", 0),
        ("water_temp", 1600),
    ):
        bench = Bench()
        hold(bench, 9)
        bench.sealer.take()
        bench.kettle._show(bench.kettle.control.press(bench.clock.now, *bench.kettle._readings()))
        assert bench.heats()
        bench.run(5)
        assert bench.heats()
        bench.drivers[name].value = value
        bench.run(1)
        assert not bench.heats(), (name, value)
        assert bench.sealer.take() == []


def test_quiet_it_is_off_after_ten_minutes_too():
    bench = Bench()
    hold(bench, 9)
    bench.kettle._show(bench.kettle.control.press(bench.clock.now, *bench.kettle._readings()))
    bench.run(599)
    assert bench.heats()
    bench.run(2)
    assert not bench.heats()
