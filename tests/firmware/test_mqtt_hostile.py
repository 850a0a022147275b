"""The board's MQTT client against brokers that lie, refuse, fall silent, or are not there."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from tests.firmware.mqtt_stage import (
    CONNACK,
    PINGRESP,
    HostileBroker,
    Play,
    Script,
    Stage,
    behaves,
    deaf,
    packet,
    says,
)

LIES = {
    "unknown packet type": says(CONNACK, b"\xf0\x00"),
    "a packet only clients send": says(CONNACK, b"\x10\x00"),
    "a second CONNACK": says(CONNACK, CONNACK),
    "remaining length of five bytes": says(CONNACK, b"\x30\x80\x80\x80\x80\x01"),
    "a claim of 1 MB": says(CONNACK, b"\x30\xc0\x84\x3d", b"x" * 1000),
    "a topic longer than its packet": says(CONNACK, b"\x32\x05\x00\xffabc"),
    "a PUBLISH with nothing in it": says(CONNACK, b"\x30\x00"),
    "an empty topic": says(CONNACK, b"\x30\x03\x00\x00x"),
    "a packet id cut short": says(CONNACK, b"\x32\x04\x00\x01a\x00"),
    "a packet id of 0": says(CONNACK, b"\x32\x05\x00\x01a\x00\x00"),
    "QoS 3": says(CONNACK, b"\x36\x05\x00\x01a\x00\x01"),
    "a topic that is not UTF-8": says(CONNACK, b"\x30\x05\x00\x02\xff\xfex"),
    "a PUBACK of one byte": says(CONNACK, b"\x40\x01\x00"),
    "a PUBACK of three bytes": says(CONNACK, b"\x40\x03\x00\x01\x00"),
    "a PUBACK with flags": says(CONNACK, b"\x42\x02\x00\x01"),
    "a PINGRESP with a body": says(CONNACK, b"\xd0\x01\x00"),
    "a CONNACK too short": says(b"\x20\x01\x00"),
    "a CONNACK with reserved flags": says(b"\x20\x02\xfe\x00"),
    "a CONNACK of 1 MB": says(b"\x20\xc0\x84\x3d"),
    "something else first": says(PINGRESP),
    "another protocol": says(b"HTTP/1.1 400 Bad Request\r\n" * 9),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=[name.replace(" ", "-") for name in LIES])
def test_it_survives(lie: Script, play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(lie, behaves) as hostile:
            puppet = await stage(hostile.port)
            state = await puppet.until(lambda state: hostile.visits >= 2 and state["connected"])
            assert state["last_error"].startswith("Malformed: ")
            await puppet.do("publish", topic="up", payload="alive")

    play(scene)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 255])
def test_a_refusal_says_what_to_do_and_it_tries_again(code: int, play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(says(bytes((0x20, 2, 0, code))), behaves) as hostile:
            puppet = await stage(hostile.port)
            await puppet.event("connect")
            state = await puppet.do("state")
            assert state["last_error"].startswith("Refused: ")
            assert ":" in state["last_error"].removeprefix("Refused: ")

    play(scene)


def test_a_broker_that_says_nothing_is_left_after_a_while(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(says(), says(CONNACK[:3]), behaves) as hostile:
            puppet = await stage(hostile.port, connect_s=1)
            await puppet.event("connect")
            state = await puppet.do("state")
            assert (hostile.visits, state["last_error"]) == (3, "Disconnected: no CONNACK within 1 s")

    play(scene)


def test_a_broker_that_falls_silent_is_left_after_the_keepalive(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(says(CONNACK), behaves) as hostile:
            puppet = await stage(hostile.port, keepalive_s=1)
            waiting = puppet.tell("publish", topic="up", payload="?", timeout_s=15)
            assert (await waiting)["error"] == "Disconnected"
            await puppet.until(lambda state: hostile.visits == 2 and state["connected"])

    play(scene)


def test_a_broker_that_only_answers_pings_is_left_too(play: Play) -> None:
    async def pings_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK)
        while True:
            if (await packet(reader))[0] == 0xC0:
                writer.write(PINGRESP)

    async def scene(stage: Stage) -> None:
        async with HostileBroker(pings_only, behaves) as hostile:
            puppet = await stage(hostile.port, keepalive_s=1, inflight=4)
            await puppet.event("connect")
            answer = await puppet.tell("publish_many", topic="up", count=5)
            assert answer["error"] == "Disconnected"
            await puppet.until(lambda state: hostile.visits == 2 and state["connected"])
            assert (await puppet.do("state"))["last_error"] == "Disconnected: the broker lives but acknowledges nothing"

    play(scene)


def test_a_broker_that_takes_no_bytes_is_left(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(deaf, behaves) as hostile:
            puppet = await stage(hostile.port, keepalive_s=2)
            await puppet.event("connect")
            flood = puppet.tell("flood", topic="up", size=9000)
            await asyncio.sleep(0.5)  # by now the flood fills every buffer on the way, and waits
            late = await puppet.tell("publish", topic="up", payload="x", timeout_s=0.2)
            assert (late["error"], late["text"]) == ("Disconnected", "no answer within 0.2 s")
            assert (await flood)["error"] == "Disconnected"
            await puppet.until(lambda state: hostile.visits == 2 and state["connected"])
            await puppet.do("publish", topic="up", payload="x")

    play(scene)


def test_a_write_cut_short_ends_the_connection_rather_than_garble_it(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(deaf, behaves) as hostile:
            puppet = await stage(hostile.port)
            await puppet.event("connect")
            flood = await puppet.tell("flood", topic="up", size=9000, patience_ms=300)
            assert flood["error"] == "TimeoutError"
            state = await puppet.until(lambda state: hostile.visits == 2 and state["connected"])
            assert state["last_error"] == "Disconnected: a write was cancelled"
            await puppet.do("publish", topic="up", payload="x")

    play(scene)


def test_close_does_not_wait_for_a_broker_that_says_nothing(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(says()) as hostile:
            puppet = await stage(hostile.port, connect_s=600)
            await puppet.event("start")
            await hostile.visited()
            await puppet.do("close")
            puppet.hang_up()
            await puppet.event("end")

    play(scene)


@pytest.mark.parametrize("script", [behaves, says()], ids=["connected", "connecting"])
def test_run_can_be_cancelled(play: Play, script: Script) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(script) as hostile:
            puppet = await stage(hostile.port)
            await hostile.visited()
            await puppet.do("cancel")
            puppet.hang_up()
            await puppet.event("cancelled")

    play(scene)


def test_a_late_or_unknown_acknowledgement_changes_nothing(play: Play) -> None:
    async def mixed_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK + b"\x40\x02\x12\x34")
        _, body = await packet(reader)
        writer.write(b"\x90\x03" + body[-3:-1] + b"\x01")  # a SUBACK for a PUBLISH
        writer.write(b"\x40\x02" + body[-3:-1])
        await reader.read()

    async def scene(stage: Stage) -> None:
        async with HostileBroker(mixed_up) as hostile:
            puppet = await stage(hostile.port)
            await puppet.event("connect")
            await puppet.do("publish", topic="up", payload="x")
            state = await puppet.do("state")
            assert (state["acked"], state["connects"]) == (1, 1)

    play(scene)


def test_a_publish_without_an_answer_in_time_raises_and_the_connection_goes_on(play: Play) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONNACK)
        _, first = await packet(reader)
        _, second = await packet(reader)
        writer.write(b"\x40\x02" + first[-3:-1] + b"\x40\x02" + second[-3:-1])
        await reader.read()

    async def scene(stage: Stage) -> None:
        async with HostileBroker(slow) as hostile:
            puppet = await stage(hostile.port)
            await puppet.event("connect")
            answer = await puppet.tell("publish", topic="up", payload="1", timeout_s=0.2)
            assert (answer["error"], answer["text"]) == ("Disconnected", "no answer within 0.2 s")
            await puppet.do("publish", topic="up", payload="2")
            assert (await puppet.do("state"))["connects"] == 1

    play(scene)


def test_a_denied_subscription_is_an_error_with_a_remedy(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async def denies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CONNACK)
            _, body = await packet(reader)
            writer.write(b"\x90\x03" + body[:2] + b"\x80")
            await reader.read()

        async with HostileBroker(denies) as hostile:
            puppet = await stage(hostile.port, subscribe=["cmd"])
            state = await puppet.until(lambda state: state["connects"] >= 2)
            assert "check the broker's access list" in state["last_error"]

    play(scene)


def test_reconnections_leak_neither_heap_nor_sockets(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        async with HostileBroker(says(CONNACK, b"\xf0\x00")) as hostile:
            puppet = await stage(hostile.port)
            before = await puppet.until(lambda state: state["connects"] >= 3)
            after = await puppet.until(lambda state: state["connects"] >= 20)
            assert after["free"] > before["free"] - 1000
            assert puppet.open_files() < 20

    play(scene)


def test_a_name_that_nobody_knows_is_an_error_with_a_remedy(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        puppet = await stage(1, host="no such host")
        state = await puppet.until(lambda state: state["last_error"])
        assert state["last_error"] == "Disconnected: no address for no such host: check mqtt.host, the network"

    play(scene)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nobody_listens_and_then_somebody_does(play: Play, free_port: int, host: str) -> None:
    async def scene(stage: Stage) -> None:
        puppet = await stage(free_port, host=host)
        state = await puppet.until(lambda state: state["last_error"])
        assert "ECONNREFUSED" in state["last_error"]
        await asyncio.sleep(1)  # some more attempts
        assert puppet.open_files() < 20

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await packet(reader)
                await behaves(reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", free_port, family=socket.AF_INET)
        async with server:
            await puppet.event("connect")
            await puppet.do("publish", topic="up", payload="x")

    play(scene)
