"""Fuzz target over HTTP: the stand-in cloud, on a real connection. Inputs are those of fuzz_http."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools import fuzz_mutate
from tools.fuzz_http import NOW_S, Request, judge
from tools.fuzz_target import Broken, Parse, Target

__all__ = ["TARGETS"]

_INPUTS_A_CLOUD = 2000  # it keeps what it is sent, which is no leak


class _Failures(logging.Handler):
    """What a server logs instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the exception."""
        if record.exc_info:
            self.last = record.exc_info[1]


class _Sender:
    """One connection to a server on this machine, made anew when the server closes it."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._address = host, int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> tuple[int, str, bytes]:
        """(status, content type, body) of the answer."""
        reader, writer = self._streams = self._streams or await asyncio.open_connection(*self._address)
        headers = {"host": "localhost", **request.headers, "content-length": str(len(request.body))}
        lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + request.body)
        first = await reader.readline()
        if not first:
            self.close()
            raise Broken("the connection was closed without an answer")
        answered: dict[str, str] = {}
        while line := (await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            answered[name.lower()] = value.strip()
        length = 0 if request.method == "HEAD" else int(answered.get("content-length", 0))
        body = await reader.readexactly(length)
        if answered.get("connection", "").lower() == "close":
            self.close()
        return int(first.split()[1]), answered.get("content-type", ""), body

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@contextmanager
def _cloud() -> Iterator[Parse]:
    from tools.cloud import Cloud, Faults

    failures = _Failures()
    log = logging.getLogger("aiohttp.server")
    log.addHandler(failures)
    log.propagate = False
    loop = asyncio.new_event_loop()

    def begin() -> tuple[Cloud, _Sender]:
        cloud = Cloud(":memory:", now=lambda: NOW_S)
        loop.run_until_complete(cloud.start())
        return cloud, _Sender(cloud.url)

    def end() -> None:
        sender.close()
        loop.run_until_complete(cloud.close())

    cloud, sender = begin()
    left = _INPUTS_A_CLOUD

    def parse(data: bytes) -> None:
        nonlocal cloud, sender, left
        request = Request.read(data)
        left -= 1
        if not left:
            end()
            cloud, sender = begin()
            left = _INPUTS_A_CLOUD
        cloud.faults = Faults()  # an earlier input may have asked for slow answers
        failures.last = None
        status, kind, body = loop.run_until_complete(sender.ask(request))
        if status >= 500 and failures.last is not None:
            raise failures.last
        judge(request, status, kind, body)

    try:
        yield parse
    finally:
        end()
        loop.close()
        log.removeHandler(failures)
        log.propagate = True


def _event(**changes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "00112233445566778899aabbccddeeff",
        "source": "urn:hearthgate:device:00112233445566778899aabb", "type": "io.hearthgate.event.v1",
        "time": "2026-11-22T10:00:00Z", "subject": "door_event", "datacontenttype": "application/json",
        "consentgrant": "g-1", "consentpurpose": "product-improvement", "consentgranularity": "event",
        "consentexpiry": "2027-11-22T00:00:00Z", "consentrecipient": "manufacturer",
        "data": {"unit": "/", "category": "door", "time_label": "measured", "value": 1}, **changes,
    }  # fmt: skip


def _notice(sources: list[str] | None) -> bytes:
    """An erasure notice with a right signature."""
    from gateway.consent.canonical import canonical
    from gateway.consent.signing import SigningKey
    from gateway.forward.notices import SIGNED_TYPE

    key, time = SigningKey(bytes(32)), "2026-11-22T10:00:00Z"
    about: dict[str, Any] = {"id": "00112233445566778899aabbccddeeff", "grant": "g-1"}
    data = {"reason": "revoked", "sources": sources, "from": time, "to": time}
    signed = key.sign(SIGNED_TYPE, canonical({**about, **data, "recipient": "manufacturer", "at": time}))
    event = {
        "specversion": "1.0", "source": "urn:hearthgate:household", "type": "io.hearthgate.erasure.v1", "time": time,
        **about, "data": {**data, "signed": base64.b64encode(signed).decode(), "key": key.public.hex()},
    }  # fmt: skip
    return json.dumps(event).encode()


def _cloud_seeds() -> Iterator[bytes]:
    said = {"unit": "Cel", "category": "temperature", "time_label": "placed"}
    readings = _event(
        type="io.hearthgate.readings.v1", consentgranularity="raw",
        data={**said, "step_ms": 10_000, "values": [4.5, None, 5]},
    )  # fmt: skip
    cell = {"from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:15:00Z", "count": 90, "min": 4, "mean": 4.5, "max": 5}
    aggregate = _event(type="io.hearthgate.aggregate.v1", consentgranularity="15min", data={**said, **cell})
    head = b"POST /v1/recipients/manufacturer/events\nContent-Type: application/cloudevents"
    for event in (_event(), readings, aggregate):
        yield head + b"+json\n\n" + json.dumps(event, indent=1).encode()
    yield head + b"-batch+json; charset=utf-8\n\n" + json.dumps([_event(), readings]).encode()
    for sources in (None, ["urn:hearthgate:device:00112233445566778899aabb"]):
        yield b"POST /v1/recipients/manufacturer/erasures\nContent-Type: application/json\n\n" + _notice(sources)
    faults = {"mode": "slow", "delay_s": 1.5, "status": 503, "retry_after_s": 2, "probability": 0.5, "seed": 3}
    yield b"POST /control\n\n" + json.dumps(faults).encode()
    for target in (
        "/stats",
        "/events?recipient=manufacturer&limit=5",
        "/refused?limit=3",
        "/erasures",
        "/",
        "/control",
    ):
        yield f"GET {target}\n\n".encode()


TARGETS = (
    Target(
        "cloud", "requests to the stand-in cloud", _cloud, _cloud_seeds, fuzz_mutate.text, share=100, cost_us=1100,
        text=True, max_bytes=4096,
    ),
)  # fmt: skip
