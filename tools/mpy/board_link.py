"""A board's link, which takes what the gateway says: acks and commands. Runs under CPython and on MicroPython."""

from binascii import hexlify

from board_files import DEVICE, records

KEY = bytes(range(32))
BOOT = 7
FRAMES = 6
NOW_S = 1_780_000_000
MAX_TIME_S = 1 << 36


def to_hex(data):
    """The bytes as digits."""
    return hexlify(data).decode()


def finish(coroutine):
    """The result of what never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("it waits")


class _Clock:
    """Stands still, and is told the time."""

    def __init__(self):
        self.told_s = NOW_S

    def real_ms(self):
        return 100000

    uptime_ms = real_ms

    def time_s(self, uptime_ms=None):
        return self.told_s

    def set_time_s(self, unix_s, source="system"):
        self.told_s = unix_s


class _Broker:
    host = "127.0.0.1"
    port = 1883
    user = password = tls = None
    keepalive_s = 60


class _Client:
    """Takes everything at once."""

    last_error = None

    def __init__(self, host, port, client_id, **options):
        self.on_connect, self.on_message = options["on_connect"], options["on_message"]
        self.connected, self.connects = False, 0

    async def subscribe(self, topics):
        pass

    async def publish(self, topic, payload, retain=False):
        pass

    publish_soon = publish


class _Board:
    """A link that has sent six frames of boot BOOT, and holds them until they are confirmed."""

    def __init__(self, load):
        self.clock = _Clock()
        self.mac = load("mac").Mac0(KEY)
        journal = load("journal")
        self.journal = journal.Journal(BOOT)
        self.sealer = load("sealer").Sealer(self.mac, self.journal, BOOT, 1)
        self.counter = journal.Counter("none")
        self.counter.store = self._store
        self.said = []
        self.link = load("link").Link(
            DEVICE, _Broker(), self.clock, self.journal, self.mac, self.sealer, b"birth", b"online", b"offline",
            self.counter, self._execute, self._reused, client=_Client,
        )  # fmt: skip
        self.link.client.connected, self.link.client.connects = True, 1
        finish(self.link.client.on_connect())
        self.link._ack_by_ms = 0
        for number in range(FRAMES):
            self.sealer.event_list([(1, 0, number)], None, 5000, False)
        finish(self.link._serve(lambda: None))

    def _store(self, value):
        if value <= self.counter.value:
            raise RuntimeError("a command's counter does not grow")
        self.counter.value = value

    def _execute(self, verb, args):
        self.said.append("%d does %s" % (self.counter.value, to_hex(verb.encode())))
        if len(args) > 1:
            return "arguments"

    def _reused(self, boot):
        self.said.append("boot %d is used" % boot)


def _downlink(load, what):
    """Messages from the gateway, in a row. Kinds: 1 = kept by the broker."""

    def read(data):
        board = _Board(load)
        link = board.link
        for kind, payload in records(data):
            sealed = board.mac.seal(what.encode(), payload)
            link.client.on_message("hg/1/%s/%s" % (DEVICE, what), sealed, bool(kind & 1), False)
            finish(link._serve(lambda: None))
        if not 0 <= board.clock.told_s <= MAX_TIME_S:
            raise RuntimeError("the clock is set to a time that no frame can carry")
        place, held = (0, 0), []
        while True:
            entry = board.journal.after(*place)
            if entry is None:
                break
            place = entry[:2]
            held.append("%d.%d" % place)
        if len(held) != board.journal.held:
            raise RuntimeError("%d frames are counted and %d are there" % (board.journal.held, len(held)))
        refused = ["%s %d" % (why, link.refused[why]) for why in sorted(link.refused)]
        return "holds %s, at %d s, refused %s: %s" % (
            " ".join(held), board.clock.told_s, ", ".join(refused), ", ".join(board.said),
        )  # fmt: skip

    return read


def ack(load):
    """Acks in a row."""
    return _downlink(load, "ack")


def command(load):
    """Commands in a row."""
    return _downlink(load, "cmd")
