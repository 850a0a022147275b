"""The proxy in front of a real Mosquitto, with real clients on both sides of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import aiomqtt
import pytest

from tests.conftest import Broker, BrokerFactory
from tools.chaos_mqtt import PUBLISH, Splitter, as_qos0, kind, topic
from tools.chaos_proxy import Link

PATIENCE_S = 10.0
UP = "hg/1/5e0000000001/up"


@pytest.fixture
def broker(mosquitto: BrokerFactory) -> Broker:
    return mosquitto()


@contextlib.asynccontextmanager
async def through(broker: Broker) -> AsyncIterator[Link]:
    link = Link("test", broker.port, random.Random(1))
    await link.start()
    try:
        yield link
    finally:
        await link.close()


def client(port: int, name: str, patience_s: float = PATIENCE_S) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, identifier=name, timeout=patience_s)


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[list[bytes]]:
    """What comes to a subscriber, in its order."""
    came: list[bytes] = []
    async with client(port, "listener") as subscriber:
        await subscriber.subscribe("hg/#", qos=1)

        async def listen() -> None:
            async for message in subscriber.messages:
                assert isinstance(message.payload, bytes)
                came.append(message.payload)

        task = asyncio.create_task(listen())
        yield came
        task.cancel()


async def until(done: list[bytes], count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(done) < count:  # noqa: ASYNC110 - what is waited for is a list
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_everything_passes_once_and_in_order(broker: Broker):
    sent = [bytes([n]) * (n * 97 % 3000 + 1) for n in range(200)]
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        for payload in sent:
            await board.publish(UP, payload, qos=1)
        await until(came, 200)
    assert came == sent


@pytest.mark.asyncio
async def test_a_cut_ends_the_connection_and_the_next_is_refused_until_it_is_over(broker: Broker):
    async with through(broker) as link, listening(broker.port) as came:
        with pytest.raises(aiomqtt.MqttError):
            async with client(link.port, "board") as board:
                await board.publish(UP, b"1", qos=1)
                with link.refusing():
                    await board.publish(UP, b"2", qos=1, timeout=1)
        with link.refusing(), pytest.raises(aiomqtt.MqttError):
            await client(link.port, "board", 1).__aenter__()
        async with client(link.port, "board") as board:
            await board.publish(UP, b"3", qos=1)
        await until(came, 2)
    assert came == [b"1", b"3"]


@pytest.mark.asyncio
async def test_a_black_hole_keeps_what_was_sent_for_later(broker: Broker):
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        with link.black_hole():
            sending = asyncio.create_task(board.publish(UP, b"late", qos=1, timeout=PATIENCE_S))
            await asyncio.sleep(0.3)
            assert not came
            assert not sending.done()
        await sending
        await until(came, 1)


@pytest.mark.asyncio
async def test_holes_and_cuts_may_overlap(broker: Broker):
    async with through(broker) as link:
        with link.black_hole():
            with link.black_hole():
                pass
            assert not link.passes.is_set()
        assert link.passes.is_set()
        with link.delayed(0.1):
            with link.delayed(0.2):
                assert link.delay_s == pytest.approx(0.3)
            assert link.delay_s == pytest.approx(0.1)
        assert link.delay_s == pytest.approx(0)


@pytest.mark.asyncio
async def test_delay_takes_time_and_keeps_the_order(broker: Broker):
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        with link.delayed(0.2):
            began = time.monotonic()
            await asyncio.gather(*(board.publish(UP, bytes([n]), qos=1) for n in range(5)))
            assert time.monotonic() - began >= 0.4  # there, and its PUBACK back
        await until(came, 5)
    assert came == [bytes([n]) for n in range(5)]


@pytest.mark.asyncio
async def test_repeat_says_old_messages_again_and_the_client_hears_no_answer_to_them(broker: Broker):
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        assert link.repeat(3) == 0  # nothing to repeat
        await board.publish(UP, b"a", qos=1)
        await board.publish(UP, b"b", qos=1)
        assert link.repeat(20) == 20
        await board.publish(UP, b"c", qos=1)
        await until(came, 23)
    assert came[:2] == [b"a", b"b"]
    assert came.count(b"a") + came.count(b"b") == 22
    assert b"c" in came


@pytest.mark.asyncio
async def test_repeat_towards_a_subscriber(broker: Broker):
    async with through(broker) as link, listening(link.port) as came, client(broker.port, "gateway") as gateway:
        await gateway.publish(UP, b"once", qos=1)
        await until(came, 1)
        link.repeat(5)
        await until(came, 6)
    assert set(came) == {b"once"}


@pytest.mark.asyncio
async def test_reordering_changes_places_and_loses_nothing(broker: Broker):
    sent = [bytes([n]) for n in range(60)]
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        with link.reordering(8):
            await asyncio.gather(*(board.publish(UP, payload, qos=1) for payload in sent))
        await until(came, 60)
    assert came != sent
    assert sorted(came) == sent


@pytest.mark.asyncio
async def test_only_frames_change_places(broker: Broker):
    async with through(broker) as link, listening(broker.port) as came, client(link.port, "board") as board:
        with link.reordering(8):
            for n in range(20):
                await board.publish("hg/1/5e0000000001/birth", bytes([n]), qos=1)
        await until(came, 20)
    assert came == sorted(came)


@pytest.mark.asyncio
async def test_what_is_no_mqtt_passes_as_it_is():
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    link = Link("web", server.sockets[0].getsockname()[1], random.Random(1), mqtt=False)
    await link.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"hello\n")
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"HELLO\n"
    writer.close()
    await link.close()
    server.close()


@pytest.mark.asyncio
async def test_a_server_that_is_away_is_a_connection_that_ends():
    link = Link("dead", 1, random.Random(1))
    await link.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    await link.close()


def publish(payload: bytes, qos: int = 1, retain: bool = False, dup: bool = False) -> bytes:
    body = len(UP).to_bytes(2, "big") + UP.encode() + (b"\x12\x34" if qos else b"") + payload
    size, head = len(body), bytearray([0x30 | dup << 3 | qos << 1 | retain])
    while True:
        size, digit = size >> 7, size & 0x7F
        head.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


@pytest.mark.parametrize("length", [0, 1, 90, 130, 20_000])
def test_split_at_any_byte(length: int):
    packets = [publish(b"x" * length), b"\xd0\x00", publish(b"y")]
    stream = b"".join(packets)
    for piece in (1, 3, 1000):
        splitter = Splitter()
        found = [packet for at in range(0, len(stream), piece) for packet in splitter.feed(stream[at : at + piece])]
        assert found == packets


@pytest.mark.parametrize("head", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"])
def test_split_refuses_what_is_no_packet(head: bytes):
    with pytest.raises(ValueError, match=r"remaining length|a packet of"):
        Splitter().feed(head)


@pytest.mark.parametrize("length", [0, 90, 97, 98, 130, 20_000])
@pytest.mark.parametrize("retain", [False, True])
def test_without_a_packet_id_it_is_the_same_message(length: int, retain: bool):
    payload = b"z" * length
    for packet in (publish(payload, 1, retain, dup=True), publish(payload, 0, retain)):
        assert kind(packet) == PUBLISH
        assert topic(packet) == UP
        assert as_qos0(packet) == publish(payload, 0, retain)


def test_an_old_birth_that_is_said_again_is_not_retained():
    topic_ = b"hg/1/5e00000000f1/birth"
    body = len(topic_).to_bytes(2, "big") + topic_ + (7).to_bytes(2, "big") + b"sealed"
    assert as_qos0(bytes([0x33, len(body)]) + body) == bytes([0x30, len(body) - 2]) + body[:-8] + b"sealed"
