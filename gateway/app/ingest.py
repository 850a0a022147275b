"""Group commit: messages gather for a window, go to disk in one transaction, and only then are acked."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping

from gateway.app.examine import examine
from gateway.app.source import Message, Source
from gateway.store import devices, frames
from gateway.store.database import Database
from gateway.store.devices import Device
from gateway.store.thread import StoreThread
from gateway.wire import topics
from gateway.wire.cose import seal
from gateway.wire.downlink import MAX_ACK_BOOTS, encode_ack

log = logging.getLogger(__name__)

MAX_BATCH = 1000
_FULL_QUEUE = 2000
_SHORT_WINDOW_S = 0.02


class Ingest:
    """Takes messages from a source, stores them, and acks what is on disk."""

    def __init__(
        self,
        db: Database,
        store: StoreThread,
        source: Source,
        now_ms: Callable[[], int],
        *,
        window_s: float = 1.0,
        on_commit: Callable[[frames.Committed], None] = lambda _: None,
    ) -> None:
        self._db = db
        self._store = store
        self._source = source
        self._now_ms = now_ms
        self.window_s = window_s
        self._on_commit = on_commit
        self._queue: asyncio.Queue[Message] = asyncio.Queue(_FULL_QUEUE)
        self._devices: Mapping[str, Device] = {}
        self._names: dict[int, Device] = {}
        self._revision = -1
        self._acks: dict[int, dict[int, int]] = {}
        self._idle = asyncio.Event()
        self.trouble: str | None = None
        self.retry_s = 2.0
        self._idle.set()

    async def deliver(self, message: Message) -> None:
        """Take one message; waits while the queue is full, so the source feels the pressure."""
        self._idle.clear()
        await self._queue.put(message)

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            batch = [await self._queue.get()]
            await self._gather(batch)
            done = await self._committed(batch)
            await self._ack(done)
            self._on_commit(done)
            if self._queue.empty():
                self._idle.set()

    async def settle(self) -> None:
        """Wait until all that came is on disk and acked."""
        await self._idle.wait()

    async def _gather(self, batch: list[Message]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while len(batch) < MAX_BATCH:
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # A long window spares the disk while little comes; a queue that grows is committed soon.
            window_s = min(self.window_s, _SHORT_WINDOW_S) if len(batch) >= MAX_BATCH // 10 else self.window_s
            left_s = began + window_s - loop.time()
            if left_s <= 0:
                return
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), min(left_s, _SHORT_WINDOW_S)))
            except TimeoutError:
                continue

    async def _committed(self, batch: list[Message]) -> frames.Committed:
        """Commit a batch, however long the disk is full: nothing of it is acked before, and no more is taken."""
        while True:
            try:
                done = await self._store(self._commit, batch)
            except sqlite3.OperationalError as why:
                if self.trouble is None:
                    log.exception("cannot store. Free some space; the boards keep what is not stored.")
                self.trouble = f"cannot store: {why}"
                await asyncio.sleep(self.retry_s)
            else:
                self.trouble = None
                return done

    def _commit(self, batch: list[Message]) -> frames.Committed:
        revision = self._db.revision("devices")
        if revision != self._revision:
            self._devices = devices.registry(self._db)
            self._names = {device.id: device for device in self._devices.values()}
            self._revision = revision
        now_ms = self._now_ms()
        return frames.commit(self._db, [examine(m.topic, m.payload, self._devices, now_ms) for m in batch])

    async def _ack(self, done: frames.Committed) -> None:
        heard: dict[int, dict[int, int]] = {}
        for (device_id, boot), upto in done.acks.items():
            heard.setdefault(device_id, {})[boot] = upto
        for device_id, boots in heard.items():
            device = self._names[device_id]
            known = self._acks.setdefault(device_id, {})
            known.update(boots)
            for old in sorted(known)[:-MAX_ACK_BOOTS]:
                del known[old]
            payload = seal(device.key, "ack", encode_ack(sorted(known.items(), reverse=True)))
            await self._source.publish(topics.topic(device.device, "ack"), payload, retain=True)
        if done.dead:
            log.warning("%d message(s) could not be used; `hearthgate doctor` says which and why", done.dead)
