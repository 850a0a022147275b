"""While somebody looks at readings, the boards measure and report every second: each is told so now and then, until
nobody looks any more. What they are told ends by itself."""

import asyncio
import logging
import math
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from gateway.store import devices
from gateway.store.database import Database, StoreError
from gateway.store.thread import StoreThread

log = logging.getLogger(__name__)

VERB = "live"
LIVE_S = 120
"""How long a board reports every second after it was told."""

_AGAIN_S = 90.0  # each command is a write on the board's flash
_STILL_S = 10.0  # a page looks more often than this, for as long as it is open
_MOST_BOARDS = 16
"""With more boards online none is told: nobody watches so many, and all of them would speak every second."""

Command = Callable[[str, str, Sequence[int]], Awaitable[bool]]
"""(device, verb, args): sends a signed command; False if it could not. Raises StoreError."""


class Watching:
    """`looked` says that somebody looks, `run` tells the boards."""

    def __init__(self, db: Database, store: StoreThread, command: Command) -> None:
        self._db = db
        self._store = store
        self._command = command
        self._looked_s = -math.inf
        self._told: dict[str, float] = {}
        self._news = asyncio.Event()

    def looked(self) -> None:
        """Somebody looks at readings now."""
        self._looked_s = asyncio.get_running_loop().time()
        self._news.set()

    async def run(self) -> None:
        """Tell the boards for ever."""
        now_s = asyncio.get_running_loop().time
        while True:
            await self._news.wait()
            self._news.clear()
            while now_s() - self._looked_s <= _STILL_S:
                await self._tell(now_s())
                await asyncio.sleep(1)

    async def _tell(self, now_s: float) -> None:
        try:
            online = await self._store(self._online)
            # Who comes back is told at once.
            self._told = {name: told_s for name, told_s in self._told.items() if name in online}
            for name in online if len(online) <= _MOST_BOARDS else ():
                if now_s - self._told.get(name, -math.inf) >= _AGAIN_S:
                    self._told[name] = now_s
                    await self._command(name, VERB, [LIVE_S])
        except (StoreError, sqlite3.OperationalError) as why:
            log.warning("could not tell the boards that somebody looks: %s", why)

    def _online(self) -> list[str]:
        return [
            device.device
            for device in devices.registry(self._db).values()
            if device.online and not device.revoked and not device.quiet
        ]
