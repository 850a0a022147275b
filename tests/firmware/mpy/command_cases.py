"""link.py: which commands are obeyed, against a scripted client."""

import cbor
from journal import Counter
from link_bench import Bench


async def test_a_command_is_done_once():
    bench = Bench()
    await bench.greeted()
    bench.command(5, "live", [60])
    bench.command(5, "live", [60])
    bench.command(4, "off")
    assert bench.done == [("live", [60])]
    assert bench.link.refused == {"counter": 2}
    assert Counter("command").value == 5
    bench.command(6, "off")
    assert len(bench.done) == 2


async def test_a_counter_outlives_a_restart():
    bench = Bench()
    bench.command(5, "off")
    again = Bench()
    again.command(5, "off")
    assert again.done == []
    assert again.link.refused == {"counter": 1}


async def test_the_counter_is_stored_before_the_command_is_done():
    bench = Bench()
    stored = []
    bench.link._execute = lambda verb, args: stored.append(Counter("command").value)
    bench.command(9, "boil")
    assert stored == [9]

    def full(value):
        raise OSError(28)

    bench.counter.store = full
    bench.command(10, "boil")
    assert stored == [9], "what could be replayed after a restart is not done"
    assert bench.link.refused == {"flash": 1}


async def test_an_expired_command_is_refused():
    bench = Bench()
    for expiry_s in (0, -5, 1_699_999_999, 1_700_000_000):
        bench.command(5, "boil", expiry_s=expiry_s)
    assert bench.done == []
    assert bench.link.refused == {"expired": 4}
    bench.command(5, "boil", expiry_s=1_700_000_001)
    assert len(bench.done) == 1


async def test_a_board_without_a_clock_takes_no_command():
    bench = Bench()
    bench.clock.offset_s = None
    bench.command(5, "boil")
    assert bench.done == []
    assert bench.link.refused == {"clock": 1}


async def test_a_strangers_command_is_refused():
    bench = Bench()
    bench.command(5, "boil", key=bytes(32))
    bench.command(5, "boil", role=b"up")
    bench.command(5, "boil", retained=True)
    for message in ([1, 5, 1_700_000_100, "boil"], [1, "5", 1_700_000_100, "boil", []], [1, 5, 0, 7, []], [1], 1, []):
        bench.client.say("cmd", bench.mac.seal(b"cmd", cbor.dumps(message)))
    bench.client.say("cmd", b"\xff" * 30)
    bench.client.say("other", b"")
    assert bench.done == []
    assert Counter("command").value == 0
    assert bench.link.refused == {"unverified": 5, "retained": 1, "form": 4, "topic": 1}, bench.link.refused


async def test_why_an_appliance_refuses_is_counted():
    bench = Bench()
    bench.answer = "unarmed"
    bench.command(5, "boil")
    bench.command(6, "boil")
    assert bench.link.refused == {"unarmed": 2}
