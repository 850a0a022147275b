"""A link with a scripted client and clock, the real journal, and a gateway that says what the case tells it to."""

import gc

import cbor
from clock import Clock
from journal import Counter, Journal
from link import Link
from mac import Mac0
from sealer import Sealer
from segments import Segments

KEY = bytes(range(32))
DEVICE = "a0b1c2d3e4f5"
BOOT = 7
NOW_S = 1_700_000_000
BIRTH, ONLINE, OFFLINE = b"sealed birth", b"sealed online", b"sealed offline"


class Mqtt:
    host = "127.0.0.1"
    port = 1883
    user = password = tls = None
    keepalive_s = 60


class Stopped(Clock):
    """The board's clock, whose time goes on when the case says so; it does not know the date."""

    def __init__(self):
        self.now = 0
        super().__init__()

    def real_ms(self):
        return self.now


class Client:
    """Takes what is published, and fails when it is told to."""

    def __init__(self, host, port, client_id, **options):
        self.id = client_id
        self.options = options
        self.will = options["will"]
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
    """A board's link in boot `boot`, over a journal in memory, and on flash too with `flash`. Without `time_s` it does
    not know the date."""

    def __init__(self, limit=16384, boot=BOOT, flash=False, time_s=NOW_S, flash_bytes=262144):
        gc.collect()
        self.clock = Stopped()
        if time_s is not None:
            self.clock.set_time_s(time_s)
        self.mac = Mac0(KEY)
        self.journal = Journal(boot, Segments(limit_bytes=flash_bytes) if flash else None, limit)
        self.sealer = Sealer(self.mac, self.journal, boot, 1)
        self.boot = boot
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

    def seal(self, count=1, keep=(), lost=()):
        """Uses so many numbers more. Frames `keep` matter; those `lost` are gone at once."""
        for _ in range(count):
            if self.sealer.seq + 1 in lost:
                self.sealer.seq += 1
            else:
                self.sealer.event_list([(1, 0, self.sealer.seq)], None, 5000, self.sealer.seq + 1 in keep)

    async def serve(self):
        try:
            await self.link._serve(lambda: None)
        except OSError as error:
            self.errors.append(error)

    async def sent(self):
        """(boot, seq) of what goes out now."""
        await self.serve()
        return [tuple(frame(payload)[1:3]) for payload in self.client.take()]

    async def wait(self, ms):
        """What goes out in that time, by a link that looks once a second."""
        await self.serve()
        while ms > 0:
            self.clock.now += min(ms, 1000)
            ms -= 1000
            await self.serve()
        return [tuple(frame(payload)[1:3]) for payload in self.client.take()]

    async def greeted(self):
        """Connected, and the waits of a fresh connection are over: the payloads that went out."""
        await self.client.connect()
        self.clock.now += 4096
        await self.serve()
        return self.client.take()

    def ack(self, *marks, key=KEY, role=b"ack", retained=False, time_s=NOW_S, wait_s=0):
        message = cbor.dumps([1, time_s, wait_s] + [list(mark) for mark in marks])
        self.client.say("ack", Mac0(key).seal(role, message), retained)

    def command(self, counter, verb, args=(), expiry_s=NOW_S + 100, key=KEY, role=b"cmd", retained=False):
        message = cbor.dumps([1, counter, expiry_s, verb, list(args)])
        self.client.say("cmd", Mac0(key).seal(role, message), retained)


def frame(payload):
    """The items of a sealed frame, a CBOR sequence: 6 of events, 8 of rows or a gap."""
    data = Mac0(KEY).open(b"up", payload)
    try:
        return cbor.loads(b"\x86" + data)
    except ValueError:
        return cbor.loads(b"\x88" + data)


def gaps(payloads):
    """(boot, first, last) of the gap frames among them."""
    found = [frame(payload) for payload in payloads]
    return [tuple(items[5:]) for items in found if len(items) == 8]


def numbers(payloads):
    return [frame(payload)[2] for payload in payloads]


class Gateway:
    """Stores what a bench sends, once, and acks as the real one does: every boot heard since the last commit."""

    def __init__(self):
        self.marks = {}  # boot -> up to where all are here, or known to be gone
        self.above = {}  # boot -> the numbers beyond it
        self.stored = self.twice = 0
        self.gaps = []

    def take(self, payloads):
        """Stores frames. Returns the marks to ack."""
        heard = []
        for payload in payloads:
            items = frame(payload)
            boot, seq = items[1:3]
            new = self._add(boot, seq, seq)
            self.stored += new
            self.twice += not new
            heard += [] if boot in heard else [boot]
            if len(items) == 8 and new:
                self.gaps.append(tuple(items[5:]))
                self._add(*items[5:])
                heard += [] if items[5] in heard else [items[5]]
        return [(boot, self.marks[boot]) for boot in heard]

    def _add(self, boot, first, last):
        mark, above = self.marks.get(boot, 0), self.above.setdefault(boot, set())
        new = [seq for seq in range(first, last + 1) if seq > mark and seq not in above]
        above.update(new)
        while mark + 1 in above:
            mark += 1
            above.remove(mark)
        self.marks[boot] = mark
        return len(new)


async def drained(bench, gateway, rounds=60):
    """Serves and acks until nothing is left."""
    for _ in range(rounds):
        await bench.serve()
        payloads = bench.client.take()
        if payloads:
            bench.ack(*gateway.take(payloads))
        bench.clock.now += 100
    assert bench.journal.held == 0, bench.journal.held


def life(boot, count, lost=()):
    """A boot that seals frames, and is cut off when all are on flash, and none in memory."""
    bench = Bench(boot=boot, flash=True)
    bench.seal(count, lost=lost)
    assert bench.journal.spill()
    bench.journal.release()
