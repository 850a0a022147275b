"""clock.py: the ticks' wrap, simulated speed, and how uptime and Unix time hang together."""

import asyncio

import clock

PERIOD = 1 << 30  # of an ESP32's ticks


class Ticks:
    """Stands in for the time module: ticks as a 32-bit board counts them."""

    def __init__(self, now=0, unix_ms=0):
        self.now = now
        self.unix_ms = unix_ms

    def ticks_ms(self):
        return self.now % PERIOD

    def ticks_diff(self, late, early):
        return (late - early + PERIOD // 2) % PERIOD - PERIOD // 2

    def time_ns(self):
        return self.unix_ms * 1000000


def test_uptime_goes_on_past_the_wrap_of_the_ticks():
    ticks = clock.time = Ticks(PERIOD - 5000)
    c = clock.Clock()
    for step in (1000, 3999, 1, 1, 2000, PERIOD // 2 - 1, PERIOD // 2 - 1, 7):
        before = c.uptime_ms()
        ticks.now += step
        assert c.uptime_ms() == before + step
    assert c.uptime_ms() == 7001 + PERIOD - 2 + 7


def test_speed_multiplies_time():
    ticks = clock.time = Ticks(100)
    c = clock.Clock(60)
    ticks.now += 2500
    assert c.uptime_ms() == 150000
    assert c.real_ms() == 2500


def test_an_unset_clock_says_so():
    clock.time = Ticks()
    assert clock.Clock().time_s() is None


def test_time_and_uptime_share_their_milliseconds():
    ticks = clock.time = Ticks(123)
    c = clock.Clock()
    ticks.now += 4567
    c.set_time_s(1_800_000_000)
    assert c.time_s() == 1_800_000_000
    # A frame's first row was measured earlier than the frame is sealed.
    assert c.time_s(567) == 1_800_000_000 - 4
    ticks.now += 432
    assert c.time_s() == 1_800_000_000
    ticks.now += 1
    assert c.time_s() == 1_800_000_001


def test_a_second_of_jitter_moves_nothing_but_more_does():
    clock.time = Ticks()
    c = clock.Clock()
    c.set_time_s(1000)
    c.set_time_s(1001)
    assert c.time_s() == 1000
    c.set_time_s(1002)
    assert c.time_s() == 1002


def test_the_gateway_is_believed_where_nobody_else_tells_the_time():
    clock.time = Ticks()
    c = clock.Clock()
    assert c.source is None
    c.set_time_s(1000, "gateway")
    assert (c.time_s(), c.source) == (1000, "gateway")
    for said_s, kept_s in ((1002, 1000), (998, 1000), (1003, 1003), (1000, 1000)):
        c.set_time_s(said_s, "gateway")
        assert c.time_s() == kept_s, said_s
    c.set_time_s(1500, "ntp")
    c.set_time_s(9000, "gateway")
    assert (c.time_s(), c.source) == (1500, "ntp")
    c.set_time_s(1700)
    c.set_time_s(9000, "gateway")
    assert (c.time_s(), c.source) == (1700, "system")


def test_who_agrees_with_the_gateway_takes_its_place():
    clock.time = Ticks()
    c = clock.Clock()
    c.set_time_s(1000, "gateway")
    c.set_time_s(1001, "ntp")
    c.set_time_s(1050, "gateway")
    assert (c.time_s(), c.source) == (1000, "ntp")


def test_simulated_time_runs_from_its_epoch():
    ticks = clock.time = Ticks(0, 1_700_000_010_000)
    c = clock.Clock(60, 1_700_000_000_000)
    assert c.time_s() == 1_700_000_600
    ticks.now += 1000
    assert c.time_s() == 1_700_000_660


async def test_sleep_is_rounded_up_to_real_milliseconds():
    slept = []

    async def sleep_ms(ms):
        slept.append(ms)

    real = asyncio.sleep_ms
    asyncio.sleep_ms = sleep_ms
    c = clock.Clock(60)
    for ms in (0, 1, 60, 61, 10000, -5):
        await c.sleep_ms(ms)
    asyncio.sleep_ms = real
    assert slept == [0, 1, 1, 2, 167, 0], slept
