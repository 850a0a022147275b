"""Two gateways in one house: both hear the same boards through one broker, and the cloud holds each event once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import pytest_asyncio

from gateway.app.gateway import Gateway
from gateway.app.household import export, take_in
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.wire.cose import open_sealed
from gateway.wire.downlink import decode_ack
from tools import onboard
from tools.cloud import Cloud

PATIENCE_S = 30.0
FRAMES = 60
FAULT = 4
"""A channel of the tests' fridge that nobody granted."""

pytestmark = pytest.mark.asyncio


class House:
    """A broker, a cloud, and as many gateways as a test starts."""

    def __init__(self, port: int, cloud: Cloud, folder: Path, now_ms: Callable[[], int]) -> None:
        self.port = port
        self.cloud = cloud
        self._folder = folder
        self._now_ms = now_ms
        self.gateways: list[Gateway] = []

    def gateway(self, name: str, **store: Any) -> Gateway:
        settings = Settings(
            store=Store(path=self._folder / f"{name}.sqlite", **store),
            broker=Broker(host="127.0.0.1", port=self.port),
            sinks=(
                SinkSettings(
                    name="cloud",
                    kind="https",
                    recipient="manufacturer",
                    url=f"{self.cloud.url}/v1/recipients/manufacturer/events",
                ),
            ),
        )
        made = Gateway(settings, now_ms=self._now_ms)
        self.gateways.append(made)
        return made


@pytest_asyncio.fixture
async def house(household: Any, mosquitto: Callable[[], Any], tmp_path: Path) -> AsyncIterator[House]:
    cloud = Cloud(tmp_path / "cloud.sqlite", now=lambda: household.now_ms / 1000)
    await cloud.start()
    made = House(mosquitto().port, cloud, tmp_path, lambda: household.now_ms)
    yield made
    for gateway in made.gateways:
        await gateway.close()
    await cloud.close()


async def counted(gateway: Gateway, name: str, n: int) -> None:
    """Wait until a gateway has counted that much, without the patience of its commit window."""
    deadline = time.monotonic() + PATIENCE_S
    while (await gateway.store(gateway.db.counters)).get(name, 0) < n:
        assert time.monotonic() < deadline
        await gateway.ingest.settle()
        await asyncio.sleep(0.02)


async def send(client: aiomqtt.Client, messages: list[tuple[str, bytes]]) -> None:
    for topic, payload in messages:
        await client.publish(topic, payload, qos=1, retain=topic.endswith("/birth"))


async def begin(gateway: Gateway) -> None:
    await gateway.start()
    await asyncio.wait_for(gateway.source.connected.wait(), PATIENCE_S)


def numbered(gateway: Gateway) -> dict[int, int]:
    """In which rows of its own a gateway has the frames of the board, by seq."""
    found = gateway.db.connection.execute(
        "SELECT seq, frame.id FROM frame JOIN device ON device.id = device_id WHERE device = 'a0b1c2d3e4f5'"
    )
    return dict(found.fetchall())


def said(household: Any, board: Any) -> list[tuple[str, bytes]]:
    """What the board says: every third frame is an event, and some have no clock."""
    frames = []
    for seq in range(1, FRAMES + 1):
        clock = {"time_s": None if seq % 7 == 0 else household.now_ms // 1000 + 10 * seq, "uptime_ms": 10_000 * seq}
        if seq % 3:
            frames.append(board.rows(seq, [[320 + seq, 0, 1500]] * 2, step_ms=5000, **clock))
        else:
            frames.append(board.events(seq, [(3, 0, 1)], **clock))
    return frames


async def test_the_cloud_holds_each_event_once(
    house: House, household: Any, board: Any, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "gateway")
    household.grant()
    household.grant(category="door")
    other = household.board("a0b1c2d3e4f6")
    fast = house.gateway("fast", commit_window_ms=20, quiet_commit_window_s=1)
    slow = house.gateway("slow")
    for gateway in house.gateways:
        take_in(gateway.db, export(household.db), household.now_ms)
    frames = said(household, board)
    household.now_ms += FRAMES * 10_000

    async with aiomqtt.Client("127.0.0.1", house.port) as client:
        # One has heard more by then, of which nothing may leave: no frame has the same row in both databases.
        await begin(fast)
        await send(client, [other.birth(), other.events(1, [(FAULT, 0, 1)]), other.events(2, [(FAULT, 0, 2)])])
        await counted(fast, "frames_stored", 2)
        await begin(slow)
        await send(client, [board.birth(), *frames])
        for gateway, before in ((fast, 2), (slow, 0)):
            await counted(gateway, "frames_stored", before + FRAMES)
            assert await gateway.drain(PATIENCE_S)
        rows = [await gateway.store(numbered, gateway) for gateway in (fast, slow)]
        assert all(rows[0][seq] != rows[1][seq] for seq in range(1, FRAMES + 1))
        first = house.cloud.stats()

        # a board that comes back reads the retained ack of whichever was the later, and sends what is not covered
        await client.subscribe(f"hg/1/{board.device}/ack")
        ack = decode_ack(open_sealed(board.key, "ack", (await anext(client.messages)).payload))
        assert ack.upto == ((1, FRAMES),)
        await send(client, frames[30:])
        for gateway in (fast, slow):
            await counted(gateway, "frames_duplicate", FRAMES - 30)
            assert await gateway.drain(PATIENCE_S)

    second = house.cloud.stats()
    assert first.events == second.events > FRAMES // 2
    assert first.duplicates == second.duplicates == first.events  # each came from both, and is held once
    assert (second.conflicts, second.refused, second.leaked) == (0, 0, 0)
    connected = [r for r in caplog.records if r.getMessage().startswith("connected")]
    assert len(connected) == 2  # none threw the other off the broker


async def test_what_the_slower_one_acks_is_what_it_has(house: House, household: Any, board: Any):
    fast = house.gateway("fast", commit_window_ms=20, quiet_commit_window_s=1)
    slow = house.gateway("slow")
    heard: list[tuple[int, ...]] = []

    async with aiomqtt.Client("127.0.0.1", house.port) as client:
        await client.subscribe(f"hg/1/{board.device}/ack")
        for gateway in house.gateways:
            take_in(gateway.db, export(household.db), household.now_ms)
        await fast.start()
        await asyncio.wait_for(fast.source.connected.wait(), PATIENCE_S)
        frames = said(household, board)
        await send(client, [board.birth(), *frames[:20]])
        acked = 0
        while acked < 20:  # the board lets go of these: the second gateway never hears them
            ack = decode_ack(open_sealed(board.key, "ack", (await anext(client.messages)).payload))
            acked = max(acked, dict(ack.upto)[1])
        await slow.start()
        await asyncio.wait_for(slow.source.connected.wait(), PATIENCE_S)
        await send(client, frames[20:40])
        await counted(fast, "frames_stored", 40)
        await counted(slow, "frames_stored", 20)
        await asyncio.sleep(0.2)
        while not client.messages._client._queue.empty():
            ack = decode_ack(open_sealed(board.key, "ack", (await anext(client.messages)).payload))
            heard.append(ack.upto[0])
        assert (1, 40) in heard
        assert (1, 0) in heard  # the late one has no frame before the 21st, and does not say that it had

        # the board answers the hole with a gap; who has the frames keeps them, who has not stops waiting
        gap = onboard.load("frame").gap_frame(1, FRAMES + 1, None, 0, 1, 1, 20)
        await send(client, [*frames[40:], board.say("up", gap)])
        await counted(fast, "frames_stored", FRAMES + 1)
        await counted(slow, "frames_stored", FRAMES + 1 - 20)

    def early(gateway: Gateway) -> tuple[int, int]:
        (stored,) = gateway.db.connection.execute("SELECT count(*) FROM frame WHERE seq <= 40").fetchone()
        return stored, gateway.db.counters().get("frames_missing", 0)

    assert [await gateway.store(early, gateway) for gateway in house.gateways] == [(40, 0), (20, 20)]
