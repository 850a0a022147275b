"""The processes that a chaos run breaks: they start, die and come back."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import pytest

from tools.chaos_gateway import seen_offset, set_offset
from tools.chaos_parts import Broker, Cloud, Gateway, Part

PATIENCE_S = 20.0


class Sleeper(Part):
    def command(self) -> list[str]:
        return [sys.executable, "-u", "-c", self.script]

    script = "import time; print('here'); time.sleep(100)"


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_what_is_killed_stays_dead_until_it_is_started(tmp_path: Path):
    part = Sleeper("sleeper", tmp_path)
    await part.start()
    await until(lambda: part.lines)
    await part.start()  # it runs already
    assert part.process is not None
    first = part.process.pid
    await part.kill()
    assert not part.alive
    assert part.ended == []
    await part.start()
    assert part.process.pid != first
    await part.kill()
    assert (tmp_path / "sleeper.log").read_text() in ("here\n", "here\nhere\n")


@pytest.mark.asyncio
async def test_what_ends_by_itself_is_told_and_started_again(tmp_path: Path):
    part = Sleeper("sleeper", tmp_path)
    part.script = "print('last words'); raise SystemExit(3)"
    await part.start()
    await until(lambda: part.ended)
    assert part.ended[0].startswith("the sleeper ended by itself with status 3\n  last words")
    part.script = Sleeper.script
    await until(lambda: part.alive)
    await part.kill()
    assert len(part.ended) == 1


@pytest.mark.asyncio
async def test_what_does_not_end_when_it_is_asked_to_is_told_and_killed(tmp_path: Path):
    part = Sleeper("sleeper", tmp_path)
    part.stop_s = 0.5
    part.script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(100)"
    await part.start()
    await until(lambda: part.lines)
    await part.stop()
    assert not part.alive
    assert part.ended == ["the sleeper still ran 0.5 s after SIGTERM and was killed\n  deaf"]


@pytest.mark.asyncio
async def test_what_ends_badly_when_it_is_asked_to_is_told(tmp_path: Path):
    part = Sleeper("sleeper", tmp_path)
    await part.start()
    await until(lambda: part.lines)
    await part.stop()
    assert part.ended == []
    part.script = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(4)); print('here', flush=True); time.sleep(9)"
    )
    part.lines.clear()
    await part.start()
    await until(lambda: part.lines)
    await part.stop()
    assert part.ended == ["the sleeper was asked to end, and did with status 4\n  here"]


class Filler(Gateway):
    """Says whether it can write a file of ten thousand bytes, for ever."""

    def command(self) -> list[str]:
        script = (
            "import signal, sys, time; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "while True:\n"
            "    with open(sys.argv[1], 'wb', buffering=0) as file: done = file.write(bytes(10_000))\n"
            "    print(done, flush=True)\n"
            "    time.sleep(0.02)\n"
        )
        return [sys.executable, "-c", script, str(self.folder / "filled")]


@pytest.mark.asyncio
async def test_a_full_disk_is_one_while_it_lasts_and_is_none_where_nobody_runs(tmp_path: Path):
    part = Filler(tmp_path, tmp_path / "hearthgate.toml")
    assert not part.limit_files(4096)
    try:
        await part.start()
        for limit, room in ((4096, "4096"), (None, "10000")):
            assert part.limit_files(limit)
            part.lines.clear()
            await until(lambda room=room: room in part.lines)
    finally:
        await part.kill()
    assert part.ended == []


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["mosquitto", "mosquitto-volatile", "amqtt", "mixed"])
async def test_every_broker_takes_messages_and_comes_back_after_a_kill(tmp_path: Path, kind: str):
    broker = Broker(kind, tmp_path)
    try:
        for _ in range(3):
            await broker.start()
            await broker.ready()
            async with aiomqtt.Client("127.0.0.1", broker.port, timeout=PATIENCE_S) as client:
                await client.publish("hg/1/5e0000000001/up", b"1", qos=1)
            await broker.kill()
    finally:
        await broker.kill()
    assert broker.ended == []


@pytest.mark.asyncio
async def test_only_the_broker_with_persistence_remembers(tmp_path: Path):
    for kind, remembers in (("mosquitto", True), ("mosquitto-volatile", False)):
        broker = Broker(kind, tmp_path)
        await broker.start()
        await broker.ready()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("kept", b"1", qos=1, retain=True)
        await asyncio.sleep(4)  # it saves every two seconds
        await broker.kill()
        await broker.start()
        await broker.ready()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("kept")
            found = False
            try:
                async with asyncio.timeout(1):
                    async for message in client.messages:
                        found = message.payload == b"1"
                        break
            except TimeoutError:
                pass
        await broker.kill()
        assert found == remembers


@pytest.mark.asyncio
async def test_the_cloud_keeps_its_file_through_a_kill(tmp_path: Path):
    cloud = Cloud(tmp_path, "secret")
    try:
        for _ in range(2):
            await cloud.start()
            await cloud.ready()
            await cloud.kill()
    finally:
        await cloud.kill()
    with sqlite3.connect(cloud.path) as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_the_gateways_wall_clock_can_be_stepped_while_it_runs(tmp_path: Path):
    clock = tmp_path / "clock"
    set_offset(clock, 0)
    script = (
        "import sys, time; sys.argv = ['x', sys.argv[1], '--version']\n"
        "from pathlib import Path\n"
        "from tools import chaos_gateway\n"
        "chaos_gateway._follow(Path(sys.argv[1]))\n"
        "for line in sys.stdin: print(time.time(), time.time_ns(), time.monotonic(), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(clock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> tuple[float, float, float]:
            process.stdin.write("\n")
            process.stdin.flush()
            now_s, now_ns, mono_s = process.stdout.readline().split()
            return float(now_s) - time.time(), int(now_ns) / 1e9 - time.time(), float(mono_s) - time.monotonic()

        for offset in (0, 600, -45):
            set_offset(clock, offset)
            assert seen_offset(clock) is None
            off_s, off_ns, off_mono = ask()
            assert seen_offset(clock) == offset
            assert off_s == pytest.approx(offset, abs=2)
            assert off_ns == pytest.approx(offset, abs=2)
            assert off_mono == pytest.approx(0, abs=2)
        process.stdin.close()


def test_the_stepped_command_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tools.chaos_gateway", "clock-that-is-not-there", "--version"],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2], env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode != 0
    assert "clock-that-is-not-there" in done.stderr
