"""A link that can be cut, starved, delayed, made to repeat and to change the order: a TCP proxy on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import deque
from collections.abc import Iterator
from typing import Final

from tools.chaos_mqtt import CONNACK, PUBLISH, Splitter, as_qos0, kind, topic

__all__ = ["Link", "free_port"]

_CAPTURED: Final = 400
_CHUNK: Final = 65_536
_WAITING: Final = 1000
"""Pieces that may wait in one direction; then the sender feels it, as it would on a link that is full."""

_HELD_S: Final = 0.4
"""No message is held back longer than this to change places with others."""


def free_port() -> int:
    """A loopback port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Link:
    """Everything between one client and one server port. `mqtt`: it understands what passes.

    What goes wrong with it is a context each, and several may hold at once.
    """

    def __init__(self, name: str, server_port: int, dice: random.Random, *, mqtt: bool = True) -> None:
        self.name = name
        self.mqtt = mqtt
        self.port = free_port()
        self.delay_s = 0.0
        self.reorder = 0
        self.passes = asyncio.Event()
        self.passes.set()
        self.captured: deque[tuple[bool, bytes]] = deque(maxlen=_CAPTURED)
        self.dice = dice
        self._refusing = 0
        self._holes = 0
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """End every connection at once, with what was on the way."""
        for pair in list(self._pairs):
            pair.abort()

    def repeat(self, count: int) -> int:
        """Say up to `count` old messages again, on the connections that are open; return how many."""
        pairs = [pair for pair in self._pairs if pair.greeted]
        if not pairs or not self.captured:
            return 0
        chosen = self.dice.choices(list(self.captured), k=count)
        for up, packet in chosen:
            self.dice.choice(pairs).pipe(up).put(as_qos0(packet))
        return len(chosen)

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """What is open ends, and what connects ends at once."""
        self.cut()
        self._refusing += 1
        try:
            yield
        finally:
            self._refusing -= 1

    @contextlib.contextmanager
    def black_hole(self) -> Iterator[None]:
        """Connections are taken and stay open, and nothing comes through; what was sent goes on when the hole closes,
        as TCP would see to."""
        self._holes += 1
        self.passes.clear()
        try:
            yield
        finally:
            self._holes -= 1
            if not self._holes:
                self.passes.set()

    @contextlib.contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Everything takes so much longer, each way."""
        self.delay_s += seconds
        try:
            yield
        finally:
            self.delay_s -= seconds

    @contextlib.contextmanager
    def reordering(self, among: int) -> Iterator[None]:
        """Frames change places with up to `among` - 1 others."""
        before, self.reorder = self.reorder, max(among, self.reorder)
        try:
            yield
        finally:
            self.reorder = before

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        pair = _Pair(self, reader, writer)
        self._pairs.add(pair)
        try:
            await pair.run(self._server_port)
        finally:
            self._pairs.discard(pair)


class _Pair:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted = not link.mqtt
        self._link = link
        self._client = reader, writer
        self._up = _Pipe(link)
        self._down = _Pipe(link)
        self._writers = [writer]
        self._task: asyncio.Future[list[None]] | None = None

    def pipe(self, up: bool) -> _Pipe:
        """The direction of that name: up is from the client to the server."""
        return self._up if up else self._down

    def abort(self) -> None:
        """End both connections, as if the cable was pulled and both sides had noticed."""
        if self._task is not None:
            self._task.cancel()
        for writer in self._writers:
            writer.transport.abort()

    async def run(self, server_port: int) -> None:
        """Carry until either side ends."""
        reader, writer = self._client
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", server_port)
            self._writers.append(other_writer)
            work = [
                asyncio.create_task(self._read(reader, up=True)),
                asyncio.create_task(self._read(other_reader, up=False)),
                asyncio.create_task(self._up.write(other_writer)),
                asyncio.create_task(self._down.write(writer)),
            ]
        except OSError:
            writer.transport.abort()
            return
        whole = self._task = asyncio.gather(*work)
        try:
            with contextlib.suppress(OSError, ValueError, asyncio.CancelledError):
                await whole
        finally:
            for task in work:
                task.cancel()
            self.abort()

    async def _read(self, reader: asyncio.StreamReader, *, up: bool) -> None:
        link, pipe, splitter = self._link, self.pipe(up), Splitter()
        while data := await reader.read(_CHUNK):
            await pipe.room()
            if not link.mqtt:
                pipe.put(data)
                continue
            for packet in splitter.feed(data):
                if kind(packet) == PUBLISH:
                    link.captured.append((up, packet))
                    if link.reorder and topic(packet).endswith("/up"):
                        pipe.hold(packet)
                        continue
                elif kind(packet) == CONNACK:
                    self.greeted = True
                pipe.put(packet)
        pipe.release()
        pipe.end()


class _Pipe:
    """One direction: pieces with the moment at which they are due, in order."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._held: list[bytes] = []
        self._room = asyncio.Event()
        self._room.set()
        self._timer: asyncio.TimerHandle | None = None

    async def room(self) -> None:
        """Wait until not too much is on the way."""
        if self._queue.qsize() >= _WAITING:
            self._room.clear()
        await self._room.wait()

    def put(self, data: bytes) -> None:
        """Send it on, after the link's delay."""
        self._queue.put_nowait((asyncio.get_running_loop().time() + self._link.delay_s, data))

    def end(self) -> None:
        """Nothing more comes."""
        self.put(b"")

    def hold(self, packet: bytes) -> None:
        """Keep a message back until others have come; which goes first is chance."""
        self._held.append(packet)
        while len(self._held) >= self._link.reorder > 0:
            self.put(self._held.pop(self._link.dice.randrange(len(self._held))))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_HELD_S, self.release)

    def release(self) -> None:
        """Send on what was kept back, the newest first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._held:
            self.put(self._held.pop())

    async def write(self, writer: asyncio.StreamWriter) -> None:
        """Carry to the other side until the end."""
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._queue.get()
            if self._queue.qsize() < _WAITING:
                self._room.set()
            if not data:
                writer.close()
                return
            if (wait_s := due - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            await self._link.passes.wait()
            writer.write(data)
            await writer.drain()
