"""`hearthgate run`: the gateway with its console, until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import importlib
import logging
import signal
from typing import TYPE_CHECKING

from gateway.app import logs
from gateway.app.cancelling import cancel_and_wait
from gateway.app.gateway import Gateway
from gateway.app.settings import Settings
from gateway.store.frames import Committed

if TYPE_CHECKING:
    from gateway.web.console import Console

log = logging.getLogger(__name__)

_REPORT_S = 60.0
_BOARDS_FIRST_S = 1.0


async def run(settings: Settings) -> None:
    """Run until a signal. Raises BrokerError, ConsoleError, SettingsError or StoreError."""
    logs.set_up(settings.log.style, settings.log.level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings)
    tasks: list[asyncio.Task[None]] = []
    try:
        acked = asyncio.Event()
        gateway.on_commit(lambda _: acked.set())
        await gateway.start()
        log.info("frames are kept in %s", settings.store.path)
        tasks.append(asyncio.create_task(gateway.wait()))
        tasks.append(asyncio.create_task(_report(gateway)))
        if settings.console.enabled:
            tasks.append(asyncio.create_task(_show(gateway, acked)))
        tasks.append(asyncio.create_task(_until(stop)))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        log.info("stopping")
        # Before all else: closing the console may take its time, and then whoever stops us may lose patience.
        await gateway.flush()
    finally:
        await cancel_and_wait(tasks)
        await gateway.close()


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _show(gateway: Gateway, acked: asyncio.Event) -> None:
    """Run the console until cancelled. Raises ConsoleError."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BOARDS_FIRST_S):
            await acked.wait()
    # The console's libraries take seconds to load on a small machine: the boards are heard first, and meanwhile.
    module = await asyncio.to_thread(importlib.import_module, "gateway.web.console")
    console: Console = module.Console(gateway, gateway.settings.console.host, gateway.settings.console.port)
    await console.start()
    try:
        log.info("open %s", console.url)
        await asyncio.Event().wait()
    finally:
        await console.close()


async def _report(gateway: Gateway) -> None:
    """A line a minute while something comes in, so that a person sees that it works."""
    stored = duplicates = 0

    def count(done: Committed) -> None:
        nonlocal stored, duplicates
        stored += done.stored
        duplicates += done.duplicates

    gateway.on_commit(count)
    while True:
        await asyncio.sleep(_REPORT_S)
        if stored or duplicates:
            log.info("stored %d frames in the last minute (%d came twice and were dropped)", stored, duplicates)
        stored = duplicates = 0
