"""A household to break: boards, broker, gateway and cloud as processes, and every link between them in our hands."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

from gateway.consent import register
from gateway.consent.grants import ANY_DEVICE, Grant
from gateway.consent.vocabulary import CATEGORIES, Granularity
from gateway.store import devices
from gateway.store.database import Database
from tools.chaos_boards import ChaosBoard, plans
from tools.chaos_gateway import seen_offset, set_offset
from tools.chaos_parts import Broker, Cloud, Gateway, Part
from tools.chaos_proxy import Link
from tools.chaos_schedule import CLOUD_MODES, Fault, Scene

__all__ = ["House", "house"]

RECIPIENT: Final = "manufacturer"
PURPOSE: Final = "product-improvement"
YEARS_MS: Final = 20 * 365 * 86_400_000
COMMIT_WINDOWS: Final = ((50, 1), (300, 3), (1000, 8))
"""Milliseconds, and seconds while nobody looks: as long as in a house would be most of a run."""

_SOON_S: Final = 8.0
"""So long a fault that takes a moment waits for a connection, or for a process that is starting."""


class House:
    """All parts, by name. `struck`: faults by kind; `missed`: those that had no effect, as nothing was there to strike;
    of what only boards can tell, once `settle` was called."""

    def __init__(self, folder: Path, seed: int, broker: str, epoch_ms: int, say: Callable[[str], None]) -> None:
        dice = random.Random(f"house {seed}")
        self.folder = folder
        self.store_path = folder / "hearthgate.sqlite"
        self.struck: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        token = secrets.token_urlsafe(16)
        self.broker = Broker(broker, folder)
        self.cloud = Cloud(folder, token)
        self.links: dict[str, Link] = {
            "gateway-broker": Link("gateway-broker", self.broker.port, dice),
            "gateway-cloud": Link("gateway-cloud", self.cloud.port, dice, mqtt=False),
        }
        self.boards: dict[str, ChaosBoard] = {}
        for plan in plans(seed):
            link = self.links[f"{plan.name}-broker"] = Link(f"{plan.name}-broker", self.broker.port, dice)
            self.boards[plan.name] = ChaosBoard(
                plan, folder, key=self._key(plan.device), port=link.port, seed=seed, epoch_ms=epoch_ms, say=say
            )
        (folder / "cloud.token").touch(mode=0o600)
        (folder / "cloud.token").write_text(token, encoding="ascii")
        settings = folder / "hearthgate.toml"
        settings.write_text(self._settings(*dice.choice(COMMIT_WINDOWS)), encoding="utf-8")
        self.gateway = Gateway(folder, settings)
        self.scene = Scene(
            boards=tuple(self.boards),
            mqtt=tuple(name for name, link in self.links.items() if link.mqtt),
            links=tuple(self.links),
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """The processes that are no boards, in the order in which they start."""
        return self.cloud, self.broker, self.gateway

    def _key(self, device: str) -> bytes:
        return random.Random(f"key {device}").randbytes(32)

    def _settings(self, window_ms: int, quiet_s: int) -> str:
        return f"""[store]
path = "{self.store_path.resolve()}"
commit_window_ms = {window_ms}
quiet_commit_window_s = {quiet_s}
[broker]
host = "127.0.0.1"
port = {self.links["gateway-broker"].port}
[console]
enabled = false
[[sinks]]
name = "cloud"
kind = "https"
recipient = "{RECIPIENT}"
url = "http://127.0.0.1:{self.links["gateway-cloud"].port}/v1/recipients/{RECIPIENT}/events"
token_file = "{(self.folder / "cloud.token").resolve()}"
"""

    def furnish(self) -> None:
        """Enrol the boards, and grant everything to the one recipient, from ever and for long."""
        now_ms = time.time_ns() // 1_000_000
        db = Database(self.store_path)
        try:
            for board in self.boards.values():
                devices.enrol(db, board.plan.device, board.plan.name, now_ms, self._key(board.plan.device))
            for category in CATEGORIES:
                register.give(
                    db,
                    Grant(
                        id=register.new_id(),
                        subject="Chaos",
                        devices=(ANY_DEVICE,),
                        category=category,
                        recipient=RECIPIENT,
                        purpose=PURPOSE,
                        granularity=Granularity.RAW,
                        hours=None,
                        start_ms=0,
                        expiry_ms=now_ms + YEARS_MS,
                        text="Everything, as it is measured.",
                        language="en",
                        created_ms=now_ms,
                    ),
                )
        finally:
            db.close()

    async def strike(self, fault: Fault) -> None:
        """Do it, and undo it when its time is over."""
        self.struck[fault.kind] += 1
        if fault.target in self.links:
            await self._strike_link(self.links[fault.target], fault)
        elif fault.target in self.boards:
            await self._strike_board(self.boards[fault.target], fault)
        elif fault.kind.endswith("_kill"):
            part = {"broker": self.broker, "gateway": self.gateway, "cloud": self.cloud}[fault.target]
            await part.kill()
            await asyncio.sleep(fault.seconds)
            await part.start()
            await part.ready()
        elif fault.kind.startswith("cloud_"):
            mode = fault.kind.removeprefix("cloud_")
            self.missed[fault.kind] += not await self.cloud_mode(mode)
            await asyncio.sleep(fault.seconds)
            await self.cloud_mode("ok")
        elif fault.kind == "disk_full":
            self.missed[fault.kind] += not self.gateway.limit_files(fault.value)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                self.gateway.limit_files(None)
        elif fault.kind == "gateway_clock":
            set_offset(self.gateway.clock, fault.value)
            seen = await _soon(lambda: seen_offset(self.gateway.clock) == fault.value)
            self.missed[fault.kind] += not seen

    async def _strike_link(self, link: Link, fault: Fault) -> None:
        if fault.kind == "repeat":
            self.missed[fault.kind] += not await _soon(lambda: link.repeat(fault.value) > 0)
            return
        with _trouble(link, fault):
            await asyncio.sleep(fault.seconds)

    async def _strike_board(self, board: ChaosBoard, fault: Fault) -> None:
        if fault.kind == "board_clock":
            board.order("clock", fault.value)
            return
        budget = -1
        if fault.kind == "board_power_cut":
            await board.power_cut(fault.value, fault.seconds)
        else:
            await board.kill()
            await asyncio.sleep(fault.seconds)
            if fault.kind == "board_power_cut_starting":
                budget = fault.value
        await board.start(budget)

    async def cloud_mode(self, mode: str) -> bool:
        """Tell the cloud how to behave; one that is down comes back with good manners anyway. Whether it says that it
        does."""
        numbers = {"delay_s": 2.0, "retry_after_s": 1.0} if mode in CLOUD_MODES else {}
        url = f"http://127.0.0.1:{self.cloud.port}/control"
        timeout = aiohttp.ClientTimeout(total=5)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, json={"mode": mode, **numbers}) as answer,
            ):
                return answer.status == HTTPStatus.OK and (await answer.json())["mode"] == mode
        return False

    def settle(self) -> None:
        """Count as missed what boards were to do and did not."""
        for kind in ("board_clock", "board_power_cut", "board_power_cut_starting"):
            took = sum(board.took_effect()[kind] for board in self.boards.values())
            self.missed[kind] = self.struck[kind] - took

    async def heal(self) -> None:
        """Everything runs, and every link is as it should be. What was striking must have been cancelled."""
        set_offset(self.gateway.clock, 0)
        self.gateway.limit_files(None)
        for part in self.parts:
            await part.start()
        for part in self.parts:
            await part.ready()
        await self.cloud_mode("ok")
        for board in self.boards.values():
            await board.start()

    async def refresh(self) -> None:
        """Restart broker and gateway: nobody waits any longer for the end of a pause between two tries. The boards come
        back last, so that nothing they say is lost again with a broker that remembers nobody."""
        with contextlib.ExitStack() as stack:
            for board in self.boards:
                stack.enter_context(self.links[f"{board}-broker"].refusing())
            await self.gateway.kill()
            await self.broker.kill()
            for part in (self.broker, self.gateway):
                await part.start()
                await part.ready()

    def problems(self) -> list[str]:
        """What no part should have done, each as a sentence."""
        found = [sentence for part in self.parts for sentence in part.ended]
        return found + [sentence for board in self.boards.values() for sentence in board.problems]


async def _soon(done: Callable[[], bool]) -> bool:
    """Whether something is so within a while."""
    deadline = time.monotonic() + _SOON_S
    while not (so := done()) and time.monotonic() < deadline:  # noqa: ASYNC110 - it is done by other processes
        await asyncio.sleep(0.1)
    return so


def _trouble(link: Link, fault: Fault) -> contextlib.AbstractContextManager[None]:
    if fault.kind in ("link_cut", "link_outage"):
        return link.refusing()
    if fault.kind == "link_black_hole":
        return link.black_hole()
    return link.delayed(fault.value / 1000) if fault.kind == "link_delay" else link.reordering(fault.value)


@contextlib.asynccontextmanager
async def house(
    folder: Path, seed: int, broker: str, epoch_ms: int, say: Callable[[str], None]
) -> AsyncIterator[House]:
    """Start all parts; end them, each by its own process, however this ends."""
    home = House(folder, seed, broker, epoch_ms, say)
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.to_thread(home.furnish)
        for link in home.links.values():
            await link.start()
            stack.push_async_callback(link.close)
        for part in home.parts:
            stack.push_async_callback(part.kill)
        for board in home.boards.values():
            stack.push_async_callback(board.close)
        await asyncio.gather(*(part.start() for part in home.parts))
        await asyncio.gather(*(part.ready() for part in home.parts))
        for board in home.boards.values():
            await board.start()
        await asyncio.gather(*(board.ready() for board in home.boards.values()))
        yield home
