"""Keys are changed without losing a frame: a board's next key is told to it under the one it has, and both are good
until a message comes under the next. From then on the old one opens nothing.

A board takes a new key up at a start, and seals what it still holds anew before it sends it: so the first message
under the next key is the last moment of the old one, and no frame needs it after that. Until then there are two keys
and never three; how long that has been, and how many messages came under the old one meanwhile, is kept and shown.
"""

import asyncio
import contextlib
import logging
import secrets
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.app.examine import Weight, examine, weigh
from gateway.app.inbox import Arrived
from gateway.store import devices
from gateway.store.database import Database, StoreError
from gateway.store.dead import DeadLetter
from gateway.store.devices import Device
from gateway.store.frames import Committed, Incoming
from gateway.store.thread import StoreThread
from gateway.wire import topics
from gateway.wire.errors import MacError, SizeError
from gateway.wire.rekey import NONCE_BYTES, VERB, wrap

log = logging.getLogger(__name__)

_LOOK_S = 600.0
_COUNT_TOGETHER = 100  # a count of what came under old keys is not worth a commit each time
_RETRY_FIRST_S = 5.0  # a board refuses while it has no clock, and it takes that from its first acks
_RETRY_MOST_S = 600.0

Command = Callable[[str, str, Sequence[str]], Awaitable[bool]]
"""(device, verb, args): sends a signed command; False if it could not. Raises StoreError."""


@dataclass(frozen=True, slots=True)
class Rekey:
    """A key that is being changed: `next` is the device with its next key; `heard` messages came under the old one."""

    next: Device
    begun_ms: int
    heard: int


def begin(db: Database, device: str, now_ms: int) -> Rekey:
    """Give a device a next key, which it is told whenever it is heard. Raises StoreError."""
    known = devices.registry(db).get(device)
    if known is None or known.revoked:
        raise StoreError(f"no device {device!r} that may speak; `hearthgate devices list` shows them.")
    if device in pending(db):
        raise StoreError(
            f"the key of {device} is being changed already; `hearthgate devices list` shows since when. A board that "
            "never takes it up gets a new one by `hearthgate flash`."
        )
    with db.transaction() as sql:
        sql.execute(
            "INSERT OR REPLACE INTO rekey (device_id, key, follows, begun_ms) VALUES (?, ?, ?, ?)",
            (known.id, secrets.token_bytes(devices.KEY_BYTES), known.key, now_ms),
        )
        db.revise("devices")
    return pending(db)[device]


def pending(db: Database) -> dict[str, Rekey]:
    """Every key that is being changed, by device."""
    rows = db.connection.execute("SELECT device_id, key, follows, begun_ms, heard FROM rekey").fetchall()
    if not rows:
        return {}
    known = {device.id: device for device in devices.registry(db).values() if not device.revoked}
    return {
        known[id_].device: Rekey(replace(known[id_], key=key), begun_ms, heard)
        for id_, key, follows, begun_ms, heard in rows
        if id_ in known and known[id_].key == follows
    }


def finish(db: Database, device: str, key: bytes) -> bool:
    """A device was given its next key by cable: it is its only one from now on. False if it is not being changed to
    that."""
    rekey = pending(db).get(device)
    if rekey is None or rekey.next.key != key:
        return False
    with db.transaction() as sql:
        _move(sql, rekey.next)
        db.count("keys_changed", 1)
        db.revise("devices")
    return True


def _move(sql: sqlite3.Connection, device: Device) -> None:
    sql.execute("UPDATE device SET key = ? WHERE id = ?", (device.key, device.id))
    sql.execute("DELETE FROM rekey WHERE device_id = ?", (device.id,))


class NextKeys:
    """What ingest asks instead of `examine` and `weigh`: the same, but under either key. Used in the store's thread,
    but for `weigh`."""

    def __init__(self) -> None:
        self._next: Mapping[str, Device] = {}
        self._moved: dict[str, Device] = {}
        self._old: Counter[int] = Counter()

    def refresh(self, db: Database) -> None:
        """The registry changed."""
        self._next = {name: rekey.next for name, rekey in pending(db).items()}

    def weigh(self, device: Device, what: str, message: bytes) -> Weight:
        """As `examine.weigh`."""
        weight = weigh(device, what, message)
        if weight is Weight.STRAY and (later := self._next.get(device.device)):
            return weigh(later, what, message)
        return weight

    def examine_all(self, batch: Sequence[Arrived], known: Mapping[str, Device]) -> list[Incoming]:
        """What the messages are, in their order: once one came under a device's next key, the old one opens no more."""
        if not self._next:
            return [examine(a.message.topic, a.message.payload, known, a.received_ms) for a in batch]
        now = dict(known)
        found = []
        for arrived in batch:
            message = arrived.message
            name, _ = topics.parse(message.topic) or ("", "")
            later = self._next.get(name)
            one = examine(message.topic, message.payload, now, arrived.received_ms)
            if later is not None and name not in self._moved:
                if _opens(one):
                    self._old[later.id] += 1
                else:
                    again = examine(message.topic, message.payload, {name: later}, arrived.received_ms)
                    if _opens(again):
                        one, now[name], self._moved[name] = again, later, later
            found.append(one)
        return found

    def settle(self, db: Database) -> bool:
        """After the commit: note what came under which key. True if a device has a new key now.

        If it is cut off before, the next message under the next key does it again."""
        if not self._moved and self._old.total() < _COUNT_TOGETHER:
            return False
        moved, self._moved = self._moved, {}
        old, self._old = self._old, Counter()
        with db.transaction() as sql:
            for id_, n in old.items():
                sql.execute("UPDATE rekey SET heard = heard + ? WHERE device_id = ?", (n, id_))
            db.count("messages_old_key", old.total())
            for device in moved.values():
                _move(sql, device)
            if moved:
                db.count("keys_changed", len(moved))
                db.revise("devices")
        for device in moved.values():
            log.info("%s (%s) has its new key; the old one opens nothing any more", device.name, device.device)
        return bool(moved)


def _opens(found: Incoming) -> bool:
    """Whether the MAC was right: whatever else is wrong, its key was the right one."""
    return not isinstance(found, DeadLetter) or found.reason not in (MacError.reason, SizeError.reason)


@dataclass(slots=True)
class _Told:
    wait_s: float
    again_s: float


class Rekeying:
    """Tells boards their next keys. `heard` and `changed` bring news, `run` tells."""

    def __init__(self, db: Database, store: StoreThread, command: Command) -> None:
        self._db = db
        self._store = store
        self._command = command
        self._told: dict[tuple[str, int], _Told] = {}
        self._news = asyncio.Event()

    def heard(self, done: Committed) -> None:
        """A commit brought this."""
        if done.states:
            self._news.set()

    def changed(self) -> None:
        """A key may have to be changed."""
        self._news.set()

    async def run(self) -> None:
        """Tell the boards for ever."""
        while True:
            self._news.clear()
            wait_s = await self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def _tell(self) -> float:
        try:
            waiting = await self._store(pending, self._db)
        except sqlite3.OperationalError as why:  # a full disk must not end the gateway
            log.warning("boards are told their next keys later: %s", why)
            return _RETRY_FIRST_S
        self._told = {which: told for which, told in self._told.items() if which[0] in waiting}
        wait_s = _LOOK_S
        for name, rekey in waiting.items():
            if not rekey.next.online:
                continue
            now_s = asyncio.get_running_loop().time()
            told = self._told.setdefault((name, rekey.begun_ms), _Told(_RETRY_FIRST_S, now_s))
            if now_s >= told.again_s:
                await self._send(name)
                told.again_s = now_s + told.wait_s
                told.wait_s = min(2 * told.wait_s, _RETRY_MOST_S)
            wait_s = min(wait_s, told.again_s - now_s)
        return wait_s

    async def _send(self, name: str) -> None:
        try:
            argument = await self._store(self._argument, name)
            if argument is not None:
                await self._command(name, VERB, [argument])
        except (StoreError, sqlite3.OperationalError) as why:
            log.warning("could not tell %s its next key: %s", name, why)

    def _argument(self, name: str) -> str | None:
        rekey = pending(self._db).get(name)
        if rekey is None:
            return None
        return wrap(devices.registry(self._db)[name].key, name, secrets.token_bytes(NONCE_BYTES), rekey.next.key)
