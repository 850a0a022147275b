"""A broker inside the process (amqtt), so that the demo and a first try need no install. A house runs Mosquitto."""

import asyncio
import logging
import socket

from amqtt.broker import Broker
from amqtt.errors import AMQTTError
from amqtt.errors import BrokerError as AmqttBrokerError

from gateway.errors import HearthgateError


class BrokerError(HearthgateError):
    """The broker could not start; the text says what to do."""


class BuiltinBroker:
    """amqtt on one address, without persistence."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port or _free_port(host)
        self._started = False
        # It logs a trace of every client that goes away; what a person can act on is raised from here.
        for library in ("amqtt", "transitions"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{host}:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )

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

    async def close(self) -> None:
        """Stop listening; nothing to do if it never did."""
        if self._started:
            self._started = False
            await asyncio.wait_for(self._broker.shutdown(), 10)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
