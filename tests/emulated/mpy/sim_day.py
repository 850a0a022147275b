"""Prints what an emulated board measures: two hours of rows and edges through its drivers, then a day's hash.

Runs under MicroPython and CPython alike, in a folder where a board's files lie flat: sim_day.py fridge_sim SEED
"""

import asyncio
import sys

STEP_MS = 10_000
HOURS = 2
READINGS = {
    "fridge_sim": ("fridge_16ths", "freezer_16ths", "top_g", "bottom_g", "power_w"),
    "kettle_sim": ("water_16ths", "water_g", "power_w"),
}
TURNS = 4  # of the event loop in a simulated second: enough for all that wait for one edge


class StandInClock:
    """Simulated time that the test moves."""

    def __init__(self):
        self.now_ms = 0

    def uptime_ms(self):
        return self.now_ms

    async def sleep_ms(self, ms):
        until = self.now_ms + ms
        while self.now_ms < until:  # noqa: ASYNC110 - both interpreters have to take the same turns
            await asyncio.sleep(0)


async def _watch(name, contact, drivers, clock):
    while True:
        await contact.changed.wait()
        value = contact.sample()
        print("edge", clock.now_ms, name, value)
        if name == "button" and value and drivers["water_mass"].sample() > 200:
            drivers["heater"].set(1)


async def two_hours(module, seed):
    clock = StandInClock()
    drivers = module.open_drivers({"sim": {"seed": seed, "speed": 1}}, clock)
    coroutines = [task() for task in drivers.pop("tasks")]
    sensors = [drivers[name] for name in sorted(drivers)]
    for name in sorted(drivers):
        if hasattr(drivers[name], "changed"):
            coroutines.append(_watch(name, drivers[name], drivers, clock))  # noqa: PERF401 - only where there is an edge
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    while clock.now_ms < HOURS * 3_600_000:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if clock.now_ms % STEP_MS == 0:
            print(*[sensor.sample() for sensor in sensors])
            if "heater" in drivers and drivers["water_temp"].sample() > 1580:
                drivers["heater"].set(0)
        clock.now_ms += 1000
    for task in tasks:
        task.cancel()


def a_day(module, seed):
    world = module.World(seed)
    readings = [getattr(world, name) for name in READINGS[module.__name__]]
    h = 0
    for t_ms in range(0, 86_400_000, STEP_MS):
        world.advance(t_ms)
        world.edges.clear()
        for reading in readings:
            h = (h * 1_000_003 + reading()) & 0xFFFFFFFF
    print("day", len(readings), h)


module = __import__(sys.argv[1])
asyncio.run(two_hours(module, int(sys.argv[2])))
a_day(module, int(sys.argv[2]))
