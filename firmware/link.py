"""The board's end of the wire: birth and state, frames until the gateway has them on disk, commands that verify.

A broker's PUBACK says nothing about the gateway's disk: only the gateway's own cumulative `ack` frees a frame.
Until then the very same bytes are sent again.
"""

import asyncio

import cbor
import mqtt
from micropython import const

_VERSION = const(1)
# Frames on the way without an ack. At a commit every 50 ms this is 160 frames a second.
_WINDOW = const(8)
_RETRY_FIRST_MS = const(15000)
_RETRY_MOST_MS = const(120000)
# How long a fresh connection waits for the retained ack before it sends again what it may already have sent.
_ACK_WAIT_MS = const(1000)
_LOOK_MS = const(1000)


class Link:
    """Owns the MQTT client. `broker` is config.Mqtt; `birth`, `online` and `offline` are sealed messages; `counter` is
    the highest command counter seen; `woken` is to be set when there is a frame to send. `execute(verb, args)` does a
    command and returns None, or why it refuses. `boot_reused(boot)` is told when the gateway knows a later life of
    this board than the board itself."""

    def __init__(
        self,
        device,
        broker,
        clock,
        journal,
        mac,
        sealer,
        birth,
        online,
        offline,
        counter,
        execute,
        boot_reused,
        client=mqtt.Client,
    ):
        self.refused = {}
        self._trouble = None
        self.retransmits = 0
        self.payload_bytes = 0
        self._clock = clock
        self._journal = journal
        self._mac = mac
        self._sealer = sealer
        self._boot = sealer.boot
        self._counter = counter
        self._execute = execute
        self._boot_reused = boot_reused
        self._birth = birth
        self._online = online
        self._offline = offline
        self.woken = asyncio.Event()
        self._greeted = 0
        self._sent = 0
        self._highest = 0
        self._acked = 0
        # Since when an ack is awaited: from the last and from the first time that its frame was sent.
        self._since_ms = self._first_ms = 0
        self._retry_ms = _RETRY_FIRST_MS
        self._hold_ms = None
        topic = "hg/1/" + device + "/"
        self._topic = topic
        self._up = topic + "up"
        self._tls = broker.tls is not None
        self.client = client(
            broker.host,
            broker.port,
            device,
            user=broker.user,
            password=broker.password,
            keepalive_s=broker.keepalive_s,
            tls=broker.tls,
            will=(topic + "state", offline),
            on_message=self._on_message,
            on_connect=self._on_connect,
        )

    async def keep_connected(self):
        """Runs the client. A certificate's dates cannot be checked without a clock, so TLS waits for it."""
        while self._tls and self._clock.time_s() is None:
            await asyncio.sleep_ms(_LOOK_MS)
        await self.client.run()

    async def run(self, beat):
        """Sends what there is to send, for ever."""
        while True:
            try:
                await asyncio.wait_for_ms(self.woken.wait(), _LOOK_MS)
            except asyncio.TimeoutError:
                pass
            self.woken.clear()
            beat()
            if self.client.last_error != self._trouble:
                self._trouble = self.client.last_error
                print("mqtt:", self._trouble)
            if self._ready():
                try:
                    await self._serve(beat)
                except OSError:
                    # The client connects again by itself; what was not acked is still in the journal.
                    pass

    async def drain(self, limit_ms):
        """Waits until everything is acked; False if that did not happen within `limit_ms` (real)."""
        waited = 0
        while self._journal.after(0, 0) is not None:
            if waited >= limit_ms:
                return False
            await asyncio.sleep_ms(50)
            waited += 50
        return True

    async def leave(self):
        """Says that the board goes offline on purpose."""
        if self.client.connected:
            try:
                await self.client.publish(self._topic + "state", self._offline, retain=True, timeout_s=2)
            except OSError:
                # Then the last will says it.
                pass
        await self.client.close()

    def _ready(self):
        """Connected, and everybody knows who is there."""
        return self.client.connected and self._greeted == self.client.connects

    async def _on_connect(self):
        client = self.client
        this = client.connects
        self._hold_ms = self._clock.real_ms() + _ACK_WAIT_MS
        await client.subscribe((self._topic + "ack", self._topic + "cmd"))
        await client.publish(self._topic + "birth", self._birth, retain=True)
        await client.publish(self._topic + "state", self._online, retain=True)
        self._greeted = this
        print("mqtt: connected")
        self.woken.set()

    async def _serve(self, beat):
        now = self._clock.real_ms()
        if self._hold_ms is not None:
            if now < self._hold_ms:
                return
            self._rewind(now)
        elif self._sent > self._acked and now - self._since_ms >= self._retry_ms:
            self._retry_ms = min(2 * self._retry_ms, _RETRY_MOST_MS)
            self._rewind(now)
        while self._hold_ms is None and self._ready() and self._sent - self._acked < _WINDOW:
            following = self._journal.after(self._boot, self._sent)
            if following is None:
                break
            await self._send(*following)
            beat()

    def _rewind(self, now):
        """Everything that is not acked goes out again from its first."""
        self._hold_ms = None
        self._sent = self._acked
        self._since_ms = now

    async def _send(self, boot, seq, payload):
        if self._sent == self._acked:
            self._since_ms = self._clock.real_ms()
            if seq > self._highest:
                self._first_ms = self._since_ms
        if payload is None:
            payload = self._sealer.gap(boot, seq)
        # Marked before the bytes leave: the ack may come while the client still waits for its turn.
        self._sent = seq
        if seq > self._highest:
            self._highest = seq
            self._journal.mark_sent(boot, seq)
            self.payload_bytes += len(payload)
        else:
            self.retransmits += 1
        await self.client.publish_soon(self._up, payload)

    def _on_message(self, topic, payload, retained, dup):
        what = topic[topic.rfind("/") + 1 :]
        if what == "ack":
            why = self._on_ack(payload)
        elif what == "cmd":
            why = "retained" if retained else self._on_command(payload)
        else:
            why = "topic"
        if why is not None:
            print("link: refused", what + ":", why)
            self.refused[why] = self.refused.get(why, 0) + 1

    def _open(self, role, payload):
        """The array in a message that verifies, or None."""
        try:
            message = cbor.loads(self._mac.open(role, payload))
        except (ValueError, IndexError):
            return None
        return message if isinstance(message, list) and message and message[0] == _VERSION else None

    def _on_ack(self, payload):
        message = self._open(b"ack", payload)
        if message is None:
            return "unverified"
        for mark in message[1:]:
            if not isinstance(mark, list) or len(mark) != 2:
                continue
            boot, seq = mark
            if not isinstance(boot, int) or not isinstance(seq, int):
                return "form"
            if boot > self._boot or (boot == self._boot and seq > self._highest):
                self._boot_reused(boot)
                return "boot"
            if boot == self._boot:
                self._confirm(seq)
        return None

    def _confirm(self, seq):
        now = self._clock.real_ms()
        if seq > self._acked:
            self._journal.ack(self._boot, seq)
            # A gateway that spares its disk commits late: its own pace tells when an ack is overdue.
            self._retry_ms = max(_RETRY_FIRST_MS, min(2 * (now - self._first_ms), _RETRY_MOST_MS))
            self._acked = seq
            self._sent = max(self._sent, seq)
            self._since_ms = self._first_ms = now
        if self._hold_ms is not None:
            self._rewind(now)
        self.woken.set()

    def _on_command(self, payload):
        message = self._open(b"cmd", payload)
        if message is None:
            return "unverified"
        if len(message) != 5 or not isinstance(message[1], int) or not isinstance(message[2], int):
            return "form"
        _, counter, expiry_s, verb, args = message
        if not isinstance(verb, str) or not isinstance(args, list):
            return "form"
        if counter <= self._counter.value:
            return "counter"
        now_s = self._clock.time_s()
        if now_s is None:
            return "clock"
        if now_s >= expiry_s:
            return "expired"
        try:
            self._counter.store(counter)
        except OSError:
            # A counter that is not on flash could be used a second time after a restart.
            return "flash"
        return self._execute(verb, args)
