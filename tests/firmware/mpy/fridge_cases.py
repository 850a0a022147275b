"""fridge.py: the door, standing open, and what is put on the shelves."""

import asyncio

from fridge import DoorWatch, Fridge, ShelfWatch
from scripted import Clock, Config, Sealer, Sensor, diagnostics, run_until

CHANNELS = [
    ["fridge_temp", "Cel", 1, 16, 0, "temperature", "fridge_temp"],
    ["door", "/", 1, 1, 1, "door", "door"],
    ["top_shelf", "kg", 1, 1000, 0, "stock", "top_shelf"],
    ["door_event", "/", 1, 1, 3, "door", None],
    ["door_ajar", "s", 1, 1, 3, "door", None],
    ["stock_event", "kg", 1, 1000, 3, "stock", None],
]
DOOR_EVENT, DOOR_AJAR, STOCK_EVENT = 3, 4, 5


class Door(Sensor):
    def __init__(self):
        super().__init__(0)
        self.changed = asyncio.ThreadSafeFlag()

    def swing(self, value):
        self.value = value
        self.changed.set()


def made():
    clock = Clock()
    sealer = Sealer()
    drivers = {"fridge_temp": Sensor(70), "door": Door(), "top_shelf": Sensor(3000)}
    fridge = Fridge(Config(CHANNELS + diagnostics()), clock, drivers, sealer)
    fridge.tick()
    return fridge, clock, sealer, drivers


def events(sealer, channel):
    return [
        (frame[1] + offset_ms, value)
        for frame in sealer.frames
        if frame[0] == "events"
        for index, offset_ms, value in frame[3]
        if index == channel
    ]


def test_door_edges():
    door = DoorWatch()
    assert not door.level(0, 0), "the first level is no edge"
    assert door.level(1, 1000)
    assert not door.level(1, 2000)
    assert not door.level(None, 3000)
    assert door.level(0, 4000)


def test_ajar_after_a_minute_and_every_five():
    door = DoorWatch()
    door.level(0, 0)
    assert door.ajar_s(10**6) is None
    door.level(1, 5000)
    told = []
    for now in range(5000, 1000000, 1000):
        seconds = door.ajar_s(now)
        if seconds is not None:
            told.append(seconds)
    assert told == [60, 360, 660, 960], told
    door.level(0, 1000000)
    assert door.ajar_s(2000000) is None
    door.level(1, 2000000)
    assert door.ajar_s(2059999) is None
    assert door.ajar_s(2060000) == 60


def changes(samples, door_open=()):
    shelf = ShelfWatch()
    found = []
    for index, mass_g in enumerate(samples):
        change_g = shelf.sample(mass_g, index in door_open)
        if change_g is not None:
            found.append((index, change_g))
    return found


def test_a_change_settles_before_it_counts():
    assert changes([3000] * 6 + [2500, 2480, 2520, 2505, 2504, 2503]) == [(11, -496)]


def test_the_first_mass_is_no_change():
    assert changes([3000] * 10) == []


def test_small_changes_and_slow_drift_are_none():
    assert changes([3000 + 20 * (i // 6 % 2) for i in range(60)]) == []
    assert changes([3000 + i // 2 for i in range(400)]) == []


def test_nothing_counts_while_the_door_is_open():
    samples = [3000] * 6 + [2500] * 12
    assert changes(samples, range(6, 15)) == [(17, -500)]


def test_taken_and_put_back_while_open_is_none():
    assert changes([3000] * 6 + [1000] * 6 + [3003] * 6, range(6, 12)) == []


def test_a_failed_scale_is_no_change():
    assert changes([3000] * 6 + [None] * 5 + [3001] * 6) == []
    assert changes([3000] * 6 + [None] * 5 + [2000] * 6) == [(13, -1000)]


def test_a_shelf_change_becomes_an_event():
    fridge, clock, sealer, drivers = made()
    run_until(fridge, clock, 65000)
    drivers["top_shelf"].value = 2400
    run_until(fridge, clock, 200000)
    assert events(sealer, STOCK_EVENT) == [(90000, -600)]


async def test_an_edge_is_told_at_once():
    fridge, clock, sealer, drivers = made()
    names = [task[0] for task in fridge.tasks()]
    assert names == ["appliance", "door"]
    task = asyncio.create_task(fridge.tasks()[1][1]())
    await asyncio.sleep_ms(1)
    clock.now = 3210
    drivers["door"].swing(1)
    await asyncio.sleep_ms(5)
    assert events(sealer, DOOR_EVENT) == [(3210, 1)]
    assert [frame[0] for frame in sealer.frames] == ["columns", "events"]
    clock.now = 5000
    drivers["door"].swing(0)
    await asyncio.sleep_ms(5)
    task.cancel()
    assert events(sealer, DOOR_EVENT) == [(3210, 1), (5000, 0)]


def test_an_edge_that_nobody_signalled_is_seen_at_the_next_sample():
    fridge, clock, sealer, drivers = made()
    drivers["door"].value = 1
    run_until(fridge, clock, 12000)
    assert events(sealer, DOOR_EVENT) == [(10000, 1)]
    run_until(fridge, clock, 400000)
    assert [value for _, value in events(sealer, DOOR_AJAR)] == [60, 360]


def test_a_fridge_without_door_and_shelves_still_reports():
    sealer = Sealer()
    clock = Clock()
    fridge = Fridge(Config(CHANNELS[:1] + diagnostics()), clock, {"fridge_temp": Sensor(70)}, sealer)
    run_until(fridge, clock, 60000)
    assert [len(frame[4]) for frame in sealer.frames] == [6]
    assert len(fridge.tasks()) == 1


def test_what_nobody_may_use_is_watched_at_home_and_not_told():
    fridge, clock, sealer, drivers = made()
    fridge.command("use", [0b111110, 0])
    run_until(fridge, clock, 65000)
    drivers["top_shelf"].value = 2400
    drivers["door"].value = 1
    run_until(fridge, clock, 200000)
    drivers["door"].value = 0
    run_until(fridge, clock, 300000)
    fridge.command("use", [])
    run_until(fridge, clock, 400000)
    assert [events(sealer, channel) for channel in (DOOR_EVENT, DOOR_AJAR, STOCK_EVENT)] == [[], [], []]


async def test_an_edge_of_a_door_that_is_not_to_be_measured_is_not_looked_at():
    fridge, _, _, drivers = made()
    task = asyncio.create_task(fridge.tasks()[1][1]())
    await asyncio.sleep_ms(1)
    asked = []
    drivers["door"].sample = lambda: asked.append(1) or drivers["door"].value
    for args, count in (([0b11010, 0b11010], 0), ([0b11010, 0], 1), ([], 2)):
        fridge.command("use", args)
        drivers["door"].swing(1 - drivers["door"].value)
        await asyncio.sleep_ms(5)
        assert len(asked) == count, args
    task.cancel()


def test_what_happened_while_it_was_quiet_is_not_told_afterwards():
    fridge, clock, sealer, drivers = made()
    drivers["button"] = Sensor(0)
    run_until(fridge, clock, 65000)
    drivers["button"].value = 1
    run_until(fridge, clock, 70000)
    drivers["button"].value = 0
    assert fridge.quiet
    sealer.take()
    drivers["top_shelf"].value = 2400
    drivers["door"].value = 1
    run_until(fridge, clock, 400000)
    drivers["button"].value = 1
    run_until(fridge, clock, 405000)
    drivers["button"].value = 0
    run_until(fridge, clock, 460000)
    fridge.seal()
    assert [events(sealer, channel) for channel in (DOOR_EVENT, DOOR_AJAR, STOCK_EVENT)] == [[], [], []]
    run_until(fridge, clock, 500000)
    (first,) = events(sealer, DOOR_AJAR)
    assert first[1] < 80, "it counts from where it was seen again"
