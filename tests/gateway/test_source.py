"""The MQTT source on a real Mosquitto: what it delivers, what it bounds, and what it does when the broker goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import pytest

from gateway.app.inbox import MAX_BYTES, Message
from gateway.app.source import BrokerAddress, MqttSource
from gateway.forward.backoff import Backoff
from gateway.wire.cose import MAX_MESSAGE_BYTES

PATIENCE_S = 20.0
TOPIC = "hg/1/a0b1c2d3e4f5/up"

pytestmark = pytest.mark.asyncio


class Heard:
    """What was delivered; nothing is taken while `open` is not set."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Event()

    async def deliver(self, message: Message) -> None:
        await self.open.wait()
        self.messages.append(message)
        self._changed.set()

    async def count(self, n: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.messages) < n:
                self._changed.clear()
                await self._changed.wait()


async def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(port: int, heard: Heard, client_id: str = "hearthgate-1") -> AsyncIterator[MqttSource]:
    source = MqttSource(BrokerAddress("127.0.0.1", port), client_id=client_id, backoff=Backoff(0.05, 0.1))
    task = asyncio.create_task(source.run(heard.deliver))
    try:
        await asyncio.wait_for(source.connected.wait(), PATIENCE_S)
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_hears_boards_and_speaks_to_them(mosquitto: Callable[..., Any]):
    port = mosquitto().port
    heard = Heard()
    async with running(port, heard) as source, aiomqtt.Client("127.0.0.1", port) as board:
        await board.subscribe("hg/1/a0b1c2d3e4f5/ack")
        for n in range(50):
            await board.publish(TOPIC, bytes([n]), qos=1)
        await heard.count(50)
        assert [m.payload[0] for m in heard.messages] == list(range(50))
        assert {m.topic for m in heard.messages} == {TOPIC}
        assert await source.publish("hg/1/a0b1c2d3e4f5/ack", b"ack", retain=True)
        assert (await anext(board.messages)).payload == b"ack"


async def test_two_sources_with_names_of_their_own_hear_the_same(mosquitto: Callable[..., Any]):
    port = mosquitto().port
    one, two = Heard(), Heard()
    async with (
        running(port, one, "hearthgate-1") as first,
        running(port, two, "hearthgate-2") as second,
        aiomqtt.Client("127.0.0.1", port) as board,
    ):
        for n in range(20):
            await board.publish(TOPIC, bytes([n]), qos=1)
        await one.count(20)
        await two.count(20)
        assert first.connected.is_set()
        assert second.connected.is_set()
    assert one.messages == two.messages


async def test_what_came_while_it_was_away_is_heard_later(mosquitto: Callable[..., Any]):
    port = mosquitto().port
    heard = Heard()
    async with running(port, heard):
        pass
    async with aiomqtt.Client("127.0.0.1", port) as board:
        await board.publish(TOPIC, b"meanwhile", qos=1)
    async with running(port, heard):
        await heard.count(1)
    assert heard.messages == [Message(TOPIC, b"meanwhile")]


async def test_a_broker_that_comes_back_is_found(mosquitto: Callable[..., Any]):
    broker = mosquitto()
    heard = Heard()
    async with running(broker.port, heard) as source:
        broker.stop()
        await until(lambda: source.trouble is not None)
        assert not source.connected.is_set()
        assert not await source.publish("hg/1/a0b1c2d3e4f5/ack", b"ack", retain=True)
        broker.start()
        await asyncio.wait_for(source.connected.wait(), PATIENCE_S)
        assert source.trouble is None
        async with aiomqtt.Client("127.0.0.1", broker.port) as board:
            await board.publish(TOPIC, b"again", qos=1)
        await heard.count(1)


async def test_a_strangers_megabytes_go_no_further(mosquitto: Callable[..., Any]):
    port = mosquitto().port
    heard = Heard()
    async with running(port, heard), aiomqtt.Client("127.0.0.1", port) as stranger:
        await stranger.publish(TOPIC, bytes(5_000_000), qos=1)
        await heard.count(1)
    assert len(heard.messages[0].payload) == MAX_MESSAGE_BYTES + 1


async def test_while_nothing_is_taken_what_waits_is_bounded_and_the_rest_is_counted(
    mosquitto: Callable[..., Any], caplog: pytest.LogCaptureFixture
):
    port = mosquitto(extra="max_queued_messages 0\nmax_inflight_messages 0").port
    heard = Heard()
    sent, size = 250, 60_000
    async with running(port, heard) as source, aiomqtt.Client("127.0.0.1", port) as board:
        heard.open.clear()
        for n in range(sent):
            await board.publish(TOPIC, bytes([n]) * size, qos=1)
        await until(lambda: source.dropped >= sent - MAX_BYTES // size - 2)
        heard.open.set()
        kept = sent - source.dropped
        await heard.count(kept)
        assert [m.payload[0] for m in heard.messages] == list(range(kept))  # the oldest
        assert kept * size < 2 * MAX_BYTES
        assert sum("not acked" in r.getMessage() for r in caplog.records) == 1
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1
        await board.publish(TOPIC, b"later", qos=1)
        await heard.count(kept + 1)
