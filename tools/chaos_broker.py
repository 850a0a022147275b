"""An amqtt broker as a process of its own: `python -m tools.chaos_broker PORT`, until SIGTERM or a kill."""

from __future__ import annotations

import asyncio
import signal
import sys

from gateway.app import logs
from gateway.app.broker import BuiltinBroker

__all__ = ["main"]


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    broker = BuiltinBroker("127.0.0.1", port)
    await broker.start()
    print("broker: ready", flush=True)
    await stop.wait()
    await broker.close()


def main() -> int:
    """Serve until told to stop."""
    logs.set_up("text", "warning")
    asyncio.run(_serve(int(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
