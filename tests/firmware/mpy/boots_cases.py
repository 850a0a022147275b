"""flight.py, link.py and the journal on flash: frames of earlier boots, and live frames beside a long backlog."""

from link_bench import BOOT, Bench, Gateway, drained, frame, life, numbers


async def test_frames_of_all_boots_go_out_oldest_first():
    life(3, 20)
    life(5, 7)
    bench = Bench(flash=True)
    bench.seal(2)
    gateway = Gateway()
    payloads = await bench.greeted()
    order = []
    while payloads:
        order += [tuple(frame(payload)[1:3]) for payload in payloads]
        bench.ack(*gateway.take(payloads))
        await bench.serve()
        payloads = bench.client.take()
    assert order == [(3, seq) for seq in range(1, 21)] + [(5, seq) for seq in range(1, 8)] + [(BOOT, 1), (BOOT, 2)]
    assert bench.journal.held == 0
    assert bench.sealer.gaps == 0


async def test_a_live_frame_passes_the_frames_of_other_boots():
    life(3, 100)
    bench = Bench(flash=True)
    await bench.greeted()
    bench.seal()
    assert await bench.sent() == [(BOOT, 1)]
    bench.ack((BOOT, 1))
    assert await bench.sent() == [], "the window of the backlog is full"
    bench.ack((3, 16))
    assert await bench.sent() == [(3, seq) for seq in range(17, 33)]


async def test_a_backlog_that_was_lost_on_the_way_goes_again_though_live_frames_are_confirmed():
    life(3, 100)
    bench = Bench(flash=True)
    await bench.greeted()  # a broker that is full drops these sixteen, and takes what comes later
    for _ in range(30):
        bench.seal()
        again = [position for position in await bench.wait(5000) if position[0] == 3]
        if again:
            break
        bench.ack((BOOT, bench.sealer.seq))
    assert again == [(3, seq) for seq in range(1, 17)], again
    bench.ack((BOOT, bench.sealer.seq), (3, 16))
    assert await bench.sent() == [(3, seq) for seq in range(17, 33)]


async def test_an_ack_of_one_boot_frees_no_other():
    life(3, 3)
    life(5, 3)
    bench = Bench(flash=True)
    bench.seal(3)
    await bench.greeted()
    bench.ack((5, 3), (3, 2))
    assert bench.journal.after(0, 0)[:2] == (3, 3)
    assert bench.journal.after(3, 3)[:2] == (BOOT, 1)
    bench.ack((3, 3), (BOOT, 1))
    assert bench.journal.after(0, 0)[:2] == (BOOT, 2)
    assert bench.link.refused == {}


async def test_a_backlog_of_three_boots_with_holes():
    life(3, 9, lost=(1, 2))
    life(5, 9, lost=(4, 5, 6))
    bench = Bench(flash=True)
    bench.seal(4)
    gateway = Gateway()
    bench.ack(*(gateway.take(await bench.greeted())))
    await drained(bench, gateway)
    assert sorted(gateway.gaps) == [(3, 1, 2), (5, 4, 6)], gateway.gaps
    assert [gateway.marks[boot] for boot in (3, 5, BOOT)] == [9, 9, 6]


async def test_live_frames_overtake_the_backlog_and_it_goes_on():
    bench = Bench(flash=True)
    gateway = Gateway()
    bench.seal(500)
    await bench.client.connect()
    bench.clock.now += 4096
    bench.client.log = []
    sent = 0
    for _ in range(40):
        bench.seal()
        await bench.serve()
        payloads = bench.client.take()
        out = numbers(payloads)
        assert bench.sealer.seq in out, "a live frame goes out at once"
        backlog = [seq for seq in out if seq <= 500]
        assert len(backlog) == min(16, 500 - sent), "and the backlog goes on"
        assert backlog == list(range(sent + 1, sent + len(backlog) + 1)), (sent, backlog)
        sent += len(backlog)
        bench.ack(*gateway.take(payloads))
        bench.clock.now += 1000
    assert (gateway.marks[BOOT], gateway.stored, gateway.twice) == (540, 540, 0)
    assert bench.link.retransmits == 0
    assert bench.journal.held == 0


async def confirmed_life(boot, gateway):
    """A boot with two events that the gateway confirmed; the file that they were in waits to be written over."""
    bench = Bench(boot=boot, flash=True)
    bench.seal(2, keep=(1, 2))
    bench.ack(*gateway.take(await bench.greeted()))
    assert bench.journal.held == 0


async def test_what_an_earlier_boot_had_confirmed_is_sent_once_more_at_the_most():
    gateway = Gateway()
    await confirmed_life(5, gateway)
    second = Bench(boot=6, flash=True)
    second.seal()
    marks = gateway.take(await second.greeted())
    assert marks == [(5, 2), (6, 1)]
    second.ack(*marks)
    assert (gateway.stored, gateway.twice, second.journal.held) == (3, 2, 0)
    third = Bench(flash=True)
    third.seal()
    assert [tuple(frame(payload)[1:3]) for payload in await third.greeted()] == [(BOOT, 1)]


async def test_a_broker_that_keeps_the_ack_spares_even_that():
    gateway = Gateway()
    await confirmed_life(5, gateway)
    bench = Bench(flash=True)
    await bench.client.connect()
    bench.ack((5, 2), retained=True)
    bench.clock.now += 4096
    assert await bench.sent() == []
    assert bench.journal.held == 0


async def full_lives(gateway):
    """Boots 1 to 6 without a link, on a flash with room for two of them; boot 6 ends in an event."""
    power = {}
    for boot in range(1, 7):
        bench = Bench(boot=boot, flash=True, flash_bytes=8192)
        for _ in range(40):
            bench.seal()
        if boot == 6:
            bench.seal(keep=(41,))
        assert bench.journal.spill()
        power[boot] = bench.sealer.seq
        bench.journal.release()
    return power


async def test_boots_whose_last_frames_are_gone_are_told_and_told_once():
    gateway = Gateway()
    sealed = await full_lives(gateway)
    bench = Bench(flash=True)
    await bench.client.connect()
    bench.clock.now += 4096
    rounds = 0
    for _ in range(30):
        # The link comes back again and again, but the gateway is away: nothing is told a second time.
        await bench.serve()
        bench.client.take()
        told = bench.sealer.gaps
        assert not rounds or told == rounds
        rounds = told
        bench.client.connected = False
        await bench.client.connect()
        bench.clock.now += 4096
    assert 0 < told < 6
    await drained(bench, gateway, 200)
    assert bench.journal.after(0, 0) is None
    assert {boot: gateway.marks[boot] for boot in sealed} == sealed
    missing = sum(last - first + 1 for _, first, last in gateway.gaps)
    assert gateway.stored + missing == sum(sealed.values()) + bench.sealer.seq, gateway.gaps


async def test_a_loss_that_was_told_and_came_to_nothing_is_told_again():
    """The gateway has the frame that told it, and the broker lost the ack of what that spoke of."""
    gateway = Gateway()
    sealed = await full_lives(gateway)
    bench = Bench(flash=True)
    marks = gateway.take(await bench.greeted())
    for rounds, told in ((14, 3), (8, 6)):
        for _ in range(rounds):
            heard = [mark for mark in marks if mark[0] >= 4]
            if heard:
                bench.ack(*heard)
            bench.clock.now += 2000
            await bench.serve()
            marks = gateway.take(bench.client.take())
        assert bench.sealer.gaps == told, bench.sealer.gaps
    assert {boot: gateway.marks[boot] for boot in sealed} == sealed
    assert bench.journal.after(0, 0)[:2] == (1, sealed[1])
    bench.ack(*gateway.marks.items())
    await drained(bench, gateway)
    assert bench.journal.after(0, 0) is None


async def test_many_losses_do_not_stand_before_the_frames_that_tell_them():
    """More boots than there is room in the window, and the first telling is lost on the way."""
    gateway = Gateway()
    for boot in range(1, 19):
        bench = Bench(boot=boot, flash=True, flash_bytes=8192)
        bench.seal(60)
        assert bench.journal.spill()
        bench.journal.release()
    bench = Bench(boot=20, flash=True, flash_bytes=8192)
    await bench.client.connect()
    bench.clock.now += 4096
    await bench.serve()
    bench.client.take()
    bench.client.connected = False
    bench.ack(*(gateway.take(await bench.greeted()) or [(20, 0)]))
    await drained(bench, gateway, 100)
    assert bench.journal.after(0, 0) is None
    assert all(gateway.marks[boot] == 60 for boot in range(1, 19))
