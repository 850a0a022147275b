"""Where messages come from and acks go to: MQTT through aiomqtt. Narrow, so that a stream can take its place."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import aiomqtt

from gateway.forward.backoff import Backoff
from gateway.wire.cose import MAX_MESSAGE_BYTES
from gateway.wire.topics import subscriptions

log = logging.getLogger(__name__)

# Messages that wait in this process. What comes beyond is dropped here and sent again by its board: no ack, no loss.
MAX_WAITING = 10_000
_KEEPALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Message:
    """One message from a board."""

    topic: str
    payload: bytes


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
    """MQTT 3.1.1 with QoS 1. aiomqtt acknowledges a message before we see it: only our own `ack` means stored."""

    def __init__(
        self, address: BrokerAddress, *, client_id: str = "hearthgate", backoff: Backoff | None = None
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._backoff = backoff or Backoff(first_s=0.5, most_s=30.0)
        self._client: aiomqtt.Client | None = None
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
            max_queued_incoming_messages=MAX_WAITING,
        ) as client:
            await client.subscribe([(topic, 1) for topic in subscriptions()])
            self._client = client
            self._backoff.reset()
            self.trouble = None
            self.connected.set()
            log.info("connected to the broker at %s:%d", address.host, address.port)
            async for message in client.messages:
                payload = message.payload
                # A stranger's megabytes go no further than this: what is over the bound is cut to just over it.
                body = bytes(payload[: MAX_MESSAGE_BYTES + 1]) if isinstance(payload, bytes | bytearray) else b""
                await deliver(Message(message.topic.value, body))

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
