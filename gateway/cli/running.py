"""`hearthgate run`: the gateway with its console, until Ctrl-C or SIGTERM."""

import asyncio
import logging
import signal

from gateway.app import logs
from gateway.app.gateway import Gateway
from gateway.app.settings import Settings
from gateway.store.frames import Committed
from gateway.web.console import Console

log = logging.getLogger(__name__)

_REPORT_S = 60.0


async def run(settings: Settings) -> None:
    """Run until a signal. Raises BrokerError, ConsoleError, SettingsError or StoreError."""
    logs.set_up(settings.log.style, settings.log.level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings)
    console: Console | None = None
    try:
        await gateway.start()
        log.info("frames are kept in %s", settings.store.path)
        if settings.console.enabled:
            console = Console(gateway, settings.console.host, settings.console.port)
            await console.start()
            log.info("open %s", console.url)
        report = asyncio.create_task(_report(gateway))
        parts = asyncio.create_task(gateway.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({parts, stopped}, return_when=asyncio.FIRST_COMPLETED)
        report.cancel()
        stopped.cancel()
        if parts.done():
            parts.result()
        parts.cancel()
        log.info("stopping")
    finally:
        if console is not None:
            await console.close()
        await gateway.close()


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
