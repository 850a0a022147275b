"""One forwarder a sink: fills its queue, sends, and backs off when the sink cannot take more."""

import asyncio
import logging
import time

from gateway.forward.backoff import Backoff
from gateway.forward.batch import Batch
from gateway.forward.queue import MAX_BATCH, SinkQueue
from gateway.forward.sink import Rejected, Retry, Sink
from gateway.store.thread import StoreThread

log = logging.getLogger(__name__)

_IDLE_S = 1.0
_LOOK_S = 0.5  # how often it is asked, at least, whether a grant in a batch that is being sent has expired
# One event may be at fault, and a few; a sink that takes none of so many takes none at all.
REFUSED_IN_A_ROW = 50


class _AbortedError(Exception):
    """A batch was ended while it was sent, because something in it may no longer leave."""


class Forwarder:
    """Runs until cancelled. A sink that is down holds up no other, and loses nothing: its cursor waits."""

    def __init__(self, queue: SinkQueue, sink: Sink, store: StoreThread, backoff: Backoff | None = None) -> None:
        self.queue = queue
        self._sink = sink
        self._store = store
        self._backoff = backoff or Backoff()
        self._notice_backoff = Backoff()
        self._wake = asyncio.Event()
        self._not_before = self._notice_not_before = 0.0
        self._most = MAX_BATCH
        self._refused = 0
        self._rechecks = 0
        self._rechecking = asyncio.Lock()
        self._until_ms = 0
        self._batch: Batch | None = None
        self._sending: asyncio.Task[None] | None = None
        self._aborted: asyncio.Task[None] | None = None
        self.trouble: str | None = None
        self.notice_trouble: str | None = None

    @property
    def name(self) -> str:
        """The sink's name in the settings."""
        return self.queue.name

    def wake(self) -> None:
        """New frames are on disk, or a grant has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Forward for ever."""
        opened = False
        try:
            while True:
                self._wake.clear()
                try:
                    if not opened:
                        await self._sink.open()
                        opened = True
                    busy = await self.step()
                except Retry as why:
                    self._wait(str(why), why.after_s)
                    busy = False
                except Exception as why:
                    # A full disk or a fault of ours in one sink must not end the others: wait, and try again.
                    log.exception("sink %s failed; it tries again", self.name)
                    self.trouble = f"{type(why).__name__}: {why}"
                    await asyncio.sleep(self._backoff.next_s())
                    continue
                if not busy:
                    await self._rest()
        finally:
            await self._sink.close()

    async def step(self) -> bool:
        """One fill and one batch; True if there is more to do at once. What is to be erased is told before more is
        sent."""
        await self._tell()
        more = await self._store(self.queue.fill)
        if time.monotonic() < self._not_before:
            return more
        return await self._send() or more

    async def recheck(self) -> None:
        """Grants have changed: when this returns, nothing that they no longer allow is under way, and nothing will be.

        A batch that was taken from the queue and not sent yet is taken again, and so asked about again; one of which
        bytes are leaving is ended if there is anything in it that may not leave any more."""
        self._rechecks += 1
        async with self._rechecking:  # one after the other: none returns while another still ends a batch
            batch, sending = self._batch, self._sending
            if batch is None or sending is None:
                return
            until_ms = 0
            try:
                until_ms = await self._store(self.queue.allowed_until, batch)
            finally:  # where the question itself fails the answer is no
                if sending is self._sending:
                    self._until_ms = until_ms
                    if not until_ms:
                        await self._abort(sending)

    async def _send(self) -> bool:
        most, rechecks = self._most, self._rechecks
        batch = await self._store(self.queue.take, most, self._sink.compose)
        if rechecks != self._rechecks:
            return True
        if not batch:
            return False
        try:
            await self._sent(batch)
        except _AbortedError:
            await self._store(self.queue.aborted, batch)
            return True
        except Retry as why:
            self._wait(str(why), why.after_s)
            return False
        except Rejected as why:
            if len(batch) > 1:
                # The event at fault is found by halving; what is sent next is asked about again like anything else.
                self._most = len(batch) // 2
                return True
            if self._refused >= REFUSED_IN_A_ROW:
                # Not the events are at fault but the sink, or its settings: keep what is left.
                self._wait(f"{why}, as it did the {self._refused} events before; check its url and what it takes", None)
                return False
            self._refused += 1
            log.warning("sink %s refuses an event for good (%s); it is counted and left out", self.name, why)
            await self._store(self.queue.rejected, batch)
        else:
            self._refused = 0
            await self._store(self.queue.delivered, batch)
        if self.trouble is not None:
            log.info("sink %s takes events again", self.name)
        self.trouble = None
        self._backoff.reset()
        self._most = min(2 * most, MAX_BATCH)
        return len(batch) == most

    async def _sent(self, batch: Batch) -> None:
        """Send a batch. Raises Retry, Rejected or _AbortedError."""
        # Nothing is awaited between the question whether it may leave and these two: `recheck` sees it.
        sending = asyncio.ensure_future(self._sink.send(batch.body))
        self._batch, self._sending, self._until_ms = batch, sending, batch.until_ms
        try:
            while not sending.done():
                await asyncio.wait([sending], timeout=max(0.0, min(_LOOK_S, self.queue.left_s(self._until_ms))))
                if not sending.done() and self.queue.left_s(self._until_ms) <= 0:
                    await self._abort(sending)
            if sending is not self._aborted:
                sending.result()
            elif sending.cancelled() or sending.exception() is not None:
                raise _AbortedError
        finally:
            self._batch = self._sending = None
            if not sending.done():
                sending.cancel()
                await asyncio.wait([sending])

    async def _abort(self, sending: asyncio.Task[None]) -> None:
        self._aborted = sending
        await self._sink.abort()
        if not sending.done():
            sending.cancel()
            await asyncio.wait([sending])

    async def _tell(self) -> None:
        """Tell the recipient what to erase; what it does not confirm is told again later, and holds up no event."""
        if time.monotonic() < self._notice_not_before:
            return
        for notice in await self._store(self.queue.notices):
            try:
                await self._sink.notify(notice.body)
            except Retry as why:
                await self._store(self.queue.notice_tried, notice)
                self._notice_not_before = time.monotonic() + self._notice_backoff.next_s(why.after_s)
                if self.notice_trouble is None:
                    log.warning("sink %s: %s. It is asked again to erase what was withdrawn.", self.name, why)
                self.notice_trouble = str(why)
                return
            await self._store(self.queue.notice_acked, notice)
            self._notice_backoff.reset()
            self.notice_trouble = None

    def _wait(self, why: str, asked_s: float | None) -> None:
        """Let the sink rest; what was granted waits here."""
        self._not_before = time.monotonic() + self._backoff.next_s(asked_s)
        if self.trouble is None:
            log.warning("sink %s: %s. What was granted waits here and is sent again.", self.name, why)
        self.trouble = why

    async def _rest(self) -> None:
        wait_s = _IDLE_S
        left_s = self._not_before - time.monotonic()
        if 0 < left_s < wait_s:
            wait_s = left_s
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return
