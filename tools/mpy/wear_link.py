"""In the place of mqtt.py: a client whose connection comes and goes by a script, and a gateway that acks at its pace.

`script` is set before the board is made. Everything from link.py upwards is the firmware's own.
"""

import asyncio

import cbor
import wear_time
from mac import Mac0

# What a gateway lets frames wait for one commit when nobody looks: events, and series.
EVENT_WAIT_MS = 1_000
SERIES_WAIT_MS = 120_000
# How long a dead connection passes for a living one: what is sent meanwhile is lost.
_UNNOTICED_MS = 20_000
_LOOK_MS = 500


class Script:
    """`up(now_ms)` tells whether the network is there. `device` and `key` are the board's."""

    def __init__(self, up, device, key):
        self.up = up
        self.topic = "hg/1/" + device + "/ack"
        self.mac = Mac0(key)
        self.heard = {}  # boot -> the numbers that came above the mark, and the mark
        self.pending = []
        self.due_ms = None
        self.frames = 0
        self.twice = 0
        self.commits = 0

    def take(self, payload, now_ms):
        """A frame has arrived."""
        items = _items(self.mac.open(b"up", payload))
        urgent = isinstance(items[-1], list)
        due_ms = now_ms + (EVENT_WAIT_MS if urgent else SERIES_WAIT_MS)
        self.due_ms = due_ms if self.due_ms is None else min(due_ms, self.due_ms)
        self.pending.append((items[1], items[2], items[2]))
        if len(items) == 8 and isinstance(items[-1], int):
            self.pending.append(tuple(items[5:8]))

    def commit(self):
        """What arrived is on disk: the marks go up."""
        self.due_ms = None
        self.commits += 1
        for boot, first, last in self.pending:
            mark, above = self.heard.setdefault(boot, [0, set()])
            for seq in range(first, last + 1):
                if seq <= mark or seq in above:
                    self.twice += 1
                else:
                    self.frames += 1
                    above.add(seq)
            while mark + 1 in above:
                mark += 1
                above.remove(mark)
            self.heard[boot][0] = mark
        self.pending = []

    def ack(self, now_ms):
        """The ack as the gateway would say it now, or None before anything came."""
        if not self.heard:
            return None
        marks = [[boot, mark] for boot, (mark, _) in sorted(self.heard.items())][-8:]
        body = [1, wear_time.START_S + now_ms // 1000, SERIES_WAIT_MS // 1000] + marks
        return self.mac.seal(b"ack", cbor.dumps(body))


def _items(frame):
    """The items of a frame, a CBOR sequence of 6, 8 or 9."""
    for count in (6, 8, 9):
        try:
            return cbor.loads(bytes((0x80 + count,)) + frame)
        except ValueError:
            pass
    raise ValueError("not a frame")


script = None


class Client:
    """The part of mqtt.Client that link.py uses."""

    def __init__(self, host, port, client_id, on_message=None, on_connect=None, **_):
        self.connected = False
        self.connects = 0
        self.last_error = None
        self._on_message = on_message
        self._on_connect = on_connect
        self._seen_ms = 0

    async def run(self, beat):
        """Follows the script, and speaks for the gateway behind it."""
        while True:
            beat()
            now_ms = wear_time.now_ms()
            up = script.up(now_ms)
            if up:
                self._seen_ms = now_ms
            if up and not self.connected:
                self.connected = True
                self.connects += 1
                await self._on_connect()
                self._say(script.ack(now_ms), retained=True)
            elif self.connected and now_ms - self._seen_ms > _UNNOTICED_MS:
                self.connected = False
            if script.due_ms is not None and now_ms >= script.due_ms:
                script.commit()
                if up:
                    self._say(script.ack(now_ms), retained=False)
            await asyncio.sleep_ms(_LOOK_MS)

    def _say(self, payload, retained):
        if payload is not None:
            self._on_message(script.topic, payload, retained, False)

    async def subscribe(self, topics):
        pass

    async def publish(self, topic, payload, retain=False, qos=1, timeout_s=10):
        await self.publish_soon(topic, payload, retain)

    async def publish_soon(self, topic, payload, retain=False):
        if not self.connected:
            raise OSError("not connected")
        if topic.endswith("/up") and script.up(wear_time.now_ms()):
            script.take(bytes(payload), wear_time.now_ms())

    async def close(self):
        self.connected = False
