"""link.py against a scripted client: what is sent, what is sent again, what is believed."""

import asyncio

import cbor
from journal import Counter, Journal
from link import Link
from mac import Mac0
from scripted import Clock
from sealer import Sealer

KEY = bytes(range(32))
DEVICE = "a0b1c2d3e4f5"
BOOT = 7
BIRTH, ONLINE, OFFLINE = b"sealed birth", b"sealed online", b"sealed offline"


class Mqtt:
    host = "127.0.0.1"
    port = 1883
    user = password = tls = None
    keepalive_s = 60


class Client:
    """Takes what is published, and fails when it is told to."""

    def __init__(self, host, port, client_id, **options):
        self.id = client_id
        self.options = options
        self.connected = False
        self.connects = 0
        self.last_error = None
        self.log = []

    async def connect(self):
        self.connected = True
        self.connects += 1
        await self.options["on_connect"]()

    def say(self, what, payload, retained=False, dup=False):
        self.options["on_message"]("hg/1/" + DEVICE + "/" + what, payload, retained, dup)

    async def subscribe(self, topics):
        self.log += [("subscribe", topic.split("/")[-1], None, None) for topic in topics]

    async def publish(self, topic, payload, retain=False, qos=1, timeout_s=10):
        await self.publish_soon(topic, payload, retain)

    async def publish_soon(self, topic, payload, retain=False):
        if not self.connected:
            raise OSError("not connected")
        self.log.append(("publish", topic.split("/")[-1], bytes(payload), retain))

    async def close(self):
        self.connected = False

    def take(self):
        """What was sent upwards since: the payloads of frames."""
        log, self.log = self.log, []
        return [payload for _, what, payload, _ in log if what == "up"]


class Bench:
    def __init__(self, limit=16384):
        self.clock = Clock()
        self.mac = Mac0(KEY)
        self.journal = Journal(BOOT, limit)
        self.sealer = Sealer(self.mac, self.journal, BOOT, 1)
        self.counter = Counter("command")
        self.done = []
        self.errors = []
        self.answer = None
        self.reused = []
        self.link = Link(
            DEVICE,
            Mqtt(),
            self.clock,
            self.journal,
            self.mac,
            self.sealer,
            BIRTH,
            ONLINE,
            OFFLINE,
            self.counter,
            self.execute,
            self.reused.append,
            client=Client,
        )
        self.client = self.link.client

    def execute(self, verb, args):
        self.done.append((verb, args))
        return self.answer

    def seal(self, count=1):
        for _ in range(count):
            self.sealer.event_list([(1, 0, self.sealer.seq)], None, 5000, keep=True)

    async def serve(self):
        if self.link._ready():
            try:
                await self.link._serve(lambda: None)
            except OSError as error:
                self.errors.append(error)

    async def greeted(self):
        """Connected, and the wait for a retained ack is over."""
        await self.client.connect()
        self.clock.now += 1000
        await self.serve()
        return self.client.take()

    def ack(self, *marks, key=KEY, role=b"ack", retained=True):
        self.client.say("ack", Mac0(key).seal(role, cbor.dumps([1] + [list(mark) for mark in marks])), retained)

    def command(self, counter, verb, args=(), expiry_s=1_700_000_100, key=KEY, role=b"cmd", retained=False):
        message = cbor.dumps([1, counter, expiry_s, verb, list(args)])
        self.client.say("cmd", Mac0(key).seal(role, message), retained)


def frame(payload):
    """The items of a sealed frame, a CBOR sequence."""
    data = Mac0(KEY).open(b"up", payload)
    try:
        return cbor.loads(b"\x86" + data)
    except ValueError:
        return cbor.loads(b"\x88" + data)


def number(payload):
    return frame(payload)[2]


def numbers(payloads):
    return [number(payload) for payload in payloads]


async def test_it_says_who_it_is_on_every_connection():
    bench = Bench()
    for _ in range(2):
        await bench.client.connect()
        log = [(kind, what, retain) for kind, what, _, retain in bench.client.log]
        assert log == [
            ("subscribe", "ack", None),
            ("subscribe", "cmd", None),
            ("publish", "birth", True),
            ("publish", "state", True),
        ]
        assert [log[2] for log in bench.client.log[2:]] == [BIRTH, ONLINE]
        bench.client.log = []
        bench.client.connected = False
    assert bench.client.options["will"] == ("hg/1/" + DEVICE + "/state", OFFLINE)


async def test_frames_wait_for_the_retained_ack():
    bench = Bench()
    bench.seal(3)
    await bench.client.connect()
    await bench.serve()
    assert bench.client.take() == []
    bench.clock.now += 999
    await bench.serve()
    assert bench.client.take() == []
    bench.clock.now += 1
    await bench.serve()
    assert numbers(bench.client.take()) == [1, 2, 3]


async def test_eight_frames_are_on_the_way_at_most():
    bench = Bench()
    bench.seal(20)
    assert numbers(await bench.greeted()) == [1, 2, 3, 4, 5, 6, 7, 8]
    await bench.serve()
    assert bench.client.take() == []
    bench.ack((BOOT, 3))
    await bench.serve()
    assert numbers(bench.client.take()) == [9, 10, 11]
    bench.ack((BOOT, 11))
    await bench.serve()
    assert numbers(bench.client.take()) == list(range(12, 20))
    assert bench.journal.acked == 11


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
    assert bench.journal.after(0, 0) is None


async def test_an_ack_that_moves_on_brings_patience_back():
    bench = Bench()
    bench.seal(2)
    await bench.greeted()
    for _ in range(50):
        bench.clock.now += 1000
        await bench.serve()
    bench.client.take()
    bench.ack((BOOT, 1))
    bench.clock.now += 14999
    await bench.serve()
    assert bench.client.take() == []


async def test_a_gateway_that_commits_every_30_s_is_not_sent_everything_twice():
    bench = Bench()
    bench.seal()
    await bench.greeted()
    for _ in range(20):
        for _ in range(30):
            bench.clock.now += 1000
            await bench.serve()
        bench.ack((BOOT, bench.sealer.seq))
        bench.seal()
        await bench.serve()
    assert bench.link.retransmits <= 1, bench.link.retransmits


async def test_after_a_reconnect_only_what_is_not_acked_comes_again():
    bench = Bench()
    bench.seal(5)
    first = await bench.greeted()
    bench.client.connected = False
    bench.seal(1)
    await bench.serve()
    assert bench.client.take() == []
    await bench.client.connect()
    bench.client.take()
    bench.ack((BOOT, 3))
    await bench.serve()
    again = bench.client.take()
    assert numbers(again) == [4, 5, 6]
    assert again[:2] == first[3:]


async def test_a_connection_that_dies_while_sending_loses_nothing():
    bench = Bench()
    bench.seal(3)
    await bench.client.connect()
    bench.clock.now += 1000
    bench.client.connected = False
    await bench.serve()
    bench.client.connected = True

    async def dies(topic, payload, retain=False):
        bench.client.connected = False
        raise OSError("gone")

    real, bench.client.publish_soon = bench.client.publish_soon, dies
    await bench.serve()
    bench.client.publish_soon = real
    assert numbers(await bench.greeted()) == [1, 2, 3]


async def test_dropped_frames_are_filled_so_that_the_ack_can_move_on():
    bench = Bench(limit=2000)
    bench.seal(2)
    await bench.greeted()
    bench.seal(60)
    assert bench.journal.dropped > 20
    seen = {}
    for _ in range(40):
        await bench.serve()
        for payload in bench.client.take():
            seen[number(payload)] = frame(payload)
        bench.ack((BOOT, max(seen, default=2)))
    assert sorted(seen) == list(range(3, 63))
    fillers = [items for items in seen.values() if not isinstance(items[5], list)]
    assert len(fillers) == bench.journal.dropped
    assert all(items[3] is None and items[4] == 0 for items in fillers)
    assert bench.journal.after(0, 0) is None
    assert bench.sealer.gap(BOOT, 9) == bench.sealer.gap(BOOT, 9)


async def test_only_an_ack_that_verifies_is_believed():
    bench = Bench()
    bench.seal(3)
    await bench.greeted()
    bench.ack((BOOT, 3), key=bytes(32))
    bench.ack((BOOT, 3), role=b"cmd")
    for payload in (b"", b"\x84", bytes(40), cbor.dumps([1, [BOOT, 3]])):
        bench.client.say("ack", payload, retained=True)
    bench.client.say("ack", bench.mac.seal(b"ack", cbor.dumps([2, [BOOT, 3]])), retained=True)
    assert bench.link.refused == {"unverified": 7}
    bench.client.say("ack", bench.mac.seal(b"ack", cbor.dumps([1, [BOOT, "3"]])), retained=True)
    assert bench.link.refused == {"unverified": 7, "form": 1}
    assert bench.journal.after(0, 0)[1] == 1


async def test_the_ack_of_an_earlier_boot_is_not_ours():
    bench = Bench()
    bench.seal(3)
    await bench.greeted()
    bench.ack((BOOT - 1, 300))
    assert bench.journal.after(0, 0)[1] == 1
    assert bench.link.refused == {}
    bench.ack((BOOT - 1, 300), (BOOT, 2))
    assert bench.journal.after(0, 0)[1] == 3


async def test_an_ack_of_what_was_never_sent_tells_that_the_boot_number_is_used_up():
    for mark in ((BOOT, 4), (BOOT + 1, 1)):
        bench = Bench()
        bench.seal(3)
        await bench.greeted()
        bench.ack(mark)
        assert bench.reused == [mark[0]]
        assert bench.journal.after(0, 0)[1] == 1, "nothing is freed"
    bench = Bench()
    bench.seal(3)
    bench.ack((BOOT, 2))
    assert bench.reused == [BOOT], "sealed, but never sent"


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


async def test_it_runs_by_itself_and_leaves_in_order():
    bench = Bench()
    bench.clock.real_ms = lambda: bench.clock.now
    beats = []
    task = asyncio.create_task(bench.link.run(lambda: beats.append(1)))
    bench.sealer.on_frame = bench.link.woken.set
    await bench.client.connect()
    bench.clock.now += 1000
    bench.seal(2)
    await asyncio.sleep_ms(20)
    assert numbers(bench.client.take()) == [1, 2]
    assert not await bench.link.drain(60)
    bench.ack((BOOT, 2))
    assert await bench.link.drain(60)
    bench.client.log = []
    await bench.link.leave()
    assert bench.client.log == [("publish", "state", OFFLINE, True)]
    assert not bench.client.connected
    assert beats
    task.cancel()
