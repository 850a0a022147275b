"""link.py: what is said about frames that are gone, and acks that come late, twice, out of order, or say too little."""

from link_bench import BOOT, Bench, Gateway, drained, gaps, numbers


async def test_a_gap_is_told_once_and_the_ack_moves_on():
    bench = Bench()
    gateway = Gateway()
    bench.seal(10, lost=(3, 4, 8))
    payloads = await bench.greeted()
    assert numbers(payloads) == [1, 2, 5, 6, 7, 9, 10]
    bench.ack(*gateway.take(payloads))
    assert bench.sealer.gaps == 1
    await bench.serve()
    payloads = bench.client.take()
    assert gaps(payloads) == [(BOOT, 3, 4)]
    # What comes again before the gateway has taken that in tells nothing new.
    for _ in range(3):
        bench.ack((BOOT, 2))
    assert await bench.sent() == []
    bench.ack(*gateway.take(payloads))
    await drained(bench, gateway)
    assert gateway.gaps == [(BOOT, 3, 4), (BOOT, 8, 8)]
    assert gateway.marks[BOOT] == bench.sealer.seq == 12
    assert bench.sealer.gaps == 2


async def test_what_was_dropped_in_a_full_memory_is_told():
    bench = Bench(limit=2000)
    gateway = Gateway()
    bench.seal(2)
    bench.ack(*gateway.take(await bench.greeted()))
    bench.client.connected = False
    bench.seal(60)
    dropped = bench.journal.dropped
    assert dropped > 10
    bench.ack(*gateway.take(await bench.greeted()))
    await drained(bench, gateway)
    missing = sum(last - first + 1 for _, first, last in gateway.gaps)
    assert missing == dropped, (missing, dropped, gateway.gaps)
    assert gateway.marks[BOOT] == bench.sealer.seq
    assert gateway.stored == bench.sealer.seq - missing


async def test_a_frame_that_was_dropped_on_its_way_is_a_gap_only_if_it_did_not_arrive():
    for arrived in (True, False):
        bench = Bench()
        await bench.greeted()
        bench.seal(4, keep=(1,))
        assert len(await bench.sent()) == 4
        assert bench.journal.release()
        assert bench.journal.release()
        assert bench.journal.dropped == 2
        bench.ack((BOOT, 4 if arrived else 1))
        await bench.serve()
        assert gaps(bench.client.take()) == ([] if arrived else [(BOOT, 2, 3)])


async def test_a_retained_ack_is_no_reason_for_a_gap():
    bench = Bench()
    bench.seal(6)
    await bench.greeted()
    bench.ack((BOOT, 4))
    bench.client.connected = False
    await bench.client.connect()
    bench.ack((BOOT, 2), retained=True)
    bench.clock.now += 4096
    assert await bench.sent() == [(BOOT, 5), (BOOT, 6)]
    bench.ack((BOOT, 2), retained=True)
    assert await bench.sent() == []
    assert bench.sealer.gaps == 0


async def test_acks_twice_and_out_of_order_are_harmless():
    bench = Bench()
    bench.seal(20)
    await bench.greeted()
    for seq in (5, 9, 9, 5, 2, 12, 3, 12, 0):
        bench.ack((BOOT, seq))
    assert bench.journal.after(0, 0)[1] == 13
    assert await bench.sent() == [(BOOT, seq) for seq in (17, 18, 19, 20)]
    bench.ack((BOOT, 20), (BOOT, 19))
    bench.ack((BOOT, 1))
    assert bench.journal.held == 0
    assert (bench.sealer.gaps, bench.link.retransmits, bench.link.refused) == (0, 0, {"old": 7})


async def test_a_gateway_that_forgot_is_told_what_is_gone():
    bench = Bench()
    bench.seal(9)
    await bench.greeted()
    bench.ack((BOOT, 9))
    gateway = Gateway()  # with an old copy of its disk
    gateway.marks[BOOT] = 3
    bench.seal()
    await bench.serve()
    bench.ack(*gateway.take(bench.client.take()))
    assert bench.sealer.gaps == 0, "it may be an old ack that was held up"
    payloads = []
    for _ in range(20):
        bench.clock.now += 1000
        await bench.serve()
        payloads = bench.client.take()
        if payloads:
            bench.ack(*gateway.take(payloads))
    assert gateway.gaps == [(BOOT, 4, 9)], gateway.gaps
    assert gateway.marks[BOOT] == bench.sealer.seq == 11
    assert bench.journal.held == 0


async def test_an_empty_gateway_after_a_reconnect_is_told_at_once():
    bench = Bench()
    bench.seal(9)
    await bench.greeted()
    bench.ack((BOOT, 9))
    gateway = Gateway()
    bench.client.connected = False
    await bench.greeted()
    bench.seal()
    await drained(bench, gateway, 5)
    assert gateway.gaps == [(BOOT, 1, 9)]
    assert gateway.marks[BOOT] == 11


async def test_a_gap_behind_a_full_window_is_told_anew_when_it_got_lost():
    bench = Bench()
    gateway = Gateway()
    bench.seal(40, lost=(2,))
    payloads = await bench.greeted()
    bench.ack(*gateway.take(payloads))
    await bench.serve()
    assert gaps(bench.client.take()) == [(BOOT, 2, 2)], "and it is lost on its way"
    for _ in range(20):
        bench.clock.now += 1000
        await bench.serve()
        bench.ack(*gateway.take(bench.client.take()) or [(BOOT, 1)])
    await drained(bench, gateway)
    assert (BOOT, 2, 2) in gateway.gaps
    assert gateway.marks[BOOT] == bench.sealer.seq


async def test_another_gateway_that_knows_less_does_no_harm():
    bench = Bench()
    first, second = Gateway(), Gateway()
    bench.seal(8)
    payloads = await bench.greeted()
    bench.ack(*first.take(payloads))
    bench.ack(*second.take(payloads[:3]))
    assert bench.journal.held == 0
    bench.seal(2)
    await bench.serve()
    payloads = bench.client.take()
    bench.ack(*second.take(payloads))
    bench.ack(*first.take(payloads))
    assert bench.journal.held == 0
    assert bench.sealer.gaps == 0
    assert first.marks[BOOT] == 10
