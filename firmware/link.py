"""The board's end of the wire: birth and state, frames until the gateway has them on disk, commands that verify.

A broker's PUBACK says nothing about the gateway's disk: only the gateway's own cumulative `ack` frees a frame.
Until then the very same bytes are sent again. Which goes when is decided in flight.py.
"""

import asyncio
import os
import sys

import cbor
from flight import Flight
from micropython import const

_VERSION = const(1)
# How long a fresh connection waits for the retained ack before it sends what the gateway may have already.
_ACK_WAIT_MS = const(1000)
# A thousand boards whose network comes back begin their backlogs at random within this.
_SPREAD_MS = const(4096)
_LOOK_MS = const(1000)
_TIMELESS_MS = const(60000)
_WAIT_MOST_S = const(600)
_TIME_MOST_S = const(1 << 36)
# An ack tells the time only if what it confirms left no longer ago than a commit and this: else it was held back, or
# is played back.
_LATE_S = const(30)


class Link:
    """Owns the MQTT client, or what stands in its place on a cable: `client` is the class. `broker` is config.Mqtt;
    `birth`, `online` and `offline` are sealed messages; `counter` is the highest command counter seen; `woken` is to be
    set when there is a frame to send. `execute(verb, args)` does a command and returns None, or why it refuses.
    `boot_reused(boot)` is told when the gateway knows a later life of this board than the board itself, and returns
    whether this one goes on all the same."""

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
        client,
    ):
        self.refused = {}
        self._trouble = None
        self.retransmits = 0
        self.payload_bytes = 0
        self._clock = clock
        self._journal = journal
        self.mac = mac
        self._sealer = sealer
        self._boot = sealer.boot
        self._counter = counter
        self._execute = execute
        self._boot_reused = boot_reused
        self._birth = birth
        self._online = online
        self._told = True  # what state the board is in
        self.crash = False  # there may be a report to tell
        self.update = None  # takes a message of an update that verified, and returns why it is refused, or None
        self.woken = asyncio.Event()
        self._greeted = 0
        self._time_s = 0  # when the gateway said its newest ack
        self._flight = Flight(sealer.boot, journal, sealer)
        # When the backlog begins, and until when the retained ack is awaited (0: it came).
        self._begin_ms = self._ack_by_ms = 0
        topic = "hg/1/" + device + "/"
        self.topic = topic
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

    async def keep_connected(self, beat):
        """Runs the client. A certificate's dates cannot be checked without a clock, so TLS waits for it; but not where
        nobody tells the time (mqtt_tls.py)."""
        since_ms = self._clock.real_ms()
        while self._tls and self._clock.time_s() is None and self._clock.real_ms() - since_ms < _TIMELESS_MS:
            beat()
            await asyncio.sleep_ms(_LOOK_MS)
        await self.client.run(beat)

    async def run(self, beat):
        """Sends what there is to send, for ever."""
        while True:
            # The spread's end comes in between: boards that look once a second would all begin at a full second.
            pause_ms = self._begin_ms - self._clock.real_ms()
            try:
                await asyncio.wait_for_ms(self.woken.wait(), pause_ms if 0 < pause_ms < _LOOK_MS else _LOOK_MS)
            except asyncio.TimeoutError:
                pass
            self.woken.clear()
            beat()
            if self.client.last_error != self._trouble:
                self._trouble = self.client.last_error
                print("mqtt:", self._trouble)
            try:
                await self._serve(beat)
            except OSError:
                # The client connects again by itself; what was not acked is still in the journal.
                pass

    def tend(self):
        """Once a second, also while a write hangs: what nobody confirms goes to flash in time."""
        good = self._ready() and not self._flight.retries and not self._flight.overdue(self._clock.real_ms())
        self._journal.tend(self._clock.uptime_ms(), good)

    def say(self, state):
        """Says (once it is connected) what state the board is in from now on: the items of the message behind its
        boot."""
        self._online = self.mac.seal(b"state", cbor.dumps([_VERSION, self._boot] + state))
        self._told = False
        self.woken.set()

    async def want(self, items):
        """Says something of an update. Raises OSError where there is no connection."""
        await self.client.publish_soon(self.topic + "want", self.mac.seal(b"want", cbor.dumps([_VERSION] + items)))

    def _ready(self):
        """Connected, and everybody knows who is there."""
        return self.client.connected and self._greeted == self.client.connects

    async def _on_connect(self):
        client = self.client
        this = client.connects
        now = self._clock.real_ms()
        dice = os.urandom(2)
        self._begin_ms = now + (dice[0] << 8 | dice[1]) % _SPREAD_MS
        self._ack_by_ms = now + _ACK_WAIT_MS
        self._time_s = 0
        self._flight.retries = 0
        self._flight.rewind(now, self._begin_ms)
        await client.subscribe((self.topic + "ack", self.topic + "cmd", self.topic + "update"))
        await client.publish(self.topic + "birth", self._birth, retain=True)
        self._told = True
        await client.publish(self.topic + "state", self._online, retain=True)
        self.crash = True
        self._greeted = this
        print("mqtt: connected")
        self.woken.set()

    async def _serve(self, beat):
        while self._ready():
            if not self._told:
                self._told = True
                await self.client.publish_soon(self.topic + "state", self._online, True)
            if self.crash:
                self.crash = False
                try:
                    os.stat("crash")
                    from crash import say

                    del sys.modules["crash"]
                except (OSError, MemoryError):
                    pass  # there is no report; where memory is short, the next connection tries again
                else:
                    await say(self.client, self.topic, self.mac)
            now = self._clock.real_ms()
            entry = self._flight.next(now) if now >= self._ack_by_ms else None
            if entry is None:
                break
            if isinstance(entry[2], int):
                if entry[2]:
                    self._sealer.gap(entry[0], entry[2], entry[1], self._clock.time_s(), self._clock.uptime_ms())
                beat()
                await asyncio.sleep_ms(0)
                continue
            if entry[0] != self._boot and entry[0] != self._flight.birth:
                # What the board was in that boot, before a frame of it: the gateway may never have heard of it. Not
                # retained: that is what the board is now.
                self._flight.birth = entry[0]
                try:
                    from births import sealed_birth

                    del sys.modules["births"]
                    birth = sealed_birth(self.mac, entry[0])
                except MemoryError:
                    # It is tried again when these frames are; the gateway keeps them meanwhile.
                    birth = None
                if birth is not None:
                    await self.client.publish_soon(self.topic + "birth", birth)
            if self._flight.first:
                self.payload_bytes += len(entry[2])
            else:
                self.retransmits += 1
            payload = entry[2]
            if self.mac.old is not None and entry[0] != self._boot:
                try:
                    from rekey import seal

                    payload = seal(self.mac, payload)
                except MemoryError:
                    pass  # as it is, it opens nothing, and is sent again
            await self.client.publish_soon(self._up, payload)
            beat()

    def _on_message(self, topic, payload, retained, dup):
        what = topic[topic.rfind("/") + 1 :]
        if what == "ack":
            why = self._on_ack(payload, retained)
        elif what == "cmd":
            why = "retained" if retained else self._on_command(payload)
        elif what == "update" and self.update is not None:
            try:
                why = "retained" if retained else self.update(self.mac.open(b"update", payload))
            except (ValueError, IndexError):
                why = "unverified"
            except MemoryError:
                why = "fault"  # it is offered again
        else:
            why = "topic"
        if why is not None:
            if why not in self.refused:  # a flood of them would hide all else; the health line has the counts
                print("link: refused", what + ":", why)
            self.refused[why] = self.refused.get(why, 0) + 1

    def _open(self, role, payload):
        """The array in a message that verifies, or None."""
        try:
            message = cbor.loads(self.mac.open(role, payload))
        except (ValueError, IndexError):
            return None
        return message if isinstance(message, list) and message and message[0] == _VERSION else None

    def _on_ack(self, payload, retained):
        message = self._open(b"ack", payload)
        if message is None:
            return "unverified"
        flight, boot = self._flight, self._boot
        marks = message[3:]
        for numbers in [message[1:3]] + (marks or [None]):
            if not isinstance(numbers, list) or len(numbers) != 2:
                return "form"
            if not all(isinstance(number, int) and number >= 0 for number in numbers):
                return "form"
        # A clock beyond what a frame can carry would make every frame from now on unusable.
        if message[1] > _TIME_MOST_S or message[2] > _WAIT_MOST_S:
            return "form"
        for mark in marks:
            if mark[0] > boot or (mark[0] == boot and mark[1] > flight.highest):
                if not self._boot_reused(mark[0]):
                    return "boot"
        # What confirms nothing more and was not said later was heard before, or overtaken: it holds no longer.
        if message[1] <= self._time_s and not flight.fresh(marks):
            return "old"
        self._time_s = message[1]
        late_ms = (max(flight.wait_s, message[2]) + _LATE_S) * 1000
        flight.wait_s = message[2]
        self._ack_by_ms = 0
        age_ms = flight.acked(marks, self._clock.real_ms(), not retained)
        if self.mac.old is not None:
            try:
                from rekey import settle

                settle(self.mac, self._journal, boot)
            except MemoryError:
                pass  # the next ack tries again
        if not retained:
            if age_ms is not None and age_ms <= late_ms:
                self._clock.set_time_s(message[1], "gateway")
            for boot, seq in marks:
                last = flight.gap(boot, seq)
                if last:
                    self._sealer.gap(boot, seq + 1, last, self._clock.time_s(), self._clock.uptime_ms())
        self.woken.set()
        return None

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
