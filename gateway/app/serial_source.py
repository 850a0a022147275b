"""A board on a cable as a source of messages: the gateway's end of a serial line, through pyserial.

It stands in a broker's place for that board: keeps the newest ack for it, takes its last will when it falls silent, and
confirms what it has taken. A confirmation, like a broker's, promises nothing: only our own `ack` means stored.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.app.inbox import Message
from gateway.app.serial_pace import Pace
from gateway.app.serial_port import baud_of, open_port, place_of
from gateway.forward.backoff import Backoff
from gateway.wire import topics
from gateway.wire.cable import (
    CONFIRM,
    HELLO,
    KEPT_ACK,
    KINDS_DOWN,
    NONCE_BYTES,
    PING,
    STRANGER,
    TOPICS_UP,
    WELCOME,
    CableFrame,
    Deframer,
    encode,
    next_seq,
)

log = logging.getLogger(__name__)

SILENT_S = 45.0  # boards ask every 15 s whether somebody is there
_TRIES = 8
_ANSWER_S = 0.5  # beside the time that the bytes take on the line
_BITS = 10  # a byte with its start and stop
_PIECE = 4096
_MOST_WAITING = 64  # messages that were confirmed and are not taken yet
_MOST_UNSENT = 65_536
_MOST_BOARDS = 64  # a line is a cable, or an emulator's socket
_RETRY_FIRST_S = 0.5
_RETRY_MOST_S = 10.0


@dataclass(slots=True)
class _Board:
    """A board that said hello."""

    nonce: bytes
    will: bytes
    heard_s: float
    last: int = 0  # the seq of its newest message
    seq: int = 0  # of ours
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    gone: bool = False


class SerialSource:
    """One line, by its url (serial_port.py)."""

    def __init__(self, url: str, *, silent_s: float = SILENT_S, backoff: Backoff | None = None) -> None:
        self.url = url
        self.trouble: str | None = None
        self.dropped = 0
        self._baud = baud_of(url)
        self._silent_s = silent_s
        self._backoff = backoff or Backoff(_RETRY_FIRST_S, _RETRY_MOST_S)
        self._deframer = Deframer()
        self._boards: dict[str, _Board] = {}
        self._kept: dict[str, bytes] = {}
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._port: Any = None
        self._unsent = bytearray()
        self._pace = Pace(place_of(url), time.monotonic)
        self._breath: asyncio.TimerHandle | None = None
        self._came: asyncio.Queue[bytes] = asyncio.Queue()
        self._lent = 0
        self._ours = asyncio.Event()
        self._ours.set()
        self._closed = asyncio.Event()
        self._closed.set()

    @property
    def heard(self) -> list[str]:
        """The devices that are at the other end now."""
        return list(self._boards)

    @property
    def noise(self) -> int:
        """How often something between two ends of frames was no frame: noise, and a board's prints."""
        return self._deframer.noise

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Deliver until cancelled, through every loss of the line."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take(deliver))
            while True:
                while self._lent:
                    await self._ours.wait()
                self._closed.clear()
                try:
                    await self._session()
                except OSError as why:  # pyserial's errors are OSErrors
                    if self._lent:
                        continue
                    if self.trouble is None:
                        log.warning(
                            "%s: %s. Is the board plugged in, and does nothing else use the port?", self.url, why
                        )
                    self.trouble = f"{self.url}: {why}"
                finally:
                    self._closed.set()
                await asyncio.sleep(self._backoff.next_s())

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Inside, the port is closed: somebody else has it, who flashes the board. Boards on it count as gone."""
        self._lent += 1
        self._ours.clear()
        self._came.put_nowait(b"")
        try:
            await self._closed.wait()
            yield
        finally:
            self._lent -= 1
            if not self._lent:
                self._ours.set()

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Say something to a board on this line; False if it does not confirm it."""
        name, what = topic.split("/")[-2:]
        if retain:
            self._kept[name] = payload
        board = self._boards.get(name)
        kind = KINDS_DOWN.get(what)
        return board is not None and kind is not None and await self._send(name, board, kind, payload)

    async def _session(self) -> None:
        """The line from when it can be opened to its end. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._came, self._unsent = asyncio.Queue(), bytearray()
        port = await asyncio.to_thread(open_port, self.url)
        try:
            self._port = port
            loop.add_reader(port.fileno(), self._read)
            self._backoff.reset()
            if self.trouble is not None:
                log.info("%s is there again", self.url)
            self.trouble = None
            while True:
                data = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._silent_s / 5):
                        data = await self._came.get()
                if data == b"":
                    raise OSError("the line has ended")
                for frame in self._deframer.feed(data or b""):
                    self._hear(frame)
                for name, board in list(self._boards.items()):
                    if loop.time() - board.heard_s > self._silent_s:
                        log.info("%s fell silent on %s", name, self.url)
                        self._forget(name)
        finally:
            loop.remove_reader(port.fileno())
            loop.remove_writer(port.fileno())
            self._port = None
            port.close()
            for name in list(self._boards):
                self._forget(name)

    def _read(self) -> None:
        try:
            self._came.put_nowait(self._port.read(_PIECE))
        except OSError:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._came.put_nowait(b"")

    def _hear(self, frame: CableFrame) -> None:
        name = frame.device
        board = self._boards.get(name)
        if board is not None:
            board.heard_s = asyncio.get_running_loop().time()
        if frame.kind == HELLO:
            self._begin(name, board, frame.payload)
        elif board is None:
            if frame.kind in TOPICS_UP or frame.kind == PING:
                self._write(CableFrame(STRANGER, 1, name))
        elif frame.kind == CONFIRM:
            if frame.seq == board.seq:
                board.confirmed.set()
        elif frame.kind in TOPICS_UP or frame.kind == PING:
            if frame.seq == next_seq(board.last) and frame.kind != PING:
                if self._waiting.qsize() >= _MOST_WAITING:
                    return  # not confirmed: it comes again
                self._waiting.put_nowait(Message(topics.topic(name, TOPICS_UP[frame.kind]), frame.payload))
            elif frame.seq not in (board.last, next_seq(board.last)):
                return
            board.last = frame.seq
            self._write(CableFrame(CONFIRM, frame.seq, name))

    def _begin(self, name: str, board: _Board | None, payload: bytes) -> None:
        nonce, will = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
        if board is None or board.nonce != nonce:
            if board is not None:
                board.gone = True
                board.confirmed.set()
            elif len(self._boards) >= _MOST_BOARDS:
                return  # noise that looks like names, or somebody who makes them up
            else:
                log.info("%s is at the other end of %s", name, self.url)
            board = self._boards[name] = _Board(nonce, will, asyncio.get_running_loop().time())
            if name in self._kept:
                again = self._send(name, board, KEPT_ACK, self._kept[name])
                _background(asyncio.get_running_loop().create_task(again))
        self._write(CableFrame(WELCOME, 1, name, nonce))

    async def _send(self, name: str, board: _Board, kind: int, payload: bytes) -> bool:
        """One message at a time, again and again until it is confirmed."""
        async with board.turn:
            board.seq = next_seq(board.seq)
            board.confirmed.clear()
            frame = CableFrame(kind, board.seq, name, payload)
            for _ in range(_TRIES):
                if board.gone or self._port is None:
                    return False
                try:
                    self._write(frame)
                except ValueError as why:
                    log.warning("%s: %s", name, why)
                    return False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._patience_s(len(payload))):
                        await board.confirmed.wait()
                    return not board.gone
            return False

    def _patience_s(self, count: int) -> float:
        return _ANSWER_S + count * _BITS / self._baud + self._pace.takes_s(count)

    def _forget(self, name: str) -> None:
        """A board is no longer there: its last will says so."""
        board = self._boards.pop(name)
        board.gone = True
        board.confirmed.set()
        self._waiting.put_nowait(Message(topics.topic(name, "state"), board.will))

    async def _take(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            await deliver(await self._waiting.get())

    def _write(self, frame: CableFrame) -> None:
        data = encode(frame)
        if len(self._unsent) + len(data) > _MOST_UNSENT:
            self.dropped += 1  # nobody reads at the other end; what matters is sent again
            return
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        loop, port = asyncio.get_running_loop(), self._port
        if port is None:
            return
        if wait_s := self._pace.wait_s():
            loop.remove_writer(port.fileno())
            if self._breath is None or self._breath.when() <= loop.time():
                self._breath = loop.call_later(wait_s, self._flush)
            return
        try:
            sent = port.write(self._pace.piece(self._unsent)) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._came.put_nowait(b"")
            return
        del self._unsent[: sent or 0]
        self._pace.wrote(sent or 0)
        if self._unsent:
            loop.add_writer(port.fileno(), self._flush)
        else:
            loop.remove_writer(port.fileno())


_running: set[asyncio.Task[bool]] = set()


def _background(task: asyncio.Task[bool]) -> None:
    """Keep a task until it is done: the loop itself does not."""
    _running.add(task)
    task.add_done_callback(_running.discard)
