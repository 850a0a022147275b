"""Fuzz targets over HTTP: the console's JSON API, and the stand-in cloud.

An input is a request without its lengths: a line `METHOD target`, headers, an empty line, the body. What it must not
get is an answer of 500 and more, or one that its own Content-Type belies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tools import fuzz_mutate
from tools.fuzz_target import Broken, Parse, Refused, Target, scratch

__all__ = ["TARGETS", "Request"]

_NOW_S = 1_795_348_800.0
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_TARGET = re.compile(r"[!-~]{1,1000}")
_HEADER = re.compile(r"([A-Za-z-]{1,40}): ?([ -~]{0,500})")
_LENGTHS = ("content-length", "transfer-encoding", "connection", "expect", "upgrade")


@dataclass(frozen=True)
class Request:
    """A request as far as an HTTP library hands it on."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> Request:
        """The request in an input. Raises Refused where no HTTP library would hand it on."""
        head, _, body = data.partition(b"\n\n")
        first, *lines = head.decode("latin-1").split("\n")
        method, _, target = first.partition(" ")
        headers = {}
        for line in lines:
            match = _HEADER.fullmatch(line)
            if match is None:
                raise Refused("not a header")
            if match[1].lower() not in _LENGTHS:
                headers[match[1].lower()] = match[2].strip()
        if method not in _METHODS or not _TARGET.fullmatch(target) or not target.startswith("/"):
            raise Refused("not a request")
        return cls(method, target, headers, body)


def _judge(request: Request, status: int, kind: str, body: bytes) -> None:
    if status >= 500:
        raise Broken(f"{request.method} {request.target:.100} is answered with {status}: {body[:200]!r}")
    if kind.startswith("application/json") and body:
        json.loads(body)
    if status >= 400:
        raise Refused(f"{status} {request.target.partition('?')[0]:.40}")


@contextmanager
def _console() -> Iterator[Parse]:
    from gateway.app.gateway import Gateway
    from gateway.app.settings import Settings
    from gateway.store import devices, frames
    from gateway.web.console import build
    from gateway.web.live import Live
    from tools.fuzz_store import examined

    sinks = [{"name": "maker", "kind": "file", "recipient": "manufacturer", "path": "readings.jsonl"}]
    loop = asyncio.new_event_loop()
    with scratch() as folder, contextlib.chdir(folder), contextlib.closing(loop):
        settings = Settings(sinks=sinks, store={"path": folder / "hearthgate.sqlite"})
        gateway = Gateway(settings, now_ms=lambda: int(_NOW_S * 1000))
        devices.enrol(gateway.db, "5e0000000001", "Kitchen kettle", 0, bytes(32))
        frames.commit(gateway.db, examined(gateway.db))
        app = build(Live(gateway), "127.0.0.1")
        sql = gateway.db.connection

        def parse(data: bytes) -> None:
            request = Request.read(data)
            if not request.target.startswith("/api/"):
                raise Refused("a page")  # NiceGUI's, which answers to browsers that it knows
            try:
                status, kind, body = loop.run_until_complete(_ask(app, request))
            finally:
                # A grant that one input gave must not be what the next one depends on.
                if sql.execute("SELECT count(*) > 20 FROM consent_grant").fetchone()[0]:
                    sql.execute("DELETE FROM consent_grant")
            _judge(request, status, kind, body)

        yield parse
        loop.run_until_complete(gateway.close())


async def _ask(app: Callable[..., Awaitable[None]], request: Request) -> tuple[int, str, bytes]:
    """One request through an ASGI application, as uvicorn would hand it over."""
    path, _, query = request.target.partition("?")
    headers = {
        "host": "localhost",
        "content-type": "application/json",
        **request.headers,
        "content-length": str(len(request.body)),
    }
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    answer: dict[str, Any] = {"status": 0, "kind": "", "body": b""}
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["kind"] = dict(message["headers"]).get(b"content-type", b"").decode("latin-1")
        elif message["type"] == "http.response.body":
            answer["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return answer["status"], answer["kind"], answer["body"]


def _console_seeds() -> Iterator[bytes]:
    grant = {
        "subject": "Anna", "recipient": "manufacturer", "category": "temperature", "purpose": "product-improvement",
        "granularity": "15min", "devices": ["5e0000000001"], "days": 30, "text": "I agree.", "language": "en",
    }  # fmt: skip
    for method, target in (
        ("GET", "/api/devices"), ("GET", "/api/status"), ("GET", "/api/grants"),
        ("GET", "/api/readings?device=5e0000000001&channel=water_temp&limit=10"),
        ("DELETE", "/api/grants/g-0000000000000000"),
    ):  # fmt: skip
        yield f"{method} {target}\n\n".encode()
    yield b"POST /api/grants\n\n" + json.dumps(grant, indent=1).encode()
    least = {name: grant[name] for name in ("subject", "recipient", "category", "purpose", "text")}
    yield b"POST /api/grants\nContent-Type: application/json; charset=utf-8\n\n" + json.dumps(least).encode()
    yield b"GET /api/status\nHost: 127.0.0.1:8080\nOrigin: http://127.0.0.1:8080\n\n"


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
    cloud = Cloud(":memory:", now=lambda: _NOW_S)
    loop.run_until_complete(cloud.start())
    sender = _Sender(cloud.url)

    def parse(data: bytes) -> None:
        request = Request.read(data)
        cloud.faults = Faults()  # an earlier input may have asked for slow answers
        failures.last = None
        status, kind, body = loop.run_until_complete(sender.ask(request))
        if status >= 500 and failures.last is not None:
            raise failures.last
        _judge(request, status, kind, body)

    try:
        yield parse
    finally:
        sender.close()
        loop.run_until_complete(cloud.close())
        loop.close()
        log.removeHandler(failures)


def _event(**changes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "00112233445566778899aabbccddeeff",
        "source": "urn:hearthgate:device:00112233445566778899aabb", "type": "io.hearthgate.event.v1",
        "time": "2026-11-22T10:00:00Z", "subject": "door_event", "datacontenttype": "application/json",
        "consentgrant": "g-1", "consentpurpose": "product-improvement", "consentgranularity": "event",
        "consentexpiry": "2027-11-22T00:00:00Z", "consentrecipient": "manufacturer",
        "data": {"unit": "/", "category": "door", "time_label": "measured", "value": 1}, **changes,
    }  # fmt: skip


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
    notice = {"grant": "g-1", "reason": "withdrawn"}
    yield (
        b"POST /v1/recipients/manufacturer/erasures\nContent-Type: application/json\n\n" + json.dumps(notice).encode()
    )
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
        "console", "requests to the console's API", _console, _console_seeds, fuzz_mutate.text, share=100,
        cost_us=800, text=True, max_bytes=4096,
    ),
    Target(
        "cloud", "requests to the stand-in cloud", _cloud, _cloud_seeds, fuzz_mutate.text, share=100, cost_us=1100,
        text=True, max_bytes=4096,
    ),
)  # fmt: skip
