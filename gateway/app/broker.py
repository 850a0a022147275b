"""A broker inside the process (amqtt), so that the demo and a first try need no install. A house runs Mosquitto.

It follows the same rules (`gateway.broker.access`). amqtt takes over a session, and a last will, before it asks whether
the newcomer may have them; so who may come in is decided before it hears of a connection.
"""

import asyncio
import hmac
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from amqtt.adapters import BufferReader, ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.errors import BrokerError as AmqttBrokerError
from amqtt.mqtt.connect import ConnectPacket
from amqtt.session import Session

from gateway.broker.access import GATEWAY, LOOK, Access, may, may_subscribe
from gateway.errors import HearthgateError
from gateway.wire.topics import DEVICE

Passwords = Callable[[], Awaitable[Mapping[str, tuple[str, ...]]]]
"""The passwords that each board may show, by its id: two while its key is being changed."""

_CONNECT_S = 10.0
_CONNECT_BYTES = 2048
_REFUSED = b"\x20\x02\x00\x05"  # CONNACK: not authorized [MQTT-3.2.2-4]
_ANYBODY = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


class BrokerError(HearthgateError):
    """The broker could not start; the text says what to do."""


class BuiltinBroker:
    """amqtt on one address, without persistence.

    `passwords` is asked at each connection. `gateway_password` and `look_password` are made anew each time. Without
    `passwords` everybody may do everything: for benches and fault runs, whose boards are nobody's.
    """

    def __init__(self, host: str, port: int, passwords: Passwords | None = None) -> None:
        self.host = host
        self.port = port or _free_port(host)
        self.gateway_password = secrets.token_urlsafe(24)
        self.look_password = secrets.token_urlsafe(24)
        self._passwords = passwords
        self._started = False
        # It logs a trace of every client that goes away; what a person can act on is raised from here.
        for library in ("amqtt", "transitions"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"{host}:{self.port}"}},
            "plugins": _ANYBODY,
        }
        self._broker = Broker(config) if passwords is None else _RuledBroker(config, self._known)

    async def start(self) -> None:
        """Listen. Raises BrokerError."""
        try:
            await self._broker.start()
        except (AMQTTError, AmqttBrokerError, OSError) as why:
            raise BrokerError(
                f"the built-in broker cannot listen on {self.host}:{self.port}: {why.__cause__ or why}. Is another "
                "broker running there? Stop it, use it (builtin = false), or set another [broker] port."
            ) from why
        self._started = True

    async def enforce(self) -> None:
        """Passwords changed: end the connections of those who would no longer come in."""
        if isinstance(self._broker, _RuledBroker):
            await self._broker.enforce()

    async def close(self) -> None:
        """Stop listening; nothing to do if it never did."""
        if self._started:
            self._started = False
            async with asyncio.timeout(10):
                await self._broker.shutdown()

    async def _known(self) -> Mapping[str, tuple[str, ...]]:
        boards = {} if self._passwords is None else await self._passwords()
        return {**boards, GATEWAY: (self.gateway_password,), LOOK: (self.look_password,)}


class _RuledBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """Every client is a user whose password is known, under a client id that is this user's."""

    def __init__(self, config: dict[str, Any], known: Passwords) -> None:
        super().__init__(config)
        self._known = known
        self._owners: dict[str, str] = {}  # of client ids that are not a board's: whoever used it first
        self._here: dict[str, tuple[str, str, asyncio.StreamWriter]] = {}  # client id: user, password, connection

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """A new connection: amqtt gets it only if its CONNECT is in order."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                hello = await _read_connect(reader)
                connect = await ConnectPacket.from_stream(BufferReader(hello))
                admitted = await self._admits(connect)
        # amqtt raises whatever comes of half a packet: UnicodeDecodeError, IndexError, AttributeError …
        except Exception:  # noqa: BLE001
            writer.close()
            return
        if not admitted:
            writer.write(_REFUSED)
            writer.close()
            return
        client_id, here = connect.client_id, (connect.username, connect.password, writer)
        self._here[client_id] = here
        try:
            await self.external_connected(_Rejoined(hello, reader), StreamWriterAdapter(writer), listener_name)
        except (asyncio.IncompleteReadError, AMQTTError, MQTTError, NoDataError, OSError):
            writer.close()
        finally:
            if self._here.get(client_id) is here:
                del self._here[client_id]

    async def enforce(self) -> None:
        """End the connections of those whose password no longer holds."""
        known = await self._known()
        for user, password, writer in list(self._here.values()):
            if not _shown(known.get(user, ()), password):
                writer.transport.abort()

    async def _admits(self, connect: ConnectPacket) -> bool:
        user, password, client_id = connect.username, connect.password, connect.client_id
        if not user or not password or not client_id or connect.payload.client_id_is_random:
            return False
        if not _shown((await self._known()).get(user, ()), password):
            return False
        if DEVICE.fullmatch(client_id) or DEVICE.fullmatch(user):
            ours = client_id == user
        else:
            ours = self._owners.setdefault(client_id, user) == user
        # amqtt publishes a last will without asking.
        return ours and (not connect.will_flag or may(user, Access.WRITE, connect.will_topic))

    def _user(self, session: Session) -> str:
        """Who has a session. Not `session.username`: a newcomer's is in it before it is known whether it comes in."""
        client_id = str(session.client_id)
        return self._owners.get(client_id, client_id if DEVICE.fullmatch(client_id) else "")

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        user = self._user(session)
        if not user:
            return False
        if action is Action.SUBSCRIBE:
            return may_subscribe(user, topic)
        return may(user, Access.WRITE if action is Action.PUBLISH else Access.READ, topic)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # At a connection amqtt goes through everybody's subscriptions, not through those of the one who came.
        if await self._topic_filtering(session, subscription[0], Action.SUBSCRIBE):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class _Rejoined(ReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """A stream whose beginning was read already."""

    def __init__(self, beginning: bytes, reader: asyncio.StreamReader) -> None:
        self._beginning = beginning
        self._rest = StreamReaderAdapter(reader)

    async def read(self, n: int = -1) -> bytes:
        """As amqtt's own: n bytes, or what there is."""
        if not self._beginning:
            return bytes(await self._rest.read(n))
        taken, self._beginning = (self._beginning, b"") if n < 0 else (self._beginning[:n], self._beginning[n:])
        return taken

    def feed_eof(self) -> None:
        """As amqtt's own."""
        self._rest.feed_eof()


async def _read_connect(reader: asyncio.StreamReader) -> bytes:
    """The first packet, if it is a CONNECT of a sane size. Raises ValueError or IncompleteReadError."""
    head = await reader.readexactly(2)
    while head[-1] & 0x80:
        if len(head) == 3:
            raise ValueError("too long")
        head += await reader.readexactly(1)
    length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(head[1:]))
    if head[0] != 0x10 or length > _CONNECT_BYTES:
        raise ValueError("not a CONNECT of ours")
    return head + await reader.readexactly(length)


def _shown(passwords: tuple[str, ...], password: str) -> bool:
    """Whether the password is one of these."""
    return any(hmac.compare_digest(one.encode(), password.encode()) for one in passwords)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
