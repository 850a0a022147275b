"""Revokes under load, and counts every byte that leaves after the revoking call has returned: there must be none.

    python -m tools.consent_silence [--revocations 1000] [--json]

A whole gateway sends to a recipient's server, as much and as fast as it can; at a random moment the grant is revoked.
Three things are looked at when `Gateway.revoke` has returned, and again when all is over:
- every `send` on every socket of the sink, told by the socket itself (a subclass that the sink's factory hands out):
  what is handed to the system after the return;
- every byte that arrived at the receiver's socket, read or not (the bytes that were read, and FIONREAD of the rest): so
  what the system still held in its send buffer and sent after the return is seen too;
- that the connection has ended: nothing can come on it any more. (What ended it is a reset: the sink has the system
  throw away what it holds. What the receiver's own buffer held at the return had arrived before, and is no byte after.)
Erasure notices go to an address of their own, and are not counted: they are to be sent.

Half of the receivers read 512 bytes and wait, so that the system's buffers and the sink's are full; half of them talk
TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import random
import socket
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp import AddrInfoType

from gateway.app import gateway as gateway_module
from gateway.app.examine import examine
from gateway.app.gateway import Gateway
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.consent.grants import Grant
from gateway.consent.vocabulary import Granularity
from gateway.forward.https_sink import HttpsSink, client_tls
from gateway.store import devices, frames
from tools.consent_house import Board
from tools.consent_receiver import Receiver, own_certificate

__all__ = ["main", "measure"]

_EVENTS_A_FRAME = 256
_PATIENCE_S = 10.0
_SETTLE_S = 0.02
_SLOW_S = 0.01
_DEVICE = "a0b1c2d3e4f5"
_KEY = bytes(range(32))


class _Told(socket.socket):
    """A socket that tells of each time it hands bytes to the system."""

    port = 0
    handed: Counter[int] = Counter()  # noqa: RUF012 - of all of them, by the port that they talk to

    def connect(self, address: Any, /) -> None:
        """See socket.socket.connect."""
        self.port = address[1]
        super().connect(address)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket.send."""
        n = super().send(data, flags)
        self.handed[self.port] += n
        return n

    def sendmsg(self, *args: Any) -> int:
        """See socket.socket.sendmsg."""
        n = super().sendmsg(*args)
        self.handed[self.port] += n
        return n


class _Sink(HttpsSink):
    """The sink as it is, with sockets that tell; `small`: with a send buffer that is soon full."""

    small = False
    aborts = 0

    async def abort(self) -> None:
        """See HttpsSink."""
        self.aborts += 1
        await super().abort()

    def _socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = _Told(family, kind, protocol)
        if self.small:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self._sockets.add(made)
        return made


@contextmanager
def _receivers(*, slow: bool, tls: bool) -> Iterator[tuple[Receiver, Receiver, SinkSettings]]:
    """(of events, of notices, the settings of a sink to them)."""
    with tempfile.TemporaryDirectory() as folder:
        context = None
        certificate: Path | None = None
        if tls:
            certificate, key = own_certificate(Path(folder))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        events, notices = Receiver(tls=context, pause_s=_SLOW_S if slow else 0), Receiver(tls=context)
        where = f"http{'s' if tls else ''}://127.0.0.1"
        yield events, notices, SinkSettings(
            name="maker", kind="https", recipient="manufacturer", purposes=("service",), ca=certificate,
            url=f"{where}:{events.port}/v1/events", erasure_url=f"{where}:{notices.port}/v1/erasures",
        )  # fmt: skip
        events.close()
        notices.close()


class _House:
    """A gateway that runs, and a board that says more than can be sent at once."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._board = Board(_DEVICE)
        self._seq = 0
        self._grants = 0
        self._started_s = gateway.now_ms() // 1000 - 1000

    async def begin(self) -> None:
        """Enrol the board, and let it be born."""
        db = self._gateway.db
        await self._gateway.store(devices.enrol, db, _DEVICE, "Kitchen", self._gateway.now_ms(), _KEY)
        await self._receive(self._board.birth())

    async def load(self, frames_: int) -> str:
        """Give a grant, and let come what may leave under it; the grant's id."""
        self._grants += 1
        now_ms = self._gateway.now_ms()
        grant = Grant(
            id=f"g-{self._grants:016x}", subject="Robin", devices=("*",), category="door", recipient="manufacturer",
            purpose="service", granularity=Granularity.EVENT, hours=None, start_ms=now_ms, since_ms=now_ms - 500_000,
            expiry_ms=now_ms + 86_400_000, text="I agree.", language="en", created_ms=now_ms,
        )  # fmt: skip
        await self._gateway.grant(grant)
        messages = []
        for _ in range(frames_):
            self._seq += 1
            uptime_ms = now_ms - self._started_s * 1000 - 1000
            events = [(3, i, random.randrange(2**29)) for i in range(_EVENTS_A_FRAME)]
            messages.append(self._board.events(1, self._seq, now_ms // 1000 - 1, uptime_ms, events))
        await self._receive(*messages)
        return grant.id

    async def _receive(self, *messages: tuple[str, bytes]) -> None:
        def store() -> None:
            registry, now_ms = devices.registry(self._gateway.db), self._gateway.now_ms()
            items = [examine(topic, payload, registry, now_ms) for topic, payload in messages]
            frames.commit(self._gateway.db, items)

        await self._gateway.store(store)
        for forwarder in self._gateway.forwarders:
            forwarder.wake()


async def measure(revocations: int, *, slow: bool, tls: bool, seed: int = 1) -> Counter[str]:
    """So many revocations against one kind of receiver: counts of `revocations`, of those in the midst of a batch
    (`under_way`), `bytes` in all, and `bytes_after`, at the socket and at the receiver, whichever saw more."""
    rng = random.Random(f"{seed} {slow} {tls}")
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, _receivers(slow=slow, tls=tls) as (events, _, sink):
        settings = Settings(store=Store(path=Path(folder, "h.sqlite")), broker=Broker(port=1), sinks=(sink,))
        made = _Sink(sink.url or "", tls=client_tls(sink.ca, None, None), erasure_url=sink.erasure_url)
        with patch.object(gateway_module, "make_sink", lambda _: made):
            gateway = Gateway(settings)
            await gateway.start()
        try:
            house = _House(gateway)
            await house.begin()
            for number in range(revocations):
                made.small = number % 2 == 0
                await _one(gateway, house, made, events, rng, found)
        finally:
            await gateway.close()
    return found


async def _one(
    gateway: Gateway, house: _House, sink: _Sink, events: Receiver, rng: random.Random, found: Counter[str]
) -> None:
    before, aborts = events.arrived(), sink.aborts
    grant_id = await house.load(4)
    deadline = time.monotonic() + _PATIENCE_S
    while rng.random() < 0.995 and events.arrived() == before and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.0005)  # rarely it comes before anything was sent
    await asyncio.sleep(rng.choice([0, 0.001, 0.01, 0.03]) * rng.random())
    began = time.monotonic()
    await gateway.revoke(grant_id)
    arrived, handed = events.arrived(), _Told.handed[events.port]
    found["microseconds"] += int((time.monotonic() - began) * 1e6)
    ended = sink.aborts > aborts
    await asyncio.sleep(_SETTLE_S * rng.random())
    deadline = time.monotonic() + _PATIENCE_S
    while ended and not events.quiet() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    found["still_open"] += ended and not events.quiet()
    after = max(events.arrived() - arrived, _Told.handed[events.port] - handed)
    found["revocations"] += 1
    found["under_way"] += ended
    found["bytes"] += arrived - before
    found["bytes_after"] += after


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 if nothing left."""
    parser = argparse.ArgumentParser(prog="python -m tools.consent_silence", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--revocations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    found: Counter[str] = Counter()
    for number, (slow, tls) in enumerate(itertools.product((True, False), repeat=2)):
        share = options.revocations * (number + 1) // 4 - options.revocations * number // 4
        found += asyncio.run(measure(share, slow=slow, tls=tls, seed=options.seed))
    said = {name: found[name] for name in ("revocations", "under_way", "bytes", "bytes_after", "still_open")}
    said["mean_revoke_ms"] = round(found["microseconds"] / 1000 / max(1, found["revocations"]))
    said["seconds"] = round(time.monotonic() - began)
    if options.json:
        print(json.dumps(said))
    else:
        print(
            f"{said['revocations']:,} revocations, {said['under_way']:,} of them in the midst of a batch, "
            f"{said['bytes']:,} bytes sent before and {said['bytes_after']:,} after ({said['seconds']} s)"
        )
    return 1 if found["bytes_after"] or found["still_open"] else 0


if __name__ == "__main__":
    logging.getLogger("gateway").setLevel(logging.CRITICAL)  # what is ended is told there each time
    sys.exit(main())
