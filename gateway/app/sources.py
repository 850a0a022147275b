"""Several sources as one: each board is answered where it was last heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from gateway.app.inbox import Message
from gateway.app.serial_port import place_of
from gateway.app.serial_source import SerialSource
from gateway.app.source import Source
from gateway.wire import topics

_MOST_HEARD = 10_000  # who holds a cable can make up names without end


class Sources:
    """The first source (MQTT) is where boards are answered that were never heard.

    Who holds a cable can name any board in a message that then verifies nowhere, and so draw that board's answers to
    the cable until the board itself speaks again. They tell nothing, and what comes again is acked again.
    """

    def __init__(self, first: Source, *others: Source) -> None:
        self._sources: Sequence[Source] = (first, *others)
        self._heard: dict[str, Source] = {}

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Deliver from all of them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for source in self._sources:
                tasks.create_task(source.run(self._noting(source, deliver)))

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Say something to a board; False if it cannot be reached."""
        device = topic.split("/")[-2]
        return await self._heard.get(device, self._sources[0]).publish(topic, payload, retain=retain)

    @contextlib.asynccontextmanager
    async def lend_port(self, port: str) -> AsyncIterator[Sequence[str] | None]:
        """Inside, nothing here uses the serial port of that name (serial_port.place()). The devices that were heard
        there; None if nothing here uses it."""
        lines = [one for one in self._sources if isinstance(one, SerialSource) and place_of(one.url) == port]
        heard = [device for line in lines for device in line.heard]
        async with contextlib.AsyncExitStack() as stack:
            for line in lines:
                await stack.enter_async_context(line.lent())
            yield heard if lines else None

    def _noting(
        self, source: Source, deliver: Callable[[Message], Awaitable[None]]
    ) -> Callable[[Message], Awaitable[None]]:
        if len(self._sources) == 1:
            return deliver

        async def noted(message: Message) -> None:
            place = topics.parse(message.topic)
            if place is not None:
                self._heard.pop(place[0], None)
                self._heard[place[0]] = source
                if len(self._heard) > _MOST_HEARD:
                    del self._heard[next(iter(self._heard))]  # heard longest ago; it is answered over MQTT
            await deliver(message)

        return noted
