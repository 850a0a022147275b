"""Group commit: messages gather for a window, go to disk in one transaction, and only then are acked."""

import asyncio
import contextlib
import logging
import math
import sqlite3
from collections.abc import Awaitable, Callable, Mapping

from gateway.app.acks import AckBook
from gateway.app.examine import Weight
from gateway.app.inbox import Arrived, Inbox, Message
from gateway.app.pace import CommitPace
from gateway.app.rekeying import NextKeys
from gateway.app.source import Source
from gateway.store import devices, frames
from gateway.store.database import Database, StoreError, StoreFull
from gateway.store.devices import Device
from gateway.store.thread import StoreThread
from gateway.wire import topics
from gateway.wire.cose import seal
from gateway.wire.downlink import encode_ack
from gateway.wire.frame import MAX_TIME_S

log = logging.getLogger(__name__)

MAX_BATCH = 1000
MAX_BATCH_BYTES = 4_000_000
ROOM_BYTES = 1_000_000  # after so much, the store is asked to stay under its ceiling
_ACKS_AT_ONCE = 50


class Ingest:
    """Takes messages from a source, stores them, and acks what is on disk.

    `make_room` is called in the store's thread before a commit, once a megabyte; it raises StoreFull if nothing more
    may be stored. `events_awaited` is asked in that thread too: whether an event is to be committed sooner than series.
    """

    def __init__(
        self,
        db: Database,
        store: StoreThread,
        source: Source,
        now_ms: Callable[[], int],
        *,
        window_s: float = 1.0,
        quiet_s: float = 120.0,
        make_room: Callable[[], object] = lambda: None,
        events_awaited: Callable[[], bool] = lambda: True,
        on_commit: Callable[[frames.Committed], None] = lambda _: None,
        on_new_key: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._db = db
        self._store = store
        self._source = source
        self._now_ms = now_ms
        self._make_room = make_room
        self._ask_events_awaited = events_awaited
        self._events_awaited = True
        self._on_commit = on_commit
        self._on_new_key = on_new_key
        self._keys = NextKeys()
        self._new_key = False
        self._pace = CommitPace(window_s, quiet_s)
        self._inbox = Inbox()
        self._acks = AckBook()
        self._devices: Mapping[str, Device] = {}
        self._names: dict[int, Device] = {}
        self._revision = -1
        self._stranger = False
        self._changed = asyncio.Event()
        self._advanced = asyncio.Event()
        self._came = self._done = 0
        self._stored_bytes = 0
        self.trouble: str | None = None
        self.retry_s = 2.0

    async def deliver(self, message: Message) -> None:
        """Take one message; waits while too much waits already, so the source feels the pressure."""
        if self._inbox.full:
            self._pace.hurry(_now_s())
            self._changed.set()
        await self._inbox.put(Arrived(message, self._now_ms()))
        self._came += 1
        due_s = self._pace.due_s
        self._judge(message)
        if self._pace.due_s < due_s or self._stranger:
            self._changed.set()

    def looked(self) -> None:
        """Somebody looks at the console: what comes is shown soon."""
        self._pace.looked(_now_s())
        self._changed.set()

    async def settle(self) -> None:
        """Wait until all that has come by now is on disk and acked; it does not wait for its window."""
        until = self._came
        self._pace.hurry(_now_s())
        self._changed.set()
        while self._done < until:
            self._advanced.clear()
            await self._advanced.wait()

    async def run(self) -> None:
        """Commit for ever. Raises StoreError if the database breaks."""
        while True:
            await self._due()
            batch = self._inbox.take(MAX_BATCH, MAX_BATCH_BYTES)
            self._pace.taken(len(self._inbox), _now_s())
            done = await self._committed(batch)
            await self._ack(done)
            if self._new_key and self._on_new_key is not None:
                await self._on_new_key()
            self._new_key = False
            self._on_commit(done)
            self._done += len(batch)
            self._advanced.set()

    def _judge(self, message: Message) -> None:
        now_s = _now_s()
        device, what = topics.parse(message.topic) or ("", "")
        known = self._devices.get(device)
        self._stranger = self._stranger or (known is None and what != "")
        weight = Weight.STRAY if known is None else self._keys.weigh(known, what, message.payload)
        frame = what == "up" and weight is not Weight.STRAY
        # An event for which nobody waits can wait with the rest: its board has it on flash.
        urgent = weight is Weight.URGENT and (self._events_awaited or not frame)
        self._pace.heard(device, now_s, frame=frame, urgent=urgent)

    async def _due(self) -> None:
        """Wait until what waits is to be committed. Nothing runs in the meantime but what arrives."""
        while (left_s := self._pace.due_s - _now_s()) > 0:
            self._changed.clear()
            if self._stranger:
                self._stranger = False
                # It may be a device that was enrolled a moment ago: who enrols it does not want to wait for it.
                if await self._store(self._refresh):
                    self._pace.hurry(_now_s())
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if math.isinf(left_s) else left_s):
                    await self._changed.wait()

    async def _committed(self, batch: list[Arrived]) -> frames.Committed:
        """Commit a batch, however long the disk is full: nothing of it is acked before, and no more is taken."""
        while True:
            try:
                done = await self._store(self._commit, batch)
            except (sqlite3.OperationalError, StoreFull) as why:
                if self.trouble is None:
                    log.warning("cannot store: %s. The boards keep what is not stored, and it is tried again.", why)
                self.trouble = f"cannot store: {why}"
                await asyncio.sleep(self.retry_s)
            except sqlite3.DatabaseError as why:
                raise StoreError(f"{self._db.path}: {why}. Start again: a damaged file is set aside then.") from why
            else:
                if self.trouble is not None:
                    log.info("frames are stored again")
                self.trouble = None
                return done

    def _commit(self, batch: list[Arrived]) -> frames.Committed:
        self._refresh()
        self._events_awaited = self._ask_events_awaited()
        self._stored_bytes += sum(len(a.message.payload) for a in batch)
        if self._stored_bytes >= ROOM_BYTES:
            self._make_room()
            self._stored_bytes = 0
        done = frames.commit(self._db, self._keys.examine_all(batch, self._devices))
        if self._keys.settle(self._db):
            self._new_key = True
            self._refresh()  # it is acked under its new key
        return done

    def _refresh(self) -> bool:
        """Read the registry again if it was changed, by this process or a command beside it; True if it was."""
        revision = self._db.revision("devices")
        if revision == self._revision:
            return False
        self._devices = devices.registry(self._db)
        self._names = {device.id: device for device in self._devices.values()}
        self._keys.refresh(self._db)
        self._revision = revision
        return True

    async def _ack(self, done: frames.Committed) -> None:
        time_s = min(max(self._now_ms() // 1000, 0), MAX_TIME_S)
        said = []
        for device_id, messages in self._acks.commit(done.acks).items():
            device = self._names[device_id]
            wait_s = self._pace.promise_s(device.device, _now_s())
            for n, marks in enumerate(messages):
                payload = seal(device.key, "ack", encode_ack(marks, time_s=time_s, wait_s=wait_s))
                said.append((topics.topic(device.device, "ack"), payload, n == 0))
        for at in range(0, len(said), _ACKS_AT_ONCE):
            answers = [
                self._source.publish(topic, payload, retain=retain)
                for topic, payload, retain in said[at : at + _ACKS_AT_ONCE]
            ]
            if not all(await asyncio.gather(*answers)):
                break  # no broker: the boards send again, and hear it then
        if done.dead:
            log.warning("%d message(s) could not be used; `hearthgate doctor` says which and why", done.dead)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
