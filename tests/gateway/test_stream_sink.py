"""The stream, with a real client and real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from gateway.forward.forwarder import Forwarder
from gateway.forward.sink import Retry
from gateway.forward.stream_sink import StreamSink
from gateway.store.thread import StoreThread
from tests.gateway.sinks import minute

pytestmark = pytest.mark.asyncio
TOKEN = "open-sesame"
EVENTS = [json.dumps({"specversion": "1.0", "id": f"e{n}", "type": "t", "n": n}, separators=(",", ":")) for n in (1, 2)]


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[StreamSink]:
    made = StreamSink("127.0.0.1", 0, token=TOKEN)
    await made.open()
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def connected(sink: StreamSink, token: str = TOKEN) -> AsyncIterator[aiohttp.ClientResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{sink.port}/v1/stream", headers={"Authorization": f"Bearer {token}"}) as answer,
    ):
        if answer.status == 200:
            assert await answer.content.readline() == b": hearthgate\n"
            await answer.content.readline()
        yield answer


async def told(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event of the stream."""
    fields: dict[str, str] = {}
    while line := (await asyncio.wait_for(answer.content.readline(), 5)).decode().rstrip("\n"):
        name, _, value = line.partition(": ")
        fields[name] = value
    return fields


async def test_events_come_as_server_sent_events(sink: StreamSink):
    async with connected(sink) as answer:
        assert answer.content_type == "text/event-stream"
        await sink.send(sink.compose(EVENTS))
        for n, event in enumerate(EVENTS, start=1):
            assert await told(answer) == {"id": f"e{n}", "event": "t", "data": event}


async def test_who_does_not_show_the_token_gets_nothing(sink: StreamSink):
    async with connected(sink, "wrong") as answer:
        assert answer.status == 401
    with pytest.raises(Retry, match="nobody"):
        await sink.send(sink.compose(EVENTS))


async def test_without_a_reader_it_waits(sink: StreamSink):
    with pytest.raises(Retry, match="nobody is connected"):
        await sink.send(sink.compose(EVENTS))


async def test_a_new_connection_takes_the_place_of_the_old(sink: StreamSink):
    async with connected(sink) as old, connected(sink) as new:
        await sink.send(sink.compose(EVENTS[:1]))
        assert (await told(new))["id"] == "e1"
        with pytest.raises(aiohttp.ClientError):
            await old.content.readline()


async def test_a_reader_that_went_away_gets_the_events_at_the_next_connection(sink: StreamSink):
    async with connected(sink):
        pass
    await asyncio.sleep(0.1)
    with pytest.raises(Retry):
        await sink.send(sink.compose(EVENTS))
    async with connected(sink) as answer:
        await sink.send(sink.compose(EVENTS))
        assert (await told(answer))["id"] == "e1"


async def test_an_abort_ends_a_send_to_a_reader_that_does_not_read(sink: StreamSink):
    reader, writer = await asyncio.open_connection("127.0.0.1", sink.port, limit=1024)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    await reader.readuntil(b"hearthgate")
    sending = asyncio.ensure_future(sink.send(sink.compose(EVENTS) * 200_000))
    await asyncio.sleep(0.2)
    assert not sending.done()
    await sink.abort()
    with pytest.raises(Retry):
        await asyncio.wait_for(sending, 5)
    writer.close()


async def test_a_port_in_use_is_said_and_tried_again(sink: StreamSink):
    with pytest.raises(Retry, match="cannot listen"):
        await StreamSink("127.0.0.1", sink.port, token=TOKEN).open()


async def test_readings_under_a_grant_stream_until_it_is_revoked(household: Any, board: Any, sink: StreamSink):
    grant = household.grant()
    store = StoreThread()
    forwarder = Forwarder(household.queue(), sink, store)
    household.receive(board.birth(), minute(household, board, 1))
    async with connected(sink) as answer:
        await forwarder.step()
        event = json.loads((await told(answer))["data"])
        assert event["consentgrant"] == grant.id
        household.receive(minute(household, board, 2))
        await store(household.revoke, grant)
        await forwarder.recheck()
        await forwarder.step()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.content.readline(), 0.3)
    store.close()
