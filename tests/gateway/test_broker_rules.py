"""The rules of the broker against real ones: Mosquitto over TLS on the files that `hearthgate broker setup` writes, and
the in-process broker of the demo."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiomqtt
import pytest

from gateway.app.broker import BuiltinBroker
from gateway.broker.access import DOWN, GATEWAY, LOOK, UP, mqtt_password
from gateway.broker.folder import Told
from tests.broker_house import DEVICE, KEY, OTHER, OTHER_KEY, Household

BOARDS_SAY = ("birth", "crash", "state", "want", "up")  # what is waited for is the last
GATEWAYS_SAY = ("ack", "update", "cmd")
WHAT = (*BOARDS_SAY, *GATEWAYS_SAY)
PATIENCE_S = 20.0
QUIET_S = 0.3


class Stand:
    """A broker with two boards. `let_in` changes who may come in."""

    tls: Any = None

    def __init__(self) -> None:
        self.passwords = {DEVICE: mqtt_password(KEY), OTHER: mqtt_password(OTHER_KEY)}
        self.port = 0

    def client(self, user: str | None, *, client_id: str | None = None, **more: Any) -> aiomqtt.Client:
        password = more.pop("password", self.passwords.get(user or ""))
        return aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=password, identifier=client_id or user,
            tls_context=self.tls, timeout=5, **more,
        )  # fmt: skip

    async def let_in(self, *boards: str) -> None: ...


class OnMosquitto(Stand):
    def __init__(self, house: Household) -> None:
        super().__init__()
        self.house, self.port, self.tls = house, house.port, house.tls()
        self.passwords |= {name: house.folder.password(name) for name in (GATEWAY, LOOK)}

    async def let_in(self, *boards: str) -> None:
        assert self.house.folder.admit({board: self.passwords[board] for board in boards})
        assert self.house.folder.reload() is Told.YES


class OnBuiltin(Stand):
    def __init__(self) -> None:
        super().__init__()
        self._boards = (DEVICE, OTHER)
        self.broker = BuiltinBroker("127.0.0.1", 0, self._known)
        self.port = self.broker.port
        self.passwords |= {GATEWAY: self.broker.gateway_password, LOOK: self.broker.look_password}

    async def _known(self) -> dict[str, tuple[str, ...]]:
        return {board: (self.passwords[board],) for board in self._boards}

    async def let_in(self, *boards: str) -> None:
        self._boards = boards
        await self.broker.enforce()


Scene = Callable[[Stand], Awaitable[None]]


@pytest.fixture(params=["mosquitto", "builtin"])
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Run a coroutine that is given a broker."""

    def run(scene: Scene) -> None:
        async def on_builtin() -> None:
            stand = OnBuiltin()
            await stand.broker.start()
            try:
                await scene(stand)
            finally:
                await stand.broker.close()

        if request.param == "builtin":
            asyncio.run(on_builtin())
        else:
            house = request.getfixturevalue("household_broker")("127.0.0.1")
            asyncio.run(on_mosquitto(house, scene))

    async def on_mosquitto(house: Household, scene: Scene) -> None:
        await scene(OnMosquitto(house))

    return run


def topics(device: str, what: Iterable[str] = WHAT) -> list[str]:
    return [f"hg/1/{device}/{one}" for one in what]


async def heard(client: aiomqtt.Client, until: str) -> list[tuple[str, bytes]]:
    """What comes until something comes on the topic `until`."""
    came = []
    async with asyncio.timeout(PATIENCE_S):
        async for message in client.messages:
            came.append((message.topic.value, bytes(message.payload)))
            if came[-1][0] == until:
                return came
    raise AssertionError("ended")


async def ask(client: aiomqtt.Client, *filters: str) -> None:
    """Subscribe; a broker may say no."""
    for one in filters:
        with contextlib.suppress(aiomqtt.MqttError):
            await client.subscribe(one, qos=1)


def watching(stand: Stand) -> AbstractAsyncContextManager[aiomqtt.Client]:
    """A client that hears everything."""

    @contextlib.asynccontextmanager
    async def watch() -> AsyncIterator[aiomqtt.Client]:
        async with stand.client(LOOK) as look:
            await look.subscribe("hg/1/#", qos=1)
            yield look

    return watch()


FOREIGN_WRITES = [
    *topics(OTHER),
    *topics(DEVICE, (*GATEWAYS_SAY, "other")),
    "hg/1/other",
    "hg/2/x",
    "else",
    "hg/1/gateway/up",
]
FOREIGN_READS = [
    *topics(OTHER), *topics(DEVICE, BOARDS_SAY), *topics("+"), f"hg/1/{OTHER}/#", f"hg/1/{OTHER}/+", "#", "hg/#",
    "+/+/+/+", "$SYS/#",
]  # fmt: skip


def test_every_topic_that_there_is_is_asked_below() -> None:
    assert set(BOARDS_SAY) == set(UP)
    assert set(GATEWAYS_SAY) == set(DOWN)


def test_a_board_writes_on_no_topic_that_is_not_its_own(play: Any):
    async def scene(stand: Stand) -> None:
        async with watching(stand) as look, stand.client(OTHER) as other:
            await ask(other, *topics(OTHER), "#")
            async with stand.client(DEVICE) as board:
                for topic in FOREIGN_WRITES:
                    for retain in (False, True):
                        await board.publish(topic, b"forged", qos=1, retain=retain)
                for own in topics(DEVICE, BOARDS_SAY):
                    await board.publish(own, b"own", qos=1)
                assert await heard(look, f"hg/1/{DEVICE}/up") == [(own, b"own") for own in topics(DEVICE, BOARDS_SAY)]
            async with stand.client(GATEWAY) as gateway:
                await gateway.publish(f"hg/1/{OTHER}/cmd", b"ours", qos=1)
                assert await heard(other, f"hg/1/{OTHER}/cmd") == [(f"hg/1/{OTHER}/cmd", b"ours")]
            # Nor was anything retained.
            async with stand.client(LOOK, client_id="late") as late:
                with contextlib.suppress(aiomqtt.MqttError):
                    await late.subscribe("#", qos=1)
                assert await quiet(late)

    play(scene)


def test_a_board_hears_nothing_that_is_not_for_it(play: Any):
    async def scene(stand: Stand) -> None:
        async def speak(after: str) -> None:
            async with stand.client(OTHER) as other, stand.client(GATEWAY) as gateway:
                await gateway.subscribe("hg/1/+/birth", qos=1)
                for topic in topics(OTHER, BOARDS_SAY):
                    await other.publish(topic, b"secret", qos=1, retain=True)
                for topic in topics(OTHER, GATEWAYS_SAY):
                    await gateway.publish(topic, b"secret", qos=1, retain=True)
                await gateway.publish(f"hg/1/{DEVICE}/cmd", after.encode(), qos=1)

        for clean in (True, False):
            async with stand.client(DEVICE, clean_session=clean) as board:
                await ask(board, *FOREIGN_READS, *topics(DEVICE, GATEWAYS_SAY))
                for topic in topics(DEVICE, BOARDS_SAY):
                    await board.publish(topic, b"its own", qos=1)
                await speak("live")
                mine = f"hg/1/{DEVICE}/cmd"
                assert set(await heard(board, mine)) == {(mine, b"live")}
            # What is retained by now, at a new subscription and, in a session that is taken up again, without one.
            async with stand.client(DEVICE, clean_session=clean) as board:
                assert await quiet(board)
                await ask(board, *FOREIGN_READS, *topics(DEVICE, GATEWAYS_SAY))
                assert await quiet(board)

    play(scene)


def test_a_last_will_goes_to_no_foreign_topic(play: Any):
    async def scene(stand: Stand) -> None:
        async with watching(stand) as look:
            for topic in FOREIGN_WRITES:
                will = aiomqtt.Will(topic, b"forged", qos=1, retain=True)
                with contextlib.suppress(aiomqtt.MqttError):
                    async with stand.client(DEVICE, will=will) as board:
                        vanish(board)
            own = aiomqtt.Will(f"hg/1/{DEVICE}/state", b"gone", qos=1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                async with stand.client(DEVICE, will=own) as board:
                    vanish(board)
            assert await heard(look, f"hg/1/{DEVICE}/state") == [(f"hg/1/{DEVICE}/state", b"gone")]

    play(scene)


def test_nobody_comes_in_without_the_password_of_its_own(play: Any):
    async def scene(stand: Stand) -> None:
        for user, password in (
            (None, None), (DEVICE, None), (DEVICE, ""), (DEVICE, mqtt_password(OTHER_KEY)), (DEVICE, KEY.hex()),
            ("5e0000000009", mqtt_password(KEY)), (GATEWAY, mqtt_password(KEY)), (GATEWAY, None), (LOOK, "look"),
            ("", ""),
        ):  # fmt: skip
            with pytest.raises(aiomqtt.MqttError):
                async with stand.client(user, password=password, client_id=user or "somebody"):
                    pass

    play(scene)


@pytest.mark.parametrize("victim", [OTHER, GATEWAY])
def test_a_board_takes_over_nobody_elses_session(play: Any, victim: str):
    async def scene(stand: Stand) -> None:
        mine = f"hg/1/{OTHER}/cmd" if victim == OTHER else f"hg/1/{OTHER}/up"
        async with stand.client(victim, clean_session=False) as waiting:
            await waiting.subscribe(mine, qos=1)
            # As itself under the other's client id, as the other with its own password, and as nobody.
            for user, password in ((DEVICE, mqtt_password(KEY)), (victim, mqtt_password(KEY)), (None, None)):
                with contextlib.suppress(aiomqtt.MqttError):
                    async with stand.client(user, password=password, client_id=victim, clean_session=False) as thief:
                        await ask(thief, mine)
                        assert await quiet(thief)
            async with stand.client(GATEWAY if victim == OTHER else OTHER) as speaker:
                await speaker.publish(mine, b"mine", qos=1)
            assert await heard(waiting, mine) == [(mine, b"mine")]
        # While it is away, too: what waits for it is not given to another.
        async with stand.client(GATEWAY if victim == OTHER else OTHER) as speaker:
            await speaker.publish(mine, b"later", qos=1)
        with contextlib.suppress(aiomqtt.MqttError):
            async with stand.client(DEVICE, client_id=victim, clean_session=False) as thief:
                assert await quiet(thief)

    play(scene)


def test_a_revoked_board_is_cut_off_at_once_and_nobody_else_is(play: Any, record_property: Any):
    async def scene(stand: Stand) -> None:
        async with stand.client(OTHER) as other, watching(stand):
            ended = asyncio.Event()

            async def lost() -> None:
                with contextlib.suppress(aiomqtt.MqttError):
                    async with stand.client(DEVICE) as board:
                        await board.subscribe(f"hg/1/{DEVICE}/cmd", qos=1)
                        connected.set()
                        async for _ in board.messages:
                            pass
                ended.set()

            connected = asyncio.Event()
            task = asyncio.create_task(lost())
            await asyncio.wait_for(connected.wait(), PATIENCE_S)
            began = time.monotonic()
            await stand.let_in(OTHER)
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
            record_property("cut_off_ms", round((time.monotonic() - began) * 1000))
            await task
            with pytest.raises(aiomqtt.MqttError):
                async with stand.client(DEVICE):
                    pass
            await other.publish(f"hg/1/{OTHER}/up", b"still here", qos=1)
            # Taken back.
            await stand.let_in(OTHER, DEVICE)
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with contextlib.suppress(aiomqtt.MqttError):
                        async with stand.client(DEVICE):
                            break

    play(scene)


def test_a_gateway_says_and_hears_what_it_is_there_for(play: Any):
    async def scene(stand: Stand) -> None:
        async with stand.client(GATEWAY) as gateway, stand.client(DEVICE) as board, watching(stand) as look:
            await ask(gateway, *topics("+"))
            await board.subscribe([(topic, 1) for topic in topics(DEVICE, GATEWAYS_SAY)])
            for topic in topics(DEVICE, BOARDS_SAY):
                await board.publish(topic, b"up", qos=1, retain=True)
            heard_up = await heard(gateway, f"hg/1/{DEVICE}/up")
            assert [topic for topic, _ in heard_up] == topics(DEVICE, BOARDS_SAY)
            for topic in [*topics(DEVICE, BOARDS_SAY), "hg/1/x", *topics(DEVICE, GATEWAYS_SAY)]:
                await gateway.publish(topic, b"down", qos=1)
            down = topics(DEVICE, GATEWAYS_SAY)
            assert await heard(board, f"hg/1/{DEVICE}/cmd") == [(topic, b"down") for topic in down]
            seen = await heard(look, f"hg/1/{DEVICE}/cmd")
            assert [topic for topic, said in seen if said == b"down"] == down
            await look.publish(f"hg/1/{DEVICE}/cmd", b"looked", qos=1)
            assert await quiet(board)
            assert await quiet(gateway)

    play(scene)


async def quiet(client: aiomqtt.Client) -> bool:
    """Nothing comes, for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(QUIET_S):
            async for message in client.messages:
                raise AssertionError(f"got {message.topic}")
    return True


def vanish(client: aiomqtt.Client) -> None:
    """Break the connection without a word."""
    sock = client._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)
