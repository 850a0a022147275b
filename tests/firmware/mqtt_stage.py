"""What the tests of the board's MQTT client share: the client in a MicroPython process, and a broker that lies.

Deadlines are generous, and nothing else is timed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import aiomqtt

HERE = Path(__file__).parent
FIRMWARE = HERE.parent.parent / "firmware"
DEADLINE_S = 20.0
HEAP = "128k"
# A path of our own replaces MicroPython's, which is where its asyncio comes from: .frozen has to be in it.
ENVIRONMENT = {**os.environ, "MICROPYPATH": f".frozen:{FIRMWARE}"}

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"


def micropython_command(micropython: str, script: str, *arguments: str) -> list[str]:
    """The command that runs a script of mpy/ on a heap as small as a board's; to be given ENVIRONMENT."""
    return [micropython, "-X", f"heapsize={HEAP}", str(HERE / "mpy" / script), *arguments]


class Puppet:
    """A MicroPython process with one client in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.prose = ""
        self._events: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._news = asyncio.Condition()
        self._asked = 0
        self._ended = False
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            try:
                said = json.loads(line)
            except ValueError:
                self.prose += line.decode()  # a traceback, which MicroPython prints to stdout
                continue
            async with self._news:
                if "n" in said:
                    self._answers[said["n"]] = said
                else:
                    self._events.append(said)
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of this name, which is taken off the list."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self._events if event["event"] == name), None)

        async with self._news, asyncio.timeout(DEADLINE_S):
            await self._news.wait_for(lambda: found() or self._ended)
        taken = found()
        assert taken, f"the puppet ended without {name}: {self._events} {self.prose}"
        self._events.remove(taken)
        return taken

    def tell(self, do: str, **order: Any) -> Awaitable[dict[str, Any]]:
        """Give an order now; awaiting gives its answer, {"result": ...} or {"error": name, "text": ...}."""
        assert self.process.stdin
        self._asked += 1
        number = self._asked
        self.process.stdin.write(json.dumps({"n": number, "do": do, **order}).encode() + b"\n")

        async def answer() -> dict[str, Any]:
            async with self._news, asyncio.timeout(DEADLINE_S):
                await self._news.wait_for(lambda: number in self._answers or self._ended)
            assert number in self._answers, f"the puppet ended without an answer to {do}: {self.prose}"
            return self._answers.pop(number)

        return answer()

    async def do(self, do: str, **order: Any) -> Any:
        """Give an order that must succeed, and return its result."""
        answer = await self.tell(do, **order)
        assert "error" not in answer, answer
        return answer["result"]

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The client's counters, once they are as they should be."""
        async with asyncio.timeout(DEADLINE_S):
            state: dict[str, Any] = await self.do("state")
            while not holds(state):
                await asyncio.sleep(0.05)
                state = await self.do("state")
        return state

    def open_files(self) -> int:
        """How many file descriptors it holds; 0 where nobody can tell."""
        folder = Path(f"/proc/{self.process.pid}/fd")
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def hang_up(self) -> None:
        """No more orders: the puppet ends once its client has."""
        assert self.process.stdin
        self.process.stdin.close()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._listener


class Stage:
    """Starts puppets, and ends them when the test ends."""

    def __init__(self, micropython: str) -> None:
        self._micropython = micropython
        self._puppets: list[Puppet] = []
        self._settings: list[Path] = []

    async def __call__(self, port: int, **settings: Any) -> Puppet:
        # By a file: MicroPython's own command line takes no argument of more than 255 characters.
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump({"port": port, **settings}, file)
        self._settings.append(Path(file.name))
        command = micropython_command(self._micropython, "mqtt_puppet.py", file.name)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
        puppet = Puppet(process)
        self._puppets.append(puppet)
        return puppet

    async def clear(self) -> None:
        for puppet in self._puppets:
            await puppet.kill()
        for file in self._settings:
            file.unlink()


Scene = Callable[[Stage], Awaitable[None]]
Play = Callable[[Scene], None]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(port: int, *topics: str) -> AsyncIterator[tuple[aiomqtt.Client, AsyncIterator[aiomqtt.Message]]]:
    """Another client of the same broker, subscribed at QoS 1, and its messages as they come."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)

        async def messages() -> AsyncIterator[aiomqtt.Message]:
            async for message in client.messages:
                yield message

        yield client, messages()


async def following(messages: AsyncIterator[aiomqtt.Message]) -> aiomqtt.Message:
    return await asyncio.wait_for(anext(messages), DEADLINE_S)


class HostileBroker:
    """A server on 127.0.0.1 that answers each connection's CONNECT by the next of its scripts, then the last again."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.visits = 0
        self._visited = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def visited(self) -> None:
        """Return once somebody said CONNECT."""
        await asyncio.wait_for(self._visited.wait(), DEADLINE_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.visits, len(self._scripts) - 1)]
        self.visits += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await packet(reader)
            self._visited.set()
            await script(reader, writer)
        writer.close()


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One packet: its first byte and its body."""
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return first, await reader.readexactly(length)


def says(*data: bytes) -> Script:
    """A script that writes this and holds the connection open until the client closes it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(data))
        await reader.read()

    return script


async def behaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A script that is a broker as it should be, as far as one client can tell."""
    writer.write(CONNACK)
    while True:
        first, body = await packet(reader)
        if first == 0xC0:
            writer.write(PINGRESP)
        elif first & 0xF6 == 0x32:
            start = 2 + int.from_bytes(body[:2], "big")
            writer.write(b"\x40\x02" + body[start : start + 2])


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A script that says yes and then reads no more."""
    writer.write(CONNACK)
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    await asyncio.sleep(2 * DEADLINE_S)
