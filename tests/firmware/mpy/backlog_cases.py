"""flight.py and link.py: the window, what is sent again and when, and boards that come back together."""

import asyncio

from link_bench import BOOT, Bench, Gateway, numbers


async def test_a_window_of_the_backlog_is_on_the_way_at_most():
    bench = Bench()
    bench.seal(40)
    assert numbers(await bench.greeted()) == list(range(1, 17))
    assert await bench.sent() == []
    bench.ack((BOOT, 3))
    assert await bench.sent() == [(BOOT, seq) for seq in (17, 18, 19)]
    bench.ack((BOOT, 19))
    assert await bench.sent() == [(BOOT, seq) for seq in range(20, 36)]
    assert bench.journal.acked == 19


async def test_what_is_not_acked_is_sent_again_byte_for_byte():
    bench = Bench()
    bench.seal(3)
    first = await bench.greeted()
    sent_bytes = bench.link.payload_bytes
    assert sent_bytes == sum(len(payload) for payload in first)
    waits = []
    for _ in range(6):
        waited = 0
        while True:
            bench.clock.now += 1000
            waited += 1
            await bench.serve()
            again = bench.client.take()
            if again:
                break
        assert again == first
        waits.append(waited)
    assert waits == [15, 30, 60, 120, 120, 120], waits
    assert bench.link.retransmits == 18
    assert bench.link.payload_bytes == sent_bytes
    bench.ack((BOOT, 3))
    assert bench.journal.held == 0


async def test_a_gateway_that_commits_late_is_given_its_time():
    bench = Bench()
    bench.seal(2)
    await bench.greeted()
    bench.ack((BOOT, 1), wait_s=120)
    waits = []
    for _ in range(4):
        waited = 0
        while not await bench.sent():
            bench.clock.now += 1000
            waited += 1
        waits.append(waited)
    assert waits == [135, 150, 180, 240], waits
    bench.ack((BOOT, 2), wait_s=0)
    bench.seal()
    assert await bench.sent() == [(BOOT, 3)]
    assert await bench.wait(14000) == []
    assert await bench.wait(1000) == [(BOOT, 3)]


async def test_a_retained_ack_tells_the_pace_too():
    bench = Bench()
    await bench.client.connect()
    bench.ack((BOOT - 1, 5), wait_s=600, retained=True)
    bench.seal()
    assert await bench.wait(614000) == [(BOOT, 1)]
    assert await bench.wait(1000) == [(BOOT, 1)]


async def test_steady_frames_under_long_commits_are_sent_once():
    bench = Bench()
    await bench.client.connect()
    bench.clock.now += 4096
    for _ in range(20):
        for _ in range(120):
            bench.clock.now += 1000
            if bench.clock.now // 1000 % 10 == 0:
                bench.seal()
            await bench.serve()
            bench.client.log = []
        bench.ack((BOOT, bench.sealer.seq), wait_s=120)
    assert bench.link.retransmits <= 36, "before the first ack nobody knows of the long commits"
    assert bench.journal.held == 0


async def test_an_ack_that_moves_on_brings_patience_back():
    bench = Bench()
    bench.seal(2)
    await bench.greeted()
    await bench.wait(50000)
    bench.ack((BOOT, 1))
    assert await bench.wait(14000) == []
    assert await bench.wait(1000) == [(BOOT, 2)]


async def test_after_a_reconnect_only_what_is_not_acked_comes_again():
    bench = Bench()
    bench.seal(5)
    first = await bench.greeted()
    bench.client.connected = False
    bench.seal(1)
    assert await bench.sent() == []
    await bench.client.connect()
    bench.client.take()
    bench.ack((BOOT, 3), retained=True)
    bench.clock.now += 4096
    await bench.serve()
    again = bench.client.take()
    assert numbers(again) == [4, 5, 6]
    assert again[:2] == first[3:]


async def test_live_frames_go_out_though_nothing_is_acked():
    bench = Bench()
    bench.seal(40)
    await bench.greeted()
    for _ in range(10):
        bench.seal()
        bench.clock.now += 1000
        assert await bench.sent() == [(BOOT, bench.sealer.seq)]
    # What is overdue goes again from its first, in the window.
    bench.clock.now += 5000
    assert await bench.sent() == [(BOOT, seq) for seq in range(1, 17)]
    bench.seal()
    assert await bench.sent() == [(BOOT, 51)]


async def test_a_live_frame_that_was_lost_comes_again_in_its_place():
    bench = Bench()
    await bench.greeted()
    bench.seal(3)
    assert await bench.sent() == [(BOOT, 1), (BOOT, 2), (BOOT, 3)]
    bench.ack((BOOT, 1))
    assert await bench.wait(14000) == []
    assert await bench.wait(1000) == [(BOOT, 2), (BOOT, 3)]
    bench.ack((BOOT, 3))
    assert bench.sealer.gaps == 0
    assert bench.journal.held == 0


async def test_a_gateway_that_comes_back_gets_the_rest_at_once():
    bench = Bench()
    gateway = Gateway()
    bench.seal(30)
    await bench.greeted()
    await bench.wait(300000)
    bench.seal()
    await bench.serve()
    bench.ack(*gateway.take(bench.client.take()))
    for _ in range(3):
        await bench.serve()
        bench.ack(*gateway.take(bench.client.take()))
    assert gateway.marks[BOOT] == 31
    assert bench.journal.held == 0


async def test_boards_that_come_back_together_begin_apart():
    begins = []
    for _ in range(60):
        bench = Bench()
        bench.seal()
        await bench.client.connect()
        bench.ack((BOOT - 1, 1), retained=True)
        while not await bench.sent():
            bench.clock.now += 8
        begins.append(bench.clock.now)
    assert max(begins) <= 4096 + 8
    assert max(begins) > 3000, begins
    assert min(begins) < 1000, begins
    assert len(set(begins)) > 40, begins


async def test_the_spread_ends_between_two_looks():
    bench = Bench()
    bench.seal()
    sent_ms = []
    for _ in range(8):
        task = asyncio.create_task(bench.link.run(lambda: None))
        await bench.client.connect()
        bench.ack((BOOT - 1, 1), retained=True)
        bench.link._begin_ms = bench.clock.now + 30
        bench.link._flight._begin_ms = bench.clock.now + 30
        await asyncio.sleep_ms(5)
        bench.clock.now += 30
        await asyncio.sleep_ms(60)
        sent_ms.append(len(bench.client.take()))
        task.cancel()
        bench.client.connected = False
    assert sent_ms == [1] * 8, sent_ms
