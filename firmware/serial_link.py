"""A board on a cable: what stands in the place of mqtt.Client where there is no network. Same frames, same acks.

What passes on the line, and why a prompt may share it, is in gateway/wire/cable.py. One message is on its way at a
time; it is sent again until the gateway confirms it, which, as a broker's PUBACK, says nothing about its disk.
"""

import asyncio
import os
import sys
from binascii import unhexlify
from time import ticks_diff, ticks_ms

from cobs import disclose, enclose
from micropython import const

_MOST = const(4096)
_TRIES = const(8)
_ANSWER_MS = const(500)
_HELLO_MS = const(1000)
_HELLO_MOST_MS = const(8000)
_PING_MS = const(15000)
_PAUSE_MS = const(10)
_PAUSE_MOST_MS = const(1000)
_CTRL_C = const(3)
# What a board says, by the last part of the topic; what it is told, by kind.
_UP = {"birth": 98, "up": 117, "state": 115, "crash": 99, "want": 119}
_DOWN = {97: "ack", 65: "ack", 100: "cmd", 111: "update"}
_HELLO = const(104)
_WELCOME = const(72)
_CONFIRM = const(107)
_PING = const(112)
_STRANGER = const(114)
_KEPT_ACK = const(65)


class Client:
    """As mqtt.Client, of which it has what a Link uses. `host` is the table `serial` of board.json (serial_port.py)."""

    def __init__(self, host, _port, client_id, *, will, on_message, on_connect, **_):
        self.connected = False
        self.connects = self.received = 0
        self.noise = 0  # what was no frame
        self.last_error = None
        self._settings = host
        self._device = unhexlify(client_id)
        self.will = will
        self._on_message = on_message
        self._on_connect = on_connect
        self._port = None
        self._size = 1
        self._prompt = False
        self._lock = asyncio.Lock()
        self._answer = asyncio.Event()
        self._seq = self._last = 0
        self._nonce = b""
        self._heard_ms = ticks_ms()
        self._closing = False

    async def run(self, beat):
        """Finds the gateway, again and again, until close() or cancellation. beat(): called as long as that goes on."""
        if self._port is None:
            from serial_port import open_port

            del sys.modules["serial_port"]
            self._port, self._out, self._size, self._prompt, self._byte_us = open_port(self._settings)
        self._closing = False
        reader = asyncio.create_task(self._read())
        try:
            while not self._closing:
                await self._meet(beat)
                try:
                    await self._on_connect()
                    while self.connected:
                        beat()
                        await asyncio.sleep_ms(_HELLO_MS)
                        if ticks_diff(ticks_ms(), self._heard_ms) > _PING_MS:
                            await self._send(_PING, b"")
                except OSError as error:
                    self._lose(error)
                if reader.done():
                    await reader  # for its error
        finally:
            self.connected = False
            reader.cancel()

    async def subscribe(self, topics):
        """All that is for this board comes anyway."""

    async def publish(self, topic, payload, retain=False, qos=1, timeout_s=10):
        """Returns when the gateway has it. Raises OSError if it does not take it."""
        await self._send(_UP[topic[topic.rfind("/") + 1 :]], payload)

    publish_soon = publish

    async def close(self):
        """Lets run() return."""
        self._closing = True
        self._lose("closed")

    async def _meet(self, beat):
        """Says hello until somebody answers it."""
        self._nonce = os.urandom(4)
        wait_ms = _HELLO_MS
        while not self.connected and not self._closing:
            beat()
            self._answer.clear()
            self._write(_HELLO, 1, self._nonce + self.will[1])
            try:
                await asyncio.wait_for_ms(self._answer.wait(), wait_ms)
            except asyncio.TimeoutError:
                wait_ms = min(2 * wait_ms, _HELLO_MOST_MS)

    async def _send(self, kind, payload):
        async with self._lock:
            seq = self._seq = self._seq % 255 + 1
            wait_ms = _ANSWER_MS + len(payload) * self._byte_us // 1000
            self._answer.clear()
            for _ in range(_TRIES):
                if not self.connected or seq != self._seq:
                    raise OSError("not connected")
                self._write(kind, seq, payload)
                try:
                    await asyncio.wait_for_ms(self._answer.wait(), wait_ms)
                    if self.connected and seq == self._seq:
                        return
                except asyncio.TimeoutError:
                    pass
            error = OSError("the gateway confirms nothing")
            self._lose(error)
            raise error

    def _lose(self, why):
        self.connected = False
        self.last_error = str(why)
        self._answer.set()

    def _write(self, kind, seq, payload):
        self._out.write(enclose(kind, seq, self._device, payload))

    async def _read(self):
        stream = asyncio.StreamReader(self._port)
        rest = bytearray()
        came_ms = ticks_ms()
        while True:
            data = await stream.read(self._size)
            if not data:
                await asyncio.sleep_ms(_PAUSE_MS)
                continue
            if ticks_diff(ticks_ms(), came_ms) > _PAUSE_MOST_MS:
                rest = bytearray()  # frames have no holes
            came_ms = ticks_ms()
            if self._prompt and data[0] == _CTRL_C and bytes(rest) in (b"", b"\r"):
                # A person at the prompt that shares the line: no frame begins so.
                raise KeyboardInterrupt
            at = data.find(b"\0")
            while at >= 0:
                rest += data[:at]
                if rest:
                    self._hear(disclose(rest))
                    rest = bytearray()
                data = data[at + 1 :]
                at = data.find(b"\0")
            # In place: with a copy for each byte, a piece of an update would take a megabyte of the heap.
            rest += data
            # What is longer than any frame is none: its tail is found out by its CRC.
            if len(rest) > _MOST:
                rest = bytearray()

    def _hear(self, frame):
        if frame is None:
            self.noise += 1
            return
        kind, seq, device, payload = frame
        if device != self._device:
            return
        if kind == _WELCOME:
            if payload == self._nonce and not self.connected and not self._closing:
                self._seq = self._last = 0
                self.connected = True
                self.connects += 1
                self._heard_ms = ticks_ms()
                self._answer.set()
            return
        if not self.connected:
            return
        self._heard_ms = ticks_ms()
        if kind == _STRANGER:
            self._lose("the gateway began anew")
        elif kind == _CONFIRM:
            if seq == self._seq:
                self._answer.set()
        elif kind in _DOWN:
            if seq == self._last % 255 + 1:
                self._last = seq
                self.received += 1
                self._on_message(_DOWN[kind], payload, kind == _KEPT_ACK, False)
            elif seq != self._last:
                return
            self._write(_CONFIRM, seq, b"")
