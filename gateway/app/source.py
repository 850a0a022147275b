"""Where messages come from and acks go to: MQTT through aiomqtt. Narrow, so that a stream can take its place."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

import aiomqtt

from gateway.app.inbox import BrokerQueue, Message
from gateway.forward.backoff import Backoff
from gateway.wire.topics import subscriptions

log = logging.getLogger(__name__)

_KEEPALIVE_S = 30
_MAX_UNANSWERED = 1000  # acks and commands that the broker has not taken; beyond, they are refused
# One gateway is no stampede, and boards wait for it: it tries more often than a board does.
_RETRY_FIRST_S = 0.5
_RETRY_MOST_S = 5.0


class Source(Protocol):
    """Delivers messages and takes answers."""

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Deliver until cancelled, through every loss of connection."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Say something to a board; False if there is no connection (the board will ask again by sending again)."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """How to reach the broker."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class MqttSource:
    """MQTT 3.1.1 with QoS 1. aiomqtt acknowledges a message before we see it: only our own `ack` means stored.

    `client_id` must be this gateway's alone: a broker ends the older of two connections with one id.
    """

    def __init__(
        self, address: BrokerAddress, *, client_id: str = "hearthgate", backoff: Backoff | None = None
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._backoff = backoff or Backoff(_RETRY_FIRST_S, _RETRY_MOST_S)
        self._client: aiomqtt.Client | None = None
        self._told_dropped = False
        self.trouble: str | None = None
        self.connected = asyncio.Event()
        self.dropped = 0

    async def run(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        """Deliver until cancelled."""
        while True:
            try:
                await self._session(deliver)
            except aiomqtt.MqttError as why:
                address = f"{self._address.host}:{self._address.port}"
                if self.trouble is None:
                    log.warning("broker %s: %s. Is it running, and are host, port and password right?", address, why)
                self.trouble = f"broker {address}: {why}"
            finally:
                self._client = None
                self.connected.clear()
            await asyncio.sleep(self._backoff.next_s())

    async def _session(self, deliver: Callable[[Message], Awaitable[None]]) -> None:
        address = self._address
        incoming = BrokerQueue(self._drop)
        async with aiomqtt.Client(
            address.host,
            address.port,
            username=address.user,
            password=address.password,
            tls_context=address.tls,
            identifier=self._client_id,
            # A session that the broker keeps holds what boards say while the gateway restarts; they would send again
            # anyway, so a lost session only costs time.
            clean_session=False,
            keepalive=_KEEPALIVE_S,
            queue_type=cast("type[asyncio.Queue[aiomqtt.Message]]", lambda maxsize: incoming),  # noqa: ARG005
            max_queued_outgoing_messages=_MAX_UNANSWERED,
        ) as client:
            client.pending_calls_threshold = _MAX_UNANSWERED
            await client.subscribe([(topic, 1) for topic in subscriptions()])
            self._client = client
            self._backoff.reset()
            self.trouble = None
            self.connected.set()
            log.info("connected to the broker at %s:%d", address.host, address.port)
            async for first in client.messages:
                message = first
                while True:
                    await deliver(Message(message.topic.value, message.payload))
                    # aiomqtt's iterator makes a task for each message; what is here already needs none.
                    if incoming.empty():
                        break
                    message = incoming.get_nowait()
                self._told_dropped = False

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Publish with QoS 1."""
        if self._client is None:
            return False
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain, timeout=10)
        except aiomqtt.MqttError as why:
            log.info("could not publish to %s: %s", topic, why)
            return False
        return True

    def _drop(self) -> None:
        self.dropped += 1
        if not self._told_dropped:
            self._told_dropped = True
            log.warning("more comes than can be kept; what is dropped is not acked, and its boards send it again")
