"""The gateway as one thing: store, source, ingest and forwarders, started and stopped together."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from gateway.app.admission import Admission
from gateway.app.cancelling import cancel_and_wait
from gateway.app.household import gateway_id
from gateway.app.inbox import Message
from gateway.app.ingest import Ingest
from gateway.app.lending import Lending, SoleGateway
from gateway.app.now import real_now_ms
from gateway.app.participation import Participation
from gateway.app.rekeying import Rekeying
from gateway.app.renewal import Renewal
from gateway.app.serial_source import SerialSource
from gateway.app.settings import Settings
from gateway.app.sinks import make_sink
from gateway.app.source import MqttSource
from gateway.app.sources import Sources
from gateway.app.updating import Updating
from gateway.app.watching import Watching
from gateway.consent import pseudonym, register
from gateway.consent.grants import Grant
from gateway.forward import notices
from gateway.forward.forwarder import Forwarder
from gateway.forward.queue import SinkQueue
from gateway.store import devices, frames
from gateway.store.database import Database, StoreError
from gateway.store.devices import Device
from gateway.store.retention import retain
from gateway.store.thread import StoreThread
from gateway.wire import topics
from gateway.wire.cose import seal
from gateway.wire.downlink import encode_command

log = logging.getLogger(__name__)

COMMAND_LIFE_S = 60
_FLUSH_S = 1.5
_CHECK_AFTER_S = 10.0  # the boards that waited for this start come first


class Gateway:
    """Everything that `hearthgate run` runs, but for the console. `now_ms` is the household's clock.

    `notice` is None, or what was wrong with the database and what became of it.
    """

    def __init__(self, settings: Settings, *, now_ms: Callable[[], int] = real_now_ms) -> None:
        self.settings = settings
        self.now_ms = now_ms
        self._sole = SoleGateway(settings.store.path)
        self.db = Database(settings.store.path)
        self.notice = self.db.notice
        if self.notice is not None:
            log.error("%s", self.notice)
        self.store = StoreThread()
        broker = settings.broker
        self._admission = Admission(broker, self.db, self.store)
        self._broker = self._admission.builtin
        client_id = broker.client_id or f"hearthgate-{gateway_id(self.db)}"
        self.source = MqttSource(self._admission.address(), client_id=client_id)
        self.serial = [SerialSource(line.url) for line in settings.serial]
        self._sources = Sources(self.source, *self.serial)
        self.forwarders: list[Forwarder] = []
        self.ingest = Ingest(
            self.db,
            self.store,
            self._sources,
            now_ms,
            window_s=settings.store.commit_window_ms / 1000,
            quiet_s=settings.store.quiet_commit_window_s,
            make_room=self._make_room,
            events_awaited=self._events_awaited,
            on_commit=self._committed,
            on_new_key=self._admission.changed,
        )
        self._lending = Lending(self.db, self.store, self._changed_beside, self.ingest.looked, self._sources.lend_port)
        self._register = register.Register(self.db)
        self._participation = Participation(self.db, self.store, self._register, self.command, now_ms)
        self._rekeying = Rekeying(self.db, self.store, self.command)
        self.renewal = Renewal(broker)
        self.watching = Watching(self.db, self.store, self.command)
        self.updating = Updating(self.db, self.store, self._sources, self.ingest.looked, broker.ca, settings.folder)
        self._listeners: list[Callable[[frames.Committed], None]] = [
            self._participation.heard,
            self._rekeying.heard,
            self.updating.heard,
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._check: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start all parts. Raises BrokerError or SettingsError."""
        await self._lending.start()
        if self._broker is not None:
            await self._broker.start()
        self._spawn("source", self._sources.run(self._deliver))
        sinks = self.settings.sinks
        # Before the first commit: a sink that is new begins with what is stored from then on.
        queues = [
            await self.store(SinkQueue, self.db, self._register, sink.name, sink.recipient, sink.purposes, self.now_ms)
            for sink in sinks
        ]
        self._spawn("ingest", self.ingest.run())
        self._spawn("participation", self._participation.run())
        self._spawn("rekeying", self._rekeying.run())
        self._spawn("updating", self.updating.run())
        self._spawn("watching", self.watching.run())
        self._spawn("renewal", self.renewal.run())
        for sink, queue in zip(sinks, queues, strict=True):
            # In a thread: what a sink needs takes long to load, and the boards wait for their first ack.
            self.forwarders.append(Forwarder(queue, await asyncio.to_thread(make_sink, sink), self.store))
        await self.consent_changed()
        for forwarder in self.forwarders:
            self._spawn(f"sink {forwarder.name}", forwarder.run())
        self._check = asyncio.create_task(self._look_through(), name="check")

    async def run(self) -> None:
        """Start, and return only if a part fails: then its error is raised."""
        await self.start()
        await self.wait()

    async def wait(self) -> None:
        """Wait until a part fails, and raise its error."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def flush(self) -> None:
        """Commit and ack what has come by now, unless that takes longer than a stop may take."""
        if self.ingest.trouble is None and not any(task.done() for task in self._tasks):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self.ingest.settle()

    async def close(self) -> None:
        """Stop the parts; what has come is committed first, and what could not be is sent again by its board."""
        async with contextlib.AsyncExitStack() as rest:  # one that cannot be closed keeps none of the others open
            rest.callback(self._sole.release)
            rest.callback(self.db.close)
            rest.callback(self.store.close)
            rest.push_async_callback(self._lending.close)
            if self._broker is not None:
                rest.push_async_callback(self._broker.close)
            rest.push_async_callback(self._end_parts)
            await self.flush()

    @property
    def broker_port(self) -> int:
        """The port of the broker that is used."""
        return self._broker.port if self._broker else self.settings.broker.port

    @property
    def look_password(self) -> str | None:
        """With it the user `look` may read everything at the broker inside; None where there is none."""
        return None if self._broker is None else self._broker.look_password

    async def drain(self, timeout_s: float) -> bool:
        """Forward what may leave now and wait until nothing waits any more; False after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while await self.store(lambda: any(f.queue.depth() or f.queue.backlog() for f in self.forwarders)):
            if time.monotonic() > deadline:
                return False
            self._wake()
            await asyncio.sleep(0.05)
        return True

    def on_commit(self, listener: Callable[[frames.Committed], None]) -> None:
        """Call `listener` after each commit, in the event loop."""
        self._listeners.append(listener)

    async def command(self, device: str, verb: str, args: Sequence[Any] = ()) -> bool:
        """Send a signed command to a board; False if there is no broker at the moment. Raises StoreError."""
        known = await self.store(self._device, device)
        now_s = self.now_ms() // 1000
        counter = await self.store(devices.next_command, self.db, known.id, now_s)
        message = seal(known.key, "cmd", encode_command(counter, now_s + COMMAND_LIFE_S, verb, args))
        return await self._sources.publish(topics.topic(device, "cmd"), message, retain=False)

    async def grant(self, *grants: Grant) -> None:
        """Give a grant, or several in one act; the forwarders see them with their next decision. Raises GrantError."""
        await self.store(register.give, self.db, grants, self.settings.vocabulary())
        await self.consent_changed()

    async def change(self, grant_id: str, *, text: str, **fields: Any) -> Grant:
        """A grant's next version: see `register.change`. Raises GrantError."""
        words = self.settings.vocabulary()
        grant = await self.store(register.change, self.db, grant_id, self.now_ms(), words, text=text, **fields)
        await self.consent_changed()
        return grant

    async def pause(self, grant_id: str, by: str = "") -> Grant:
        """Let a grant rest; nothing leaves under it once this has returned. Raises GrantError."""
        grant = await self.store(register.pause, self.db, grant_id, self.now_ms(), by)
        await self.consent_changed()
        return grant

    async def resume(self, grant_id: str, by: str = "") -> Grant:
        """Let it work again. Raises GrantError."""
        words = self.settings.vocabulary()
        grant = await self.store(register.resume, self.db, grant_id, self.now_ms(), words, by)
        await self.consent_changed()
        return grant

    async def revoke(self, grant_id: str, by: str = "") -> Grant:
        """Take a grant back: once this has returned, not one more byte leaves under it. Raises GrantError."""
        grant = await self.store(register.take_back, self.db, grant_id, self.now_ms(), by)
        await self.consent_changed()
        return grant

    async def rotate(self, recipient: str) -> int:
        """Let a recipient know the household's devices by new names from now on."""
        epoch = await self.store(pseudonym.rotate, self.db, recipient, self.now_ms())
        self._wake()
        return epoch

    async def consent_changed(self) -> None:
        """Grants were changed, here or by a command beside: when this returns, that holds at every sink."""
        rechecks = (forwarder.recheck() for forwarder in self.forwarders)
        failed = [why for why in await asyncio.gather(*rechecks, return_exceptions=True) if why is not None]
        try:
            sinks = [(sink.name, sink.recipient) for sink in self.settings.sinks]
            await self.store(notices.owe, self.db, sinks, self.now_ms())
        finally:
            self._participation.changed()
            self._wake()
        if failed:  # told only now: the other recipients, and the boards, heard of the change all the same
            raise failed[0]

    async def _changed_beside(self) -> None:
        """A command changed something: when this returns, that holds here."""
        await self.consent_changed()
        self._rekeying.changed()
        self.updating.changed()
        await self._admission.changed()

    async def _deliver(self, message: Message) -> None:
        """From the source: what boards want of an update is answered at once, all else is for the store."""
        if not self.updating.takes(message):
            await self.ingest.deliver(message)

    def _events_awaited(self) -> bool:
        """Whether somebody outside may have single readings or events, and so would wait for a commit."""
        now_ms = self.now_ms()
        recipients = {sink.recipient for sink in self.settings.sinks}
        return any(
            grant.granularity.bucket_ms is None
            and grant.recipient in recipients
            and grant.revoked_ms is None
            and now_ms < grant.expiry_ms
            for grant in self._register.index().by_id.values()
        )

    def _make_room(self) -> None:
        names = [sink.name for sink in self.settings.sinks]
        if gone := retain(self.db, self.settings.store.max_mb * 1_000_000, self.now_ms(), names):
            log.info("%d old frames made room for new ones ([store] max_mb)", gone)

    async def _look_through(self) -> None:
        """Read the whole database once, beside the work: what is damaged is better found before it is needed."""
        await asyncio.sleep(_CHECK_AFTER_S)
        found = await asyncio.to_thread(self.db.check_rest, lambda: self._stopping)
        if found is not None:
            log.error("%s", found)
            self.notice = found
        await self._lending.keep()  # from now on nobody else needs it but who asks for it

    async def _end_parts(self) -> None:
        self._stopping = True
        await cancel_and_wait([*self._tasks, *([] if self._check is None else [self._check])])

    def _device(self, device: str) -> Device:
        try:
            return devices.registry(self.db)[device]
        except KeyError:
            raise StoreError(f"no device {device!r}; `hearthgate devices list` shows them.") from None

    def _committed(self, done: frames.Committed) -> None:
        if done.stored or done.acks:
            self._wake()
        for listener in self._listeners:
            listener(done)

    def _wake(self) -> None:
        for forwarder in self.forwarders:
            forwarder.wake()

    def _spawn(self, name: str, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))
