"""app/sources.py: a board is answered on the line where it was last heard."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.app.inbox import Message
from gateway.app.serial_source import SerialSource
from gateway.app.sources import Sources

DEVICE, OTHER = "a0b1c2d3e4f5", "a0b1c2d3e4f6"


class Line:
    """Delivers what a test puts in, and keeps what it is to say."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.said: list[str] = []

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            await deliver(await self.queue.get())

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        self.said.append(topic)
        return True


@pytest.mark.asyncio
async def test_answers_go_where_a_board_was_last_heard():
    broker, cable = Line(), Line()
    sources = Sources(broker, cable)
    heard: list[Message] = []
    came = asyncio.Event()

    async def deliver(message: Message) -> None:
        heard.append(message)
        came.set()

    task = asyncio.create_task(sources.run(deliver))

    async def say(line: Line, device: str) -> None:
        came.clear()
        line.queue.put_nowait(Message(f"hg/1/{device}/up", b""))
        await asyncio.wait_for(came.wait(), 5)

    async def answer(device: str) -> bool:
        return await sources.publish(f"hg/1/{device}/ack", b"", retain=True)

    assert await answer(DEVICE)
    await say(cable, DEVICE)
    await answer(DEVICE)
    await answer(OTHER)
    await say(broker, DEVICE)
    await answer(DEVICE)
    assert broker.said == [f"hg/1/{device}/ack" for device in (DEVICE, OTHER, DEVICE)]
    assert cable.said == [f"hg/1/{DEVICE}/ack"]
    assert len(heard) == 2
    task.cancel()


@pytest.mark.asyncio
async def test_names_that_somebody_makes_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.app.sources._MOST_HEARD", 3)
    broker, cable = Line(), Line()
    sources = Sources(broker, cable)
    came: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.create_task(sources.run(came.put))
    for n in (0, 1, 0, 2, 3):
        cable.queue.put_nowait(Message(f"hg/1/a0b1c2d3e4f{n}/up", b""))
        await asyncio.wait_for(came.get(), 5)
    for n in range(4):
        await sources.publish(f"hg/1/a0b1c2d3e4f{n}/ack", b"", retain=True)
    assert broker.said == ["hg/1/a0b1c2d3e4f1/ack"]  # the one that was heard longest ago
    assert len(cable.said) == 3
    task.cancel()


@pytest.mark.asyncio
async def test_a_port_is_lent_by_the_line_that_has_it_and_by_no_other():
    lines = [SerialSource(url) for url in ("serial:/dev/null", "serial:/dev/zero?baud=9600", "socket://127.0.0.1:1")]
    sources = Sources(Line(), *lines)
    for port, lent in (("/dev/zero", 1), ("socket://127.0.0.1:1", 2), ("/dev/full", None)):
        async with sources.lend_port(port) as released:
            assert released == (None if lent is None else [])
            assert [line._lent for line in lines] == [int(n == lent) for n in range(3)]
    assert not any(line._lent for line in lines)
