"""The gateway's database, for the gateway alone, and lent to commands that ask for it (`borrowing` has the words).

Alone, SQLite keeps the index of its log in memory. As a file it would be written out every 30 s, which at calm times is
half of all that the gateway writes.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import math
import os
import socket
import sqlite3
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from gateway.app.borrowing import MAX_LINE, address, socket_path
from gateway.app.cancelling import cancel_and_wait
from gateway.errors import HearthgateError
from gateway.store.database import Database, StoreError
from gateway.store.thread import StoreThread

log = logging.getLogger(__name__)

QUIET_S = 10.0  # after the last command: often another one follows
AGAIN_S = 60.0  # after something else had the file open


class SoleGateway:
    """Makes sure that no second gateway runs on a database. Raises StoreError if one does."""

    def __init__(self, database: Path) -> None:
        path = database.resolve()
        path = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as why:
            raise StoreError(f"{path}: {why}. Check the folder's owner and free space.") from why
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as why:
            os.close(lock)
            raise StoreError(
                f"another gateway runs on {database}. Stop it first, or name another file under [store] path."
            ) from why
        self._release = weakref.finalize(self, os.close, lock)  # also of a gateway that did not come up

    def release(self) -> None:
        """Another may start."""
        self._release()


class Lending:
    """Lends the database to commands. `changed` is awaited after each that changed it, before that one is told so.
    `looked` is called for each that comes: who runs a command wants to see what there is. `lend_port` leaves a serial
    port alone inside, and gives the devices that the gateway heard there, None where the port is not the gateway's."""

    def __init__(
        self,
        db: Database,
        store: StoreThread,
        changed: Callable[[], Awaitable[object]],
        looked: Callable[[], object] = lambda: None,
        lend_port: Callable[[str], AbstractAsyncContextManager[Sequence[str] | None]] | None = None,
    ) -> None:
        self._db = db
        self._store = store
        self._changed = changed
        self._looked = looked
        self._lend_port = lend_port
        self._path = socket_path(db.path)
        self._server: asyncio.Server | None = None
        self._turn = asyncio.Lock()
        self._borrowers: set[asyncio.Task[object] | None] = set()
        self._asked = asyncio.Event()
        self._left_s = -math.inf

    async def start(self) -> None:
        """Listen for commands."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)  # of a gateway that was killed: no other runs
            with address(self._path) as where:
                listener.bind(where)
            self._path.chmod(0o600)  # nobody can connect before it listens
            self._server = await asyncio.start_unix_server(self._lend, sock=listener, limit=MAX_LINE)
        except OSError as why:
            listener.close()
            log.warning("%s: %s. More is written to the disk than need be; commands work.", self._path, why)

    async def keep(self) -> None:
        """Hold the database whenever no command has it, for ever."""
        if self._server is None:
            return
        while True:
            if self._borrowers or _now_s() < self._left_s + QUIET_S:
                await asyncio.sleep(QUIET_S / 4)
                continue
            async with self._turn:
                if self._borrowers:
                    continue
                self._asked.clear()
                held = await self._hold()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if held else AGAIN_S):
                    await self._asked.wait()

    async def close(self) -> None:
        """Lend no more."""
        if self._server is None:
            return
        self._server.close()
        await cancel_and_wait([task for task in self._borrowers if task is not None])
        self._path.unlink(missing_ok=True)

    async def _lend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._borrowers.add(task)
        self._asked.set()
        self._looked()
        try:
            with contextlib.suppress(OSError):  # it is gone
                await self._serve(reader, writer)
        finally:
            self._borrowers.discard(task)
            self._left_s = _now_s()
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One command. Raises OSError: it is gone."""
        try:
            async with self._turn:
                await self._store(self._db.share)
        except sqlite3.Error as why:
            await _say(writer, error=str(why))
            return
        await _say(writer, ready=True)
        said = await _heard(reader)
        if self._lend_port is not None and isinstance(said, dict) and isinstance(said.get("port"), str):
            async with self._lend_port(said["port"]) as heard:
                await _say(writer, released=heard is not None, heard=list(heard or ()))
                said = await _heard(reader)
        # Whoever does not say so may have changed something before it was killed.
        if said != {"changed": False}:
            try:
                await self._changed()
            except (HearthgateError, sqlite3.Error) as why:
                log.warning("what a command changed cannot be read: %s", why)
                await _say(writer, error=str(why))
                return
        await _say(writer, done=True)

    async def _hold(self) -> bool:
        try:
            return await self._store(self._db.hold)
        except sqlite3.Error:  # a full disk, say: whoever needs the database next tries again, and says so
            return False


async def _heard(reader: asyncio.StreamReader) -> object:
    """What the command says; None if it is gone or talks nonsense."""
    try:
        return json.loads(await reader.readline())
    except (OSError, ValueError, RecursionError):
        return None


async def _say(writer: asyncio.StreamWriter, **said: object) -> None:
    writer.write(json.dumps(said).encode() + b"\n")
    await writer.drain()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
