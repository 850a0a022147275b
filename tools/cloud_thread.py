"""A thread for the stand-in cloud's file, so that no disk holds up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from tools.cloud_records import CloudStats
from tools.cloud_store import CloudStore

__all__ = ["StoreThread"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StoreThread:
    """A CloudStore in a thread of its own; its work is done in the order in which it was asked for."""

    def __init__(self, path: str | Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cloud-store")
        try:
            self._store = self._thread.submit(CloudStore, path).result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def run(self, work: Callable[Concatenate[CloudStore, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work(store, ...)` there, and give what it returns or raises."""
        return await asyncio.wrap_future(self._thread.submit(work, self._store, *args, **kwargs))

    def stats(self) -> CloudStats:
        """The counts after all that was asked for before; waits for it."""
        return self._thread.submit(self._store.stats).result()

    def close(self) -> None:
        """Finish what was asked for, then close the file."""
        self._thread.submit(self._store.close).result()
        self._thread.shutdown()
