"""app/serial_source.py on a pseudo-terminal, with a scripted board at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import tty
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.app.inbox import Message
from gateway.app.serial_port import open_port
from gateway.app.serial_source import SerialSource
from gateway.app.settings import SettingsError, load
from gateway.forward.backoff import Backoff
from gateway.wire.cable import CableFrame, Deframer, encode

DEVICE = "a0b1c2d3e4f5"
NONCE, WILL = b"1234", b"the will"
PATIENCE_S = 10.0


class Board:
    """What is at the other end of the line."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.url = f"serial:{os.ttyname(self._theirs)}"
        self.heard: asyncio.Queue[CableFrame] = asyncio.Queue()
        self._deframer = Deframer()
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        for frame in self._deframer.feed(os.read(self._ours, 4096)):
            self.heard.put_nowait(frame)

    def say(self, kind: str, seq: int = 1, payload: bytes = b"", device: str = DEVICE) -> None:
        os.write(self._ours, encode(CableFrame(ord(kind), seq, device, payload)))

    def noise(self, data: bytes) -> None:
        os.write(self._ours, data)

    async def hears(self, kind: str, seq: int | None = None) -> CableFrame:
        frame = await asyncio.wait_for(self.heard.get(), PATIENCE_S)
        assert (chr(frame.kind), frame.device) == (kind, DEVICE), frame
        assert seq is None or frame.seq == seq
        return frame

    async def hello(self, nonce: bytes = NONCE) -> None:
        self.say("h", payload=nonce + WILL)
        assert (await self.hears("H")).payload == nonce

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)


@contextlib.asynccontextmanager
async def line(silent_s: float = 45.0) -> AsyncIterator[tuple[Board, SerialSource, list[Message], asyncio.Event]]:
    board = Board()
    source = SerialSource(board.url, silent_s=silent_s, backoff=Backoff(0.05, 0.1))
    taken: list[Message] = []
    open_ = asyncio.Event()
    open_.set()

    async def deliver(message: Message) -> None:
        await open_.wait()
        taken.append(message)

    task = asyncio.create_task(source.run(deliver))
    await until(lambda: source._port is not None)
    try:
        yield board, source, taken, open_
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        board.close()


async def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_message_is_confirmed_and_taken_once_however_often_it_comes():
    async with line() as (board, _, taken, _):
        await board.hello()
        for seq in (1, 1, 2, 1, 2, 3, 5, 3):
            board.say("u", seq, bytes((seq,)))
        assert [(await board.hears("k")).seq for _ in range(6)] == [1, 1, 2, 2, 3, 3]
        await until(lambda: len(taken) == 3)
        assert [(m.topic, m.payload) for m in taken] == [(f"hg/1/{DEVICE}/up", bytes((n,))) for n in (1, 2, 3)]


@pytest.mark.asyncio
async def test_who_is_not_known_is_told_so():
    async with line() as (board, _, taken, _):
        for kind in "ubscwp":
            board.say(kind)
            await board.hears("r")
        board.say("k")
        board.say("z")
        await board.hello()
        assert not taken


@pytest.mark.asyncio
async def test_a_new_hello_begins_anew_and_the_same_again_does_not():
    async with line() as (board, _, taken, _):
        await board.hello()
        board.say("u", 1, b"a")
        await board.hears("k", 1)
        await board.hello()
        board.say("u", 1, b"a")
        await board.hears("k", 1)
        await board.hello(b"5678")
        board.say("u", 1, b"b")
        await board.hears("k", 1)
        await until(lambda: len(taken) == 2)
        assert [m.payload for m in taken] == [b"a", b"b"]


@pytest.mark.asyncio
async def test_what_it_says_is_said_again_until_it_is_confirmed():
    async with line() as (board, source, _, _):
        assert not await source.publish(f"hg/1/{DEVICE}/cmd", b"nobody is there", retain=False)
        await board.hello()
        said = asyncio.create_task(source.publish(f"hg/1/{DEVICE}/cmd", b"do", retain=False))
        assert (await board.hears("d", 1)).payload == b"do"
        assert (await board.hears("d", 1)).payload == b"do"
        board.say("k", 1)
        assert await said
        later = [asyncio.create_task(source.publish(f"hg/1/{DEVICE}/ack", b"x", retain=False)) for _ in range(3)]
        for seq in (2, 3, 4):
            await board.hears("a", seq)
            board.say("k", seq)
        assert await asyncio.gather(*later) == [True] * 3


@pytest.mark.asyncio
async def test_the_newest_ack_is_kept_for_who_comes_later():
    async with line() as (board, source, _, _):
        for payload in (b"old", b"new"):
            assert not await source.publish(f"hg/1/{DEVICE}/ack", payload, retain=True)
        await board.hello()
        assert (await board.hears("A", 1)).payload == b"new"
        board.say("k", 1)


@pytest.mark.asyncio
async def test_silence_is_its_last_will():
    async with line(silent_s=0.5) as (board, _, taken, _):
        await board.hello()
        for _ in range(4):
            await asyncio.sleep(0.25)
            board.say("p", 1)
            await board.hears("k", 1)
        assert not taken
        await until(lambda: len(taken) == 1)
        assert (taken[0].topic, taken[0].payload) == (f"hg/1/{DEVICE}/state", WILL)
        board.say("u", 2)
        await board.hears("r")


@pytest.mark.asyncio
async def test_what_cannot_be_taken_is_not_confirmed_and_memory_stays_bounded():
    async with line() as (board, _, taken, open_):
        open_.clear()
        await board.hello()
        seq = 1
        with contextlib.suppress(TimeoutError):
            while seq < 200:
                board.say("u", seq, b"x")
                async with asyncio.timeout(0.5):
                    await board.hears("k", seq)
                seq += 1
        assert 60 < seq < 70
        open_.set()
        await until(lambda: len(taken) == seq - 1)
        board.say("u", seq, b"x")
        await board.hears("k", seq)


@pytest.mark.asyncio
async def test_names_that_somebody_makes_up_do_not_fill_the_memory():
    async with line() as (board, source, _, _):
        await board.hello()
        for n in range(200):
            board.say("h", payload=NONCE + WILL, device=f"{n:012x}")
            if n % 20 == 19:
                await asyncio.sleep(0.05)
        await until(lambda: len(source.heard) == 64)
        board.say("u", 1, b"x")
        while (await board.heard.get()).kind != ord("k"):
            pass
        assert len(source.heard) == 64


@pytest.mark.asyncio
async def test_noise_and_prints_are_counted_and_do_no_harm():
    async with line() as (board, source, taken, _):
        board.noise(b"MicroPython v1.28\r\n>>> \x00\xff\x01\x00" + bytes(range(256)))
        await board.hello()
        board.say("u", 1, b"a")
        await board.hears("k", 1)
        await until(lambda: len(taken) == 1)
        assert source.noise > 0


@pytest.mark.asyncio
async def test_a_line_that_is_not_there_is_said_and_tried_again(tmp_path):
    source = SerialSource(f"serial:{tmp_path}/ttyUSB0", backoff=Backoff(0.02, 0.05))
    task = asyncio.create_task(source.run(lambda _: asyncio.sleep(0)))
    await until(lambda: source.trouble is not None)
    assert source.trouble is not None and "ttyUSB0" in source.trouble
    assert not task.done()
    task.cancel()


@pytest.mark.asyncio
async def test_a_line_that_is_lent_is_closed_and_its_boards_are_gone_until_it_is_back():
    async with line() as (board, source, taken, _):
        await board.hello()
        async with source.lent():
            with open_port(board.url):  # it takes the port for itself
                assert source._port is None
            await until(lambda: len(taken) == 1)
            assert taken[0].payload == WILL
            async with source.lent():
                pass
            await asyncio.sleep(0.3)
            assert source._port is None, "who came second went first"
        await until(lambda: source._port is not None)
        assert source.trouble is None
        await board.hello(b"5678")
        board.say("u", 1, b"a")
        await board.hears("k", 1)


@pytest.mark.asyncio
async def test_a_line_that_is_not_there_is_lent_at_once(tmp_path):
    source = SerialSource(f"serial:{tmp_path}/ttyUSB0", backoff=Backoff(0.02, 0.05))
    task = asyncio.create_task(source.run(lambda _: asyncio.sleep(0)))
    await until(lambda: source.trouble is not None)
    for _ in range(20):
        async with asyncio.timeout(PATIENCE_S), source.lent():
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("serial:/dev/ttyUSB0", True),
        ("serial:/dev/ttyAMA0?baud=9600", True),
        ("socket://127.0.0.1:5555", True),
        ("socket://emulator.local:1", True),
        ("/dev/ttyUSB0", False),
        ("serial:ttyUSB0", False),
        ("serial:/dev/ttyUSB0?baud=0", False),
        ("serial:/dev/ttyUSB0?parity=even", False),
        ("socket://host", False),
        ("http://host:1", False),
        ("", False),
    ],
)
def test_urls_of_the_settings(url: str, good: bool, tmp_path, monkeypatch):
    settings = tmp_path / "hearthgate.toml"
    settings.write_text(f'[[serial]]\nurl = "{url}"\n')
    if good:
        assert load(settings).serial[0].url == url
    else:
        with pytest.raises(SettingsError, match=r"line 2: serial.0.url: write serial:/dev"):
            load(settings)
