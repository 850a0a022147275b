"""Messages that wait in memory, bounded in bytes: an outage of the disk, or a flood, makes boards wait and no process
grow."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import aiomqtt

from gateway.wire.cose import MAX_MESSAGE_BYTES

MAX_BYTES = 8_000_000
_OVERHEAD_BYTES = 1000  # what a message takes beside its payload: objects, topic, place in a queue


@dataclass(frozen=True, slots=True)
class Message:
    """One message from a board."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message and the household's time at which it came."""

    message: Message
    received_ms: int


def _size(payload: bytes) -> int:
    return len(payload) + _OVERHEAD_BYTES


class Inbox:
    """What has come and is not yet being committed. Who puts waits while it is full, and so the source feels it."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[Arrived] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether nothing more is taken at the moment."""
        return self._bytes >= self._most_bytes

    async def put(self, arrived: Arrived) -> None:
        """Take a message as soon as there is room."""
        while self.full:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(arrived)
        self._bytes += _size(arrived.message.payload)

    def take(self, most: int, most_bytes: int) -> list[Arrived]:
        """The next messages: at most so many, and so many bytes (but one at least, if there is one)."""
        batch: list[Arrived] = []
        size = 0
        while self._waiting and len(batch) < most:
            size += _size(self._waiting[0].message.payload)
            if batch and size > most_bytes:
                break
            batch.append(self._waiting.popleft())
            self._bytes -= _size(batch[-1].message.payload)
        self._room.set()
        return batch


class BrokerQueue(asyncio.Queue[aiomqtt.Message]):
    """aiomqtt's queue of what the broker has delivered, bounded in bytes.

    What comes while it is full is counted (`dropped`) and left out: no ack, so its board sends it again. Dropped is the
    newest, because boards send in order and the oldest is what they need acked first.
    """

    def __init__(self, dropped: Callable[[], None], most_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._dropped = dropped
        self._most_bytes = most_bytes
        self._bytes = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Take a message, or count that it was dropped. A stranger's megabytes are cut to just over the bound."""
        if self._bytes >= self._most_bytes:
            self._dropped()
            return
        payload = item.payload
        item.payload = bytes(payload[: MAX_MESSAGE_BYTES + 1]) if isinstance(payload, bytes | bytearray) else b""
        self._bytes += _size(item.payload)
        super().put_nowait(item)

    def get_nowait(self) -> aiomqtt.Message:
        """The oldest message."""
        item = super().get_nowait()
        self._bytes -= _size(item.payload)
        return item
