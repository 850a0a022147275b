"""The boards take part: each is told which channels to keep to itself, until it says that it does."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.consent import local_use
from gateway.consent.register import Register
from gateway.store import devices
from gateway.store.database import Database, StoreError
from gateway.store.frames import Committed, StateChange
from gateway.store.thread import StoreThread
from gateway.wire.birth import Birth
from gateway.wire.state import Use

log = logging.getLogger(__name__)

VERB = "use"
_LOOK_S = 60.0  # also without news: a grant may have come to its end, or a command beside us changed one
_RETRY_FIRST_S = 5.0  # a board refuses while it has no clock, and it takes that from its first acks
_RETRY_MOST_S = 600.0

Command = Callable[[str, str, Sequence[int]], Awaitable[bool]]
"""(device, verb, args): sends a signed command; False if it could not. Raises StoreError."""


@dataclass(slots=True)
class _Told:
    """What a board was told last, and when it is told again if it does not say that it heard."""

    use: Use
    wait_s: float
    again_s: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """(device row, device, what it is to keep) of those that keep something else; when that may change by itself."""

    differ: tuple[tuple[int, str, Use], ...]
    changes_ms: int | None


class Participation:
    """What boards say of themselves comes in by `heard`, `changed` says that grants or modes did, and `run` tells the
    boards. A board's word counts, not that a message was sent: its retained state names what it keeps to itself."""

    def __init__(
        self, db: Database, store: StoreThread, register: Register, command: Command, now_ms: Callable[[], int]
    ) -> None:
        self._db = db
        self._store = store
        self._register = register
        self._command = command
        self._now_ms = now_ms
        self._said: dict[int, StateChange] = {}  # of the boards that are online
        self._told: dict[int, _Told] = {}
        self._births: dict[int, Birth] = {}
        self._news = asyncio.Event()

    def heard(self, done: Committed) -> None:
        """A commit brought this."""
        for state in done.states:
            before = self._said.pop(state.device_id, None)
            if before is None or before.boot != state.boot:
                self._told.pop(state.device_id, None)
            if state.online:
                self._said[state.device_id] = state
        if done.states:
            self._news.set()

    def changed(self) -> None:
        """Grants or modes may have changed."""
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
        """Tell whom there is something to tell; how long it then may wait."""
        try:
            plan = await self._store(self._plan, dict(self._said))
        except sqlite3.OperationalError as why:  # a full disk must not end the gateway
            log.warning("boards are told later which channels to keep to themselves: %s", why)
            return _RETRY_FIRST_S
        wait_s = _LOOK_S
        if plan.changes_ms is not None:
            wait_s = min(wait_s, max(0.0, (plan.changes_ms - self._now_ms()) / 1000))
        for device_id, device, use in plan.differ:
            now_s = asyncio.get_running_loop().time()
            told = self._told.get(device_id)
            if told is None or told.use != use:
                told = self._told[device_id] = _Told(use, _RETRY_FIRST_S, now_s)
            if now_s >= told.again_s:
                await self._send(device, use)
                told.again_s = now_s + told.wait_s
                told.wait_s = min(2 * told.wait_s, _RETRY_MOST_S)
            wait_s = min(wait_s, told.again_s - now_s)
        return wait_s

    async def _send(self, device: str, use: Use) -> None:
        try:
            await self._command(device, VERB, use.words())
        except (StoreError, sqlite3.OperationalError) as why:
            # Nothing that leaves the house hangs on it, and it is tried again.
            log.warning("could not tell %s which channels to keep to itself: %s", device, why)

    def _plan(self, said: Mapping[int, StateChange]) -> _Plan:
        if not said:
            return _Plan((), None)
        now_ms = self._now_ms()
        modes, grants = local_use.modes(self._db), self._register.index().by_id.values()
        differ = []
        for device in devices.registry(self._db).values():
            state = said.get(device.id)
            birth = None if state is None or device.revoked else self._birth(state)
            if state is None or birth is None:
                continue
            use = local_use.kept(device.device, birth.channels, modes, grants, now_ms)
            if use != state.use:
                differ.append((device.id, device.device, use))
        return _Plan(tuple(differ), local_use.next_change_ms(grants, now_ms) if modes else None)

    def _birth(self, state: StateChange) -> Birth | None:
        """What the board is in the boot that it speaks of."""
        birth = self._births.get(state.device_id)
        if birth is None or birth.boot != state.boot:
            birth = devices.newest_birth(self._db, state.device_id)
            if birth is None or birth.boot != state.boot:
                return None
            self._births[state.device_id] = birth
        return birth
