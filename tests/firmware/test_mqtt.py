"""The board's MQTT client, under real MicroPython with a small heap, against real brokers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import aiomqtt

from tests.conftest import BrokerFactory
from tests.firmware.mqtt_stage import DEADLINE_S, ENVIRONMENT, Play, Stage, following, listening, micropython_command


def test_a_publish_returns_once_the_broker_has_acknowledged_it(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        async with listening(port, "up/#") as (_, messages):
            puppet = await stage(port)
            await puppet.event("connect")
            await puppet.do("publish", topic="up/a", payload="hello")
            message = await following(messages)
            assert (str(message.topic), message.payload, message.qos) == ("up/a", b"hello", 1)
            long = "x" * 3000
            await puppet.do("publish", topic="up/b", payload=long, qos=0)
            assert (await following(messages)).payload == long.encode()
            state = await puppet.do("state")
            assert (state["connects"], state["published"], state["acked"]) == (1, 2, 1)
            assert state["last_error"] is None

    play(scene)


def test_a_retained_publish_greets_those_who_come_later(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        puppet = await stage(port)
        await puppet.event("connect")
        await puppet.do("publish", topic="birth", payload="born", retain=True)
        async with listening(port, "birth") as (_, messages):
            message = await following(messages)
            assert (message.payload, message.retain) == (b"born", True)

    play(scene)


def test_messages_come_in_at_qos_1_and_are_acknowledged(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        async with aiomqtt.Client("127.0.0.1", port) as other:
            await other.publish("ack", b"kept", qos=1, retain=True)
            puppet = await stage(port, subscribe=["ack", "cmd"])
            await puppet.event("connect")
            kept = await puppet.event("message")
            assert (kept["topic"], kept["payload"], kept["retained"]) == ("ack", "kept", True)
            # More than any broker leaves unacknowledged at once: they all come only if each was acknowledged.
            for number in range(60):
                await other.publish("cmd", str(number), qos=1)
            got = [await puppet.event("message") for _ in range(60)]
            assert [message["payload"] for message in got] == [str(number) for number in range(60)]
            assert not any(message["retained"] or message["dup"] for message in got)
            assert (await puppet.do("state"))["received"] == 61

    play(scene)


def test_a_handler_that_fails_is_counted_and_the_next_message_comes(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, subscribe=["cmd"])
        await puppet.event("connect")
        async with aiomqtt.Client("127.0.0.1", port) as other:
            await other.publish("cmd", b"raise", qos=1)
            await other.publish("cmd", b"fine", qos=1)
        assert (await puppet.event("message"))["payload"] == "fine"
        state = await puppet.do("state")
        assert (state["handler_errors"], state["connects"]) == (1, 1)
        assert state["last_error"] == "RuntimeError: as told"

    play(scene)


def test_the_last_will_is_published_when_the_board_dies(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        async with listening(port, "state") as (_, messages):
            puppet = await stage(port, will=["state", "offline"])
            await puppet.event("connect")
            await puppet.do("publish", topic="state", payload="online", retain=True)
            assert (await following(messages)).payload == b"online"
            await puppet.kill()
            message = await following(messages)
            assert (message.payload, message.qos) == (b"offline", 1)
        async with listening(port, "state") as (_, messages):
            assert (await following(messages)).payload == b"offline", "the will is retained"

    play(scene)


def test_a_clean_close_leaves_no_will(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        async with listening(port, "state", "mark") as (other, messages):
            puppet = await stage(port, will=["state", "offline"])
            await puppet.event("connect")
            await puppet.do("close")
            puppet.hang_up()
            await puppet.event("end")
            assert await asyncio.wait_for(puppet.process.wait(), DEADLINE_S) == 0
            await other.publish("mark", qos=1)
            assert str((await following(messages)).topic) == "mark"

    play(scene)


def test_many_in_flight_wrap_their_packet_ids_and_are_all_acknowledged(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        async with listening(port, "up") as (_, messages):
            puppet = await stage(port, last_id=65_529)
            await puppet.event("connect")
            ids = await puppet.do("publish_many", topic="up", count=40)
            assert ids == [*range(65_530, 65_536), *range(1, 35)]
            got = [await following(messages) for _ in range(40)]
            assert [int(message.payload) for message in got] == list(range(40))
            state = await puppet.until(lambda state: state["acked"] == 40)
            assert (state["published"], state["connects"]) == (40, 1)

    play(scene)


def test_it_connects_again_after_the_broker_was_away(broker: BrokerFactory, play: Play) -> None:
    server = broker()

    async def scene(stage: Stage) -> None:
        puppet = await stage(server.port, subscribe=["cmd"])
        await puppet.event("connect")
        await asyncio.to_thread(server.stop)
        await puppet.until(lambda state: not state["connected"])
        answer = await puppet.tell("publish", topic="up", payload="lost")
        assert answer["error"] == "Disconnected"
        await asyncio.to_thread(server.start)
        await puppet.event("connect")
        async with listening(server.port, "up") as (other, messages):
            await other.publish("cmd", b"again", qos=1)
            assert (await puppet.event("message"))["payload"] == "again"
            await puppet.do("publish", topic="up", payload="back")
            assert (await following(messages)).payload == b"back"
        state = await puppet.do("state")
        assert state["connects"] == 2
        assert state["last_error"]

    play(scene)


def test_pings_hold_an_idle_connection(broker: BrokerFactory, play: Play) -> None:
    port = broker().port

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, keepalive_s=2)
        await puppet.event("connect")
        await asyncio.sleep(5)  # a broker closes after 1.5 times the keepalive
        state = await puppet.do("state")
        assert (state["connected"], state["connects"]) == (True, 1)

    play(scene)


def test_a_wrong_password_is_refused_with_a_remedy_and_tried_again(
    mosquitto: BrokerFactory, play: Play, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    port = mosquitto(extra=f"allow_anonymous false\npassword_file {passwords}").port

    async def scene(stage: Stage) -> None:
        puppet = await stage(port, user="kettle", password="wrong")
        state = await puppet.until(lambda state: state["last_error"])
        assert state["last_error"].startswith("Refused: ")
        assert "add its user" in state["last_error"] or "check mqtt.user" in state["last_error"]
        assert state["connects"] == 0

    play(scene)


def test_the_heap_it_takes_stays_within_its_budget(mosquitto: BrokerFactory, micropython: str) -> None:
    command = micropython_command(micropython, "mqtt_heap.py", str(mosquitto().port))
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    taken = json.loads(ran.stdout)
    assert taken["import"] < 19_000  # bytes on 64 bits; an ESP32 takes about half
    assert taken["client"] + taken["connection"] < 5_000
    assert taken["after_100"] < 1_000, "publishing must not accumulate"
