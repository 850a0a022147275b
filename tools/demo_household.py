"""The demo's household: two emulated boards, a broker, the gateway with its console, and a stand-in cloud."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.app.now import real_now_ms
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.consent import audit, register
from gateway.consent.grants import Grant, expires
from gateway.consent.vocabulary import Granularity
from gateway.store import devices
from gateway.web.console import Console
from tools.cloud import Cloud
from tools.virtual_board import VirtualBoard

__all__ = ["DATABASE", "DAYS", "FRIDGE", "Household", "household", "household_clock", "say"]

DATABASE = "gateway.sqlite"
DAYS = 365


@dataclass(frozen=True, slots=True)
class DemoBoard:
    """One emulated board of the demo."""

    board: str
    device: str
    name: str
    seed: int


FRIDGE = DemoBoard("fridge-sim", "5e0000000002", "Kitchen fridge", 12)
BOARDS = (DemoBoard("kettle-sim", "5e0000000001", "Kitchen kettle", 11), FRIDGE)


@dataclass(slots=True)
class Household:
    """Everything that runs."""

    gateway: Gateway
    console: Console
    cloud: Cloud
    boards: list[VirtualBoard]
    speed: int


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def household_clock(epoch_ms: int, speed: int) -> Callable[[], int]:
    """A clock that all parts of a sped-up household share: it runs `speed` times as fast since `epoch_ms`."""
    return lambda: epoch_ms + int((real_now_ms() - epoch_ms) * speed)


def port_or_free(wanted: int) -> int:
    """`wanted` if nobody listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def first_grant(now_ms: int) -> Grant:
    """What the demo's household has agreed to: one thing, so that both sides can be seen."""
    return Grant(
        id=register.new_id(),
        subject="Demo household",
        devices=(FRIDGE.device,),
        category="temperature",
        recipient="manufacturer",
        purpose="product-improvement",
        granularity=Granularity.QUARTER_HOUR,
        hours=None,
        start_ms=now_ms,
        expiry_ms=expires(now_ms, DAYS),
        text="I agree that the manufacturer gets how warm or cold it is in my fridge (lowest, mean and highest of "
        "each quarter of an hour) to make better appliances, for a year. I can take this back any time.",
        language="en",
        created_ms=now_ms,
    )


@contextlib.asynccontextmanager
async def household(folder: Path, speed: int) -> AsyncIterator[Household]:
    """Start all parts; stop them at the end. Raises HearthgateError, CloudError or BoardError."""
    epoch_ms = real_now_ms()
    now_ms = household_clock(epoch_ms, speed)
    async with contextlib.AsyncExitStack() as stack:
        say("  cloud      a stand-in on this machine, which checks every event's consent")
        token = secrets.token_urlsafe(24)
        cloud = Cloud(folder / "cloud.sqlite", port=port_or_free(8099), token=token, now=lambda: now_ms() / 1000)
        await cloud.start()
        stack.push_async_callback(cloud.close)
        token_file = folder / "cloud.token"
        token_file.touch(mode=0o600)
        token_file.write_text(token, encoding="ascii")

        say("  gateway    with a broker inside, storing into SQLite")
        gateway = Gateway(_settings(folder, cloud.url, token_file), now_ms=now_ms)
        stack.push_async_callback(gateway.close)
        keys = {
            board.device: (await gateway.store(devices.enrol, gateway.db, board.device, board.name, now_ms())).key
            for board in BOARDS
        }
        # As it would be told when the household and the manufacturer first met.
        cloud.keys = {"manufacturer": (await gateway.store(audit.signing_key, gateway.db, "manufacturer")).public}
        await gateway.start()
        await gateway.grant(first_grant(now_ms()))
        async with asyncio.timeout(15):
            await gateway.source.connected.wait()
        console = Console(gateway, "127.0.0.1", port_or_free(8080))
        await console.start()
        stack.push_async_callback(console.close)

        boards: list[VirtualBoard] = []
        for board in BOARDS:
            say(f"  {board.board:<10} real MicroPython, 128 KiB heap: {board.name}")
            virtual = VirtualBoard(
                board.board,
                device=board.device,
                key=keys[board.device],
                name=board.name,
                mqtt_host="127.0.0.1",
                mqtt_port=gateway.broker_port,
                seed=board.seed,
                speed=speed,
                epoch_ms=epoch_ms,
                workdir=folder / board.board,
            )
            await virtual.start()
            stack.push_async_callback(virtual.close)
            boards.append(virtual)
        yield Household(gateway, console, cloud, boards, speed)


def _settings(folder: Path, cloud_url: str, token_file: Path) -> Settings:
    return Settings(
        store=Store(path=folder / DATABASE, commit_window_ms=50, quiet_commit_window_s=1),
        broker=Broker(host="127.0.0.1", port=port_or_free(1883), builtin=True),
        sinks=(
            SinkSettings(
                name="manufacturer",
                kind="https",
                recipient="manufacturer",
                url=f"{cloud_url}/v1/recipients/manufacturer/events",
                token_file=token_file,
            ),
        ),
    )
