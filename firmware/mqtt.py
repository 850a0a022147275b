"""MQTT 3.1.1 client on asyncio: one connection kept up for ever, QoS 1 both ways, TLS, no queue of its own.

Public: Client, Disconnected, Malformed, Refused. Source: OASIS MQTT Version 3.1.1; [x.y] is its section.
Every time here is real time (ticks_ms), however fast the simulated clock runs.
"""

import asyncio
import gc
import os
import sys
from time import ticks_add, ticks_diff, ticks_ms

import mqtt_packet
from micropython import const
from mqtt_packet import DENIED, Disconnected, Malformed, Refused
from mqtt_socket import PacketSocket

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)
_BACKOFF_FLOOR_MS = const(100)  # full jitter may say 0: a broker that accepts and closes must not be hammered
_STABLE_MS = const(60_000)  # a connection this old proves the broker well: the backoff starts anew


class Client:
    """An MQTT client. `await run(beat)` in one task; publish and subscribe from any other while `connected`.

    It keeps no queue and never re-publishes by itself: the journal owns every sealed frame under (device,
    boot, seq) until the gateway's own ack, so a queue here would be a second, weaker memory of the same
    frames, and both sending one again would only cost air time. Who gets Disconnected decides what goes next.

    tls: {"ca": path to a PEM or DER file, "server_hostname": name in the certificate}; the clock must be set
    first, for an ESP32 checks the certificate's dates. will: (topic, payload), published retained at QoS 1 by
    the broker when the connection dies; may be replaced between connections. clean=False keeps the
    subscriptions at the broker.
    on_connect(): async, after each CONNACK, while reading works: subscribe here. If it raises: reconnect.
    on_message(topic: str, payload: bytes, retained: bool, dup: bool): plain or async. The PUBACK goes out
    after it, even if it raises (a second delivery would not cure it), which handler_errors counts. It must
    not await publish or subscribe, whose answers the same task would have to read.
    inflight: how many QoS 1 packets may await their answer. max_packet: the most bytes taken in one packet.
    backoff_ms: least and greatest ceiling of the wait between attempts; the wait is random below the ceiling.
    """

    def __init__(
        self, host, port, client_id, *, user=None, password=None, keepalive_s=60, tls=None, will=None,
        on_message=None, on_connect=None, clean=True, inflight=16, max_packet=4096, connect_s=15,
        backoff_ms=(1000, 60_000),
    ):  # fmt: skip
        if not 1 <= keepalive_s <= 0xFFFF:
            raise ValueError("keepalive_s must be 1..65535: without it a dead connection is never noticed")
        self.will = will
        self.on_message = on_message
        self.on_connect = on_connect
        self.connected = False
        self.connects = self.published = self.acked = self.received = self.handler_errors = 0
        self.last_error = None  # why the last connection or attempt ended, or on_message failed: a sentence
        self._id, self._user, self._clean = client_id, (user, password), clean
        self._keepalive_s, self._connect_s, self._backoff_ms = keepalive_s, connect_s, backoff_ms
        self._socket = PacketSocket(host, port, tls, max_packet, keepalive_s * 1000, self._fail)
        self._flight = {}  # packet id -> [kind of the answer awaited, Event or None, the answer]
        self._inflight = inflight
        self._last_id = 0
        self._room = asyncio.Event()
        self._progress_ms = ticks_ms()  # of the last answer, or of the first packet that awaits one
        self._task = self._why = None
        self._failures = 0
        self._closing = False

    async def run(self, beat):
        """Connect, read, keep alive, and after any failure connect again, until close() or cancellation. beat(): called
        as long as that goes on, and with True where a name server may block all else."""
        self._closing = False
        while not self._closing:
            beat(True)
            gc.collect()  # what the last connection held goes before TLS asks for its large buffers
            self._why = None
            self._task = asyncio.create_task(self._live(beat))
            try:
                await self._task
            except asyncio.CancelledError:
                if self._why is None:
                    raise
                self._note(self._why)
            except Exception as error:
                self._note(error)
            finally:
                self._drop()
            if not self._closing:
                await self._back_off()

    async def publish(self, topic, payload, retain=False, qos=1, timeout_s=10):
        """Publish and return when the PUBACK came (QoS 0: when written). payload: bytes-like.

        Raises Disconnected when there is no connection, it dies, or no PUBACK comes within timeout_s, which
        covers the wait for a free place in flight too. The caller owns retransmission (see the class).
        """
        first = _PUBLISH | (qos << 1) | (1 if retain else 0)
        if qos:
            await self._ask(_PUBACK, first, mqtt_packet.text(topic), payload, timeout_s)
        elif self.connected:
            await self._socket.write(mqtt_packet.packet(first, mqtt_packet.text(topic), 0, payload))
            self.published += 1
        else:
            raise Disconnected("not connected")

    async def publish_soon(self, topic, payload, retain=False):
        """Write at QoS 1 and return the packet id, without awaiting its PUBACK.

        Waits while `inflight` are unanswered. Raises Disconnected when there is no connection. A PUBACK that
        never comes ends the connection.
        """
        self._not_in_on_message()
        first = _PUBLISH | 2 | (1 if retain else 0)
        return await self._send(_PUBACK, first, mqtt_packet.text(topic), payload, None)

    async def subscribe(self, topics, timeout_s=10):
        """Subscribe to topic filters at QoS 1; raises Refused if the broker denies one, or Disconnected."""
        filters = b"".join([mqtt_packet.text(topic) + b"\x01" for topic in topics])
        codes = await self._ask(_SUBACK, 0x82, b"", filters, timeout_s)
        if len(codes) != len(topics):
            raise Malformed("the SUBACK answers another number of topics")
        for code in codes:
            if code > 1:
                raise Refused(DENIED)

    async def close(self):
        """Say DISCONNECT, so that the broker drops the will, and let run() return."""
        self._closing = True
        if self.connected:
            try:
                await self._socket.write(b"\xe0\x00")
            except Disconnected as error:
                self._note(error)
        self._fail(Disconnected("closed"))

    async def _live(self, beat):
        """One connection, from the first byte to its end."""
        try:
            await asyncio.wait_for_ms(self._open(), self._connect_s * 1000)
        except asyncio.TimeoutError:
            raise Disconnected("no CONNACK within %d s" % self._connect_s)
        self.connected = True
        self.connects += 1
        keeper = asyncio.create_task(self._keep(beat))
        greeter = asyncio.create_task(self._greet())
        try:
            while not self._closing:
                first = await self._socket.read()
                body = self._socket.body
                if first & 0xF0 == _PUBLISH:
                    await self._receive(first, body)
                elif first == _PUBACK or first == _SUBACK:
                    self._settle(first, body)
                elif first != _PINGRESP or len(body):
                    raise Malformed("a packet that starts with 0x%02x is not for a client" % first)
        finally:
            keeper.cancel()
            greeter.cancel()

    async def _open(self):
        from mqtt_text import connect

        del sys.modules["mqtt_text"]
        hello = connect(self._id, self._user, self._keepalive_s, self.will, self._clean, self._failures)
        await self._socket.open(self._failures, hello)
        mqtt_packet.parse_connack(await self._socket.read(), self._socket.body)

    async def _greet(self):
        try:
            if self.on_connect:
                await self.on_connect()
        except Exception as error:
            self._fail(error)

    async def _keep(self, beat):
        """Ping after half the keepalive of silence either way; dead after a whole one [3.1.2.10]."""
        socket = self._socket
        half = self._keepalive_s * 500
        began = ticks_ms()
        pinged = None
        try:
            while True:
                await asyncio.sleep_ms(half // 4)
                beat()
                now = ticks_ms()
                if self._failures and ticks_diff(now, began) >= _STABLE_MS:
                    self._failures = 0
                if pinged is not None and ticks_diff(socket.heard_ms, pinged) >= 0:
                    pinged = None
                if pinged is not None:
                    if ticks_diff(now, pinged) >= half:
                        raise Disconnected("the broker fell silent")
                elif ticks_diff(now, socket.heard_ms) >= half or ticks_diff(now, socket.told_ms) >= half:
                    pinged = now
                    await socket.write(b"\xc0\x00")
                if self._flight and ticks_diff(now, self._progress_ms) >= 2 * half:
                    raise Disconnected("the broker lives but acknowledges nothing")
        except Disconnected as error:
            self._fail(error)

    async def _receive(self, first, body):
        topic, packet_id, payload = mqtt_packet.parse_publish(first, body)
        self.received += 1
        if self.on_message:
            try:
                result = self.on_message(topic, payload, bool(first & 1), bool(first & 8))
                if hasattr(result, "send"):
                    await result
            except Exception as error:
                self.handler_errors += 1
                self._note(error)
        if packet_id and not self._closing:
            await self._socket.write(b"\x40\x02" + packet_id)

    def _settle(self, kind, body):
        if len(body) < 2 or (kind == _PUBACK and len(body) > 2):
            raise Malformed("an acknowledgement of a wrong length")
        packet_id = body[0] << 8 | body[1]
        waiter = self._flight.get(packet_id)
        if waiter is None or waiter[0] != kind:
            return  # it answers nothing that is in flight, so it changes nothing
        del self._flight[packet_id]
        self._progress_ms = ticks_ms()
        if kind == _PUBACK:
            self.acked += 1
        waiter[2] = bytes(body[2:])
        if waiter[1]:
            waiter[1].set()
        self._room.set()

    def _not_in_on_message(self):
        if self._task and asyncio.current_task() is self._task:
            raise RuntimeError("on_message must not wait for an answer: create a task for it")

    async def _ask(self, kind, first, head, tail, timeout_s):
        """Send, and return the answer's bytes after its packet id."""
        self._not_in_on_message()
        waiter = [kind, asyncio.Event(), None]
        try:
            await asyncio.wait_for_ms(self._answer(waiter, first, head, tail), int(timeout_s * 1000))
        except asyncio.TimeoutError:
            raise Disconnected("no answer within %s s" % timeout_s)
        if waiter[2] is None:
            raise Disconnected("the connection ended before the answer came")
        return waiter[2]

    async def _answer(self, waiter, first, head, tail):
        await self._send(waiter[0], first, head, tail, waiter)
        await waiter[1].wait()

    async def _send(self, kind, first, head, tail, waiter):
        while self.connected and len(self._flight) >= self._inflight:
            self._room.clear()
            await self._room.wait()
        if not self.connected:
            raise Disconnected("not connected")
        packet_id = self._last_id % 0xFFFF + 1
        while packet_id in self._flight:
            packet_id = packet_id % 0xFFFF + 1
        self._last_id = packet_id
        if not self._flight:
            self._progress_ms = ticks_ms()
        self._flight[packet_id] = waiter = waiter or [kind, None, None]
        try:
            await self._socket.write(mqtt_packet.packet(first, head, packet_id, tail))
        except BaseException:  # cancelled before a byte left, too: the id is free again
            if self._flight.get(packet_id) is waiter:
                del self._flight[packet_id]
                self._room.set()
            raise
        if kind == _PUBACK:
            self.published += 1
        return packet_id

    def _fail(self, error):
        """End the connection for this reason: run() gets it, and makes the next."""
        self.connected = False
        if self._why is None:
            self._why = error
        if self._task and self._task is not asyncio.current_task():
            self._task.cancel()

    def _drop(self):
        self.connected = False
        self._task = None
        flight, self._flight = self._flight, {}
        for waiter in flight.values():
            if waiter[1]:
                waiter[1].set()
        self._room.set()
        self._socket.close()

    def _note(self, error):
        if not self._closing:
            self.last_error = type(error).__name__ + ": " + str(error).strip()

    async def _back_off(self):
        least, greatest = self._backoff_ms
        ceiling = min(greatest, least << min(self._failures, 10))
        self._failures += 1
        dice = os.urandom(2)
        wait = _BACKOFF_FLOOR_MS + ((ceiling >> 4) * (dice[0] << 8 | dice[1]) >> 12)  # in 31 bits all along
        until = ticks_add(ticks_ms(), wait)
        while not self._closing and ticks_diff(until, ticks_ms()) > 0:
            await asyncio.sleep_ms(min(200, max(0, ticks_diff(until, ticks_ms()))))
