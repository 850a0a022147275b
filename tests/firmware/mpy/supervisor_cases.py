"""supervisor.py: crashed tasks come back, silent ones starve the watchdog, and the end is safe."""

import asyncio

import supervisor
from supervisor import Supervisor


class Watchdog:
    def __init__(self):
        self.fed = 0

    def feed(self):
        self.fed += 1


class Time:
    """Ticks that a script moves on."""

    now = 0

    def ticks_ms(self):
        return self.now

    def ticks_diff(self, late, early):
        return late - early


class Bench:
    def __init__(self):
        self.watchdog = Watchdog()
        self.resets = []
        self.safe = []
        self.time = supervisor.time = Time()
        self.seconds = []
        self.supervisor = Supervisor(
            self.watchdog,
            lambda: self.resets.append(1),
            lambda: self.safe.append(1),
            lambda: self.seconds.append(1),
        )


async def hang(beat):
    beat()
    while True:
        await asyncio.sleep_ms(1000)


def fast(bench):
    """Backoffs are counted, not waited for."""
    waits = []
    real = asyncio.sleep_ms

    async def sleep_ms(ms):
        waits.append(ms)
        bench.time.now += ms
        await real(0)

    supervisor.asyncio = type("Asyncio", (), {"sleep_ms": sleep_ms, "create_task": asyncio.create_task})
    return waits, real


async def test_the_watchdog_is_fed_while_all_check_in():
    bench = Bench()
    bench.supervisor.add("loop", hang, 5000)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    assert bench.watchdog.fed == 1
    assert bench.seconds == [1]
    bench.time.now = 5000
    assert bench.supervisor.look() == []
    assert bench.watchdog.fed == 2
    task.cancel()


async def test_a_silent_task_starves_the_watchdog_and_makes_the_board_safe():
    bench = Bench()
    beats = []

    async def start(beat):
        beats.append(beat)
        await hang(beat)

    bench.supervisor.add("loop", start, 5000)
    bench.supervisor.add("free", asyncio.Event().wait)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    bench.time.now = 5001
    assert bench.supervisor.look() == ["loop"]
    assert bench.watchdog.fed == 1
    assert bench.safe == [1]
    beats[0]()
    assert bench.supervisor.look() == []
    assert bench.watchdog.fed == 2
    task.cancel()


async def test_a_crashed_task_is_started_again_with_growing_pauses():
    bench = Bench()
    waits, real = fast(bench)
    starts = []

    async def crash(beat):
        starts.append(1)
        if len(starts) < 5:
            raise ValueError("as scripted")
        await asyncio.Event().wait()

    bench.supervisor.add("crash", crash, 5000)
    task = asyncio.create_task(bench.supervisor._keep(bench.supervisor._watched[0]))
    for _ in range(50):
        await real(0)
    assert len(starts) == 5
    assert waits == [1000, 2000, 4000, 8000]
    assert bench.supervisor.crashes == 4
    assert bench.resets == []
    task.cancel()


async def test_a_task_that_waits_for_its_restart_is_not_silent():
    bench = Bench()

    async def crash(beat):
        raise ValueError("as scripted")

    bench.supervisor.add("crash", crash, 10)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    bench.time.now = 500
    assert bench.supervisor.look() == []
    task.cancel()


async def test_too_many_crashes_reset_a_board_that_is_safe():
    bench = Bench()
    waits, real = fast(bench)

    async def crash():
        raise MemoryError("as scripted")

    bench.supervisor.add("crash", crash)
    task = asyncio.create_task(bench.supervisor._keep(bench.supervisor._watched[0]))
    for _ in range(60):
        await real(0)
        if bench.resets:
            break
    task.cancel()
    assert bench.supervisor.crashes == 8
    assert waits[:7] == [1000, 2000, 4000, 8000, 16000, 32000, 60000]
    assert bench.safe and bench.resets


async def test_long_health_forgives_old_crashes():
    bench = Bench()
    waits, real = fast(bench)
    runs = []

    async def crash():
        runs.append(1)
        bench.time.now += 600000
        if len(runs) < 30:
            raise ValueError("as scripted")
        await asyncio.Event().wait()

    bench.supervisor.add("crash", crash)
    task = asyncio.create_task(bench.supervisor._keep(bench.supervisor._watched[0]))
    for _ in range(200):
        await real(0)
    task.cancel()
    assert len(runs) == 30
    assert bench.resets == []
    assert set(waits) == {1000}


async def test_a_task_that_ends_is_started_again_as_one_that_crashed():
    bench = Bench()
    waits, real = fast(bench)
    runs = []

    async def end():
        runs.append(1)

    bench.supervisor.add("end", end)
    task = asyncio.create_task(bench.supervisor._keep(bench.supervisor._watched[0]))
    for _ in range(60):
        await real(0)
        if bench.resets:
            break
    task.cancel()
    assert len(runs) == 8
    assert waits[:3] == [1000, 2000, 4000]
    assert bench.safe and bench.resets, "what nobody does is not left undone for ever"


async def test_before_it_blocks_the_loop_a_task_has_the_watchdog_fed_if_all_is_well():
    bench = Bench()
    beats = []

    async def start(beat):
        beats.append(beat)
        await asyncio.Event().wait()

    bench.supervisor.add("loop", start, 10000)
    bench.supervisor.add("time", start, 7200000)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    fed = bench.watchdog.fed
    bench.time.now = 900
    beats[1]()
    assert bench.watchdog.fed == fed, "to check in alone feeds nothing"
    beats[1](1)
    assert bench.watchdog.fed == fed + 1
    bench.time.now = 10001
    beats[1](1)
    assert bench.watchdog.fed == fed + 1 and bench.safe, "the other one hangs"
    task.cancel()


async def test_shutting_down_makes_the_board_safe_and_cancels_all():
    bench = Bench()
    ended = []

    async def start(beat):
        try:
            await hang(beat)
        finally:
            ended.append(1)

    bench.supervisor.add("a", start, 5000)
    bench.supervisor.add("b", start, 5000)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    task.cancel()
    await asyncio.sleep_ms(5)
    assert bench.safe
    assert ended == [1, 1]


async def test_one_task_can_be_stopped_alone():
    bench = Bench()
    bench.supervisor.add("a", hang, 5000)
    bench.supervisor.add("b", hang, 5000)
    task = asyncio.create_task(bench.supervisor.run())
    await asyncio.sleep_ms(5)
    bench.supervisor.stop("a")
    await asyncio.sleep_ms(5)
    bench.time.now = 5001
    assert bench.supervisor.look() == ["b"]
    task.cancel()
