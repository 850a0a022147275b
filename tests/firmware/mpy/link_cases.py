"""link.py against a scripted client: what is said on a connection, what is believed, how it ends."""

import asyncio

import cbor
from leaving import reboot
from link_bench import BIRTH, BOOT, DEVICE, KEY, NOW_S, OFFLINE, ONLINE, Bench, frame, numbers


async def test_it_says_who_it_is_on_every_connection():
    bench = Bench()
    for _ in range(2):
        await bench.client.connect()
        log = [(kind, what, retain) for kind, what, _, retain in bench.client.log]
        assert log == [
            ("subscribe", "ack", None),
            ("subscribe", "cmd", None),
            ("subscribe", "update", None),
            ("publish", "birth", True),
            ("publish", "state", True),
        ]
        assert [log[2] for log in bench.client.log[3:]] == [BIRTH, ONLINE]
        bench.client.log = []
        bench.client.connected = False
    assert bench.client.options["will"] == ("hg/1/" + DEVICE + "/state", OFFLINE)


async def test_all_frames_wait_for_the_retained_ack_but_not_for_ever():
    bench = Bench()
    await bench.client.connect()
    bench.seal()
    assert await bench.sent() == []
    bench.clock.now += 999
    assert await bench.sent() == []
    bench.clock.now += 1
    assert await bench.sent() == [(BOOT, 1)]
    again = Bench()
    await again.client.connect()
    again.seal()
    again.ack((BOOT - 1, 9), retained=True)
    assert await again.sent() == [(BOOT, 1)]


async def test_only_an_ack_that_verifies_is_believed():
    bench = Bench()
    bench.seal(3)
    await bench.greeted()
    bench.ack((BOOT, 3), key=bytes(32))
    bench.ack((BOOT, 3), role=b"cmd")
    for payload in (b"", b"\x84", bytes(40), cbor.dumps([1, NOW_S, 0, [BOOT, 3]])):
        bench.client.say("ack", payload, retained=True)
    bench.client.say("ack", bench.mac.seal(b"ack", cbor.dumps([2, NOW_S, 0, [BOOT, 3]])), retained=True)
    assert bench.link.refused == {"unverified": 7}
    assert bench.journal.held == 3


async def test_an_ack_of_another_form_changes_nothing():
    bench = Bench()
    bench.seal(3)
    await bench.greeted()
    mark = [BOOT, 3]
    wrong = (
        [1],
        [1, NOW_S],
        [1, NOW_S, 0],
        [1, mark],
        [1, NOW_S, mark],
        [1, NOW_S, None, mark],
        [1, None, 0, mark],
        [1, -1, 0, mark],
        [1, NOW_S, -1, mark],
        [1, NOW_S, 601, mark],
        [1, NOW_S, 0, mark, 3],
        [1, NOW_S, 0, [BOOT, "3"]],
        [1, NOW_S, 0, [BOOT, -3]],
        [1, NOW_S, 0, [BOOT]],
        [1, NOW_S, 0, [BOOT, 3, 3]],
        [1, NOW_S, 0, mark, []],
    )
    for message in wrong:
        bench.client.say("ack", bench.mac.seal(b"ack", cbor.dumps(message)))
    assert bench.link.refused == {"form": len(wrong)}, bench.link.refused
    assert bench.journal.held == 3


async def test_an_ack_of_what_never_left_tells_that_the_boot_number_is_used_up():
    for mark in ((BOOT, 4), (BOOT + 1, 1)):
        bench = Bench()
        bench.seal(3)
        await bench.greeted()
        bench.ack((BOOT, 2), mark)
        assert bench.reused == [mark[0]]
        assert bench.journal.held == 3, "nothing is freed"
    bench = Bench()
    bench.seal(3)
    bench.ack((BOOT, 2))
    assert bench.reused == [BOOT], "sealed, but never sent"


async def test_a_life_that_goes_on_under_its_own_number_hears_what_is_confirmed():
    bench = Bench()
    bench.link._boot_reused = lambda boot: True
    bench.seal(3)
    await bench.greeted()
    bench.ack((BOOT + 40_000, 9), (BOOT, 2))
    assert bench.journal.held == 1
    assert bench.link.refused == {}


async def test_a_connection_that_dies_while_sending_loses_nothing():
    bench = Bench()
    bench.seal(3)
    await bench.client.connect()
    bench.clock.now += 4096
    bench.client.connected = False
    assert await bench.sent() == []
    bench.client.connected = True

    async def dies(topic, payload, retain=False):
        bench.client.connected = False
        raise OSError("gone")

    real, bench.client.publish_soon = bench.client.publish_soon, dies
    await bench.serve()
    assert len(bench.errors) == 1
    bench.client.publish_soon = real
    assert numbers(await bench.greeted()) == [1, 2, 3]


async def test_the_journal_is_told_whether_the_link_is_good():
    bench = Bench()
    told = []
    bench.journal.tend = lambda now_ms, good: told.append(good)
    bench.link.tend()
    await bench.client.connect()
    bench.link.tend()
    bench.clock.now += 1000
    bench.seal()
    await bench.serve()
    bench.clock.now += 14999
    bench.link.tend()
    bench.clock.now += 1
    bench.link.tend()
    await bench.serve()
    bench.link.tend()
    bench.ack((BOOT, 1))
    bench.link.tend()
    bench.client.connected = False
    bench.link.tend()
    assert told == [False, True, True, False, False, True, False], told


class Leaving:
    """A board, as far as a reboot sees one."""

    def __init__(self, bench):
        self.supervisor = self.appliance = self
        self.journal, self.link = bench.journal, bench.link

    def stop(self, name):
        assert name == "appliance"

    def seal(self):
        pass


async def test_it_runs_by_itself_and_leaves_in_order():
    bench = Bench()
    beats = []
    task = asyncio.create_task(bench.link.run(lambda: beats.append(1)))
    bench.sealer.on_frame = bench.link.woken.set
    await bench.client.connect()
    bench.clock.now += 4096
    bench.seal(2)
    await asyncio.sleep_ms(20)
    assert numbers(bench.client.take()) == [1, 2]
    assert bench.journal.held
    bench.ack((BOOT, 2))
    assert not bench.journal.held
    bench.client.log = []
    await reboot(Leaving(bench))
    assert bench.client.log == [("publish", "state", OFFLINE, True)]
    assert not bench.client.connected
    assert beats
    task.cancel()


async def test_a_frame_that_cannot_be_sent_is_the_same_when_it_can():
    bench = Bench()
    bench.seal(2)
    first = await bench.greeted()
    bench.client.connected = False
    again = await bench.greeted()
    assert again == first
    assert (bench.link.retransmits, bench.link.payload_bytes) == (2, sum(len(payload) for payload in first))
    assert frame(first[0])[:3] == [1, BOOT, 1]
    assert KEY not in first[0]


def states(bench):
    return [entry for entry in bench.client.log if entry[1] == "state"]


async def test_another_state_is_said_once_and_after_every_connection():
    bench = Bench()
    await bench.greeted()
    bench.link.say([2, [4, 0]])
    await bench.serve()
    await bench.serve()
    (said,) = states(bench)
    assert cbor.loads(bench.mac.open(b"state", said[2])) == [1, 7, 2, [4, 0]]
    assert said[3], "retained"
    bench.client.connected = False
    bench.client.take()
    await bench.greeted()
    await bench.client.connect()
    assert states(bench)[-1][2] == said[2]


async def test_a_state_that_changed_without_a_connection_is_what_is_said_first():
    bench = Bench()
    bench.link.say([2])
    await bench.serve()
    assert bench.client.log == []
    await bench.client.connect()
    await bench.serve()
    assert [cbor.loads(bench.mac.open(b"state", entry[2])) for entry in states(bench)] == [[1, 7, 2]]


async def test_a_state_that_could_not_be_sent_is_said_with_the_next_connection():
    bench = Bench()
    await bench.greeted()
    bench.link.say([2])
    working = bench.client.publish_soon

    async def broken(topic, payload, retain=False):
        raise OSError("gone")

    bench.client.publish_soon = broken
    await bench.serve()
    bench.client.publish_soon = working
    bench.client.take()
    await bench.client.connect()
    assert len(states(bench)) == 1
