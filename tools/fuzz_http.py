"""Fuzz target over HTTP: the console's JSON API.

An input is a request without its lengths: a line `METHOD target`, headers, an empty line, the body. What it must not
get is an answer of 500 and more, or one that its own Content-Type belies.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tools import fuzz_mutate
from tools.fuzz_target import Broken, Parse, Refused, Target, scratch

__all__ = ["NOW_S", "TARGETS", "Request", "judge"]

NOW_S = 1_795_348_800.0
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


def judge(request: Request, status: int, kind: str, body: bytes) -> None:
    """Whether this answer may be given. Raises Broken, or Refused for one of 400 to 499."""
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
        gateway = Gateway(settings, now_ms=lambda: int(NOW_S * 1000))
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
            judge(request, status, kind, body)

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
        ("GET", "/api/devices"), ("GET", "/api/status"), ("GET", "/api/grants"), ("GET", "/api/people"),
        ("GET", "/api/readings?device=5e0000000001&channel=water_temp&limit=10"),
        ("GET", "/api/ledger?after=0&limit=5"), ("GET", "/api/ledger/head"), ("GET", "/api/notices"),
        ("GET", f"/api/ledger/verify?n=1&hash={'00' * 32}"), ("GET", "/api/grants/g-0000000000000000/receipt"),
        ("DELETE", "/api/grants/g-0000000000000000?by=Anna"),
    ):  # fmt: skip
        yield f"{method} {target}\n\n".encode()
    yield b"POST /api/grants\n\n" + json.dumps(grant, indent=1).encode()
    least = {name: grant[name] for name in ("subject", "recipient", "category", "purpose", "text")}
    yield b"POST /api/grants\nContent-Type: application/json; charset=utf-8\n\n" + json.dumps(least).encode()
    hours = {"start": "22:00", "end": "06:00", "weekdays": ["saturday"], "timezone": "Europe/Berlin"}
    times = {"hours": hours, "since": "2026-01-01T00:00:00Z", "start": "2027-01-01T00:00:00+01:00"}
    yield b"POST /api/grants\n\n" + json.dumps([grant | times | {"explicit": True}, least]).encode()
    yield b"PATCH /api/grants/g-0000000000000000\n\n" + json.dumps({"text": "No.", "days": 3, **times}).encode()
    yield b'POST /api/people\n\n{"name": "Ben", "role": "child"}'
    yield b'POST /api/grants/g-0000000000000000/pause\n\n{"by": "Anna"}'
    yield b"GET /api/status\nHost: 127.0.0.1:8080\nOrigin: http://127.0.0.1:8080\n\n"


TARGETS = (
    Target(
        "console", "requests to the console's API", _console, _console_seeds, fuzz_mutate.text, share=100,
        cost_us=800, text=True, max_bytes=4096,
    ),
)  # fmt: skip
