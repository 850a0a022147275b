"""The stand-in cloud's HTTP side: posts to recipients, the control of faults, and what it tells about itself."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol

from aiohttp import hdrs, web

from tools.cloud_body import BadBodyError, TooLargeError, UnsupportedError, decode_json, unpack
from tools.cloud_check import is_text
from tools.cloud_faults import Dice, Faults, FaultsError
from tools.cloud_notice import read_notice
from tools.cloud_page import gather, render
from tools.cloud_records import CloudStats
from tools.cloud_store import CloudStore
from tools.cloud_thread import StoreThread

__all__ = ["CloudHttp", "Terms"]

BATCH_TYPE: Final = "application/cloudevents-batch+json"
EVENT_TYPE: Final = "application/cloudevents+json"
NOTICE_TYPES: Final = frozenset({"application/json", EVENT_TYPE})

MAX_BODY: Final = 8 * 1024 * 1024  # bytes, packed and unpacked; a day of one fridge is under 1 MiB
MAX_NOTICE: Final = 64 * 1024
MAX_RECIPIENT_CHARS: Final = 128
READ_TIMEOUT_S: Final = 30.0  # for one body on loopback; frees the place of a sender that stalls
BODIES_AT_ONCE: Final = 8  # bounds memory to a few times this many bodies
LISTED: Final = 100
MAX_LISTED: Final = 10_000

PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_log = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Take(Protocol):
    """Reads a body and stores what it holds, in the store's thread; raises BadBodyError."""

    def __call__(
        self, store: CloudStore, recipient: str, body: bytes, content_type: str, coding: str, now_s: float
    ) -> web.Response: ...


@dataclass
class Terms:
    """On what terms the cloud takes events; each may be replaced while it runs."""

    token: str | None
    now: Callable[[], float]
    expected_grants: set[str] | None
    dice: Dice
    keys: Mapping[str, bytes] = field(default_factory=dict)  # the household's, for a recipient


class CloudHttp:
    """The handlers, over one store."""

    def __init__(self, store: StoreThread, terms: Terms) -> None:
        self._store = store
        self._terms = terms
        self._room = asyncio.Semaphore(BODIES_AT_ONCE)

    def app(self) -> web.Application:
        """The application to serve; its runner must leave request bodies packed (auto_decompress=False)."""
        app = web.Application(middlewares=[_answer_storage_errors])
        app.router.add_post("/v1/recipients/{recipient}/events", self._post_events)
        app.router.add_post("/v1/recipients/{recipient}/erasures", self._post_erasure)
        app.router.add_get("/control", self._get_control)
        app.router.add_post("/control", self._post_control)
        app.router.add_get("/stats", self._get_stats)
        app.router.add_get("/events", self._get_events)
        app.router.add_get("/refused", self._get_refused)
        app.router.add_get("/erasures", self._get_erasures)
        app.router.add_get("/", self._get_page)
        return app

    async def _post_events(self, request: web.Request) -> web.StreamResponse:
        expected = self._terms.expected_grants
        grants = None if expected is None else frozenset(expected)

        def take(
            store: CloudStore, recipient: str, body: bytes, content_type: str, coding: str, now_s: float
        ) -> web.Response:
            return _take_events(store, recipient, body, content_type, coding, now_s, grants)

        return await self._accept(request, take, MAX_BODY)

    async def _post_erasure(self, request: web.Request) -> web.StreamResponse:
        key = self._terms.keys.get(request.match_info["recipient"])

        def take(
            store: CloudStore, recipient: str, body: bytes, content_type: str, coding: str, now_s: float
        ) -> web.Response:
            return _take_notice(store, recipient, body, content_type, coding, now_s, key)

        return await self._accept(request, take, MAX_NOTICE)

    async def _accept(self, request: web.Request, take: _Take, limit: int) -> web.StreamResponse:
        """What every post to a recipient shares: token, faults, the body's bound, the count of requests."""
        if self._terms.token is not None and not _bears(request, self._terms.token):
            return _error(401, "a bearer token is needed", {hdrs.WWW_AUTHENTICATE: "Bearer"})
        recipient = request.match_info["recipient"]
        if not is_text(recipient) or len(recipient) > MAX_RECIPIENT_CHARS:
            return _error(400, "this is no name of a recipient")
        dice = self._terms.dice
        now_s, faults, mode = self._terms.now(), dice.faults, dice.mode()
        body = bytearray()
        async with self._room:
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    await _read(request, body, limit)
                if mode in ("fail", "throttle"):
                    await self._count(recipient, body)
                    return _refuse_service(mode, faults)
                coding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
                answer = await self._store.run(take, recipient, bytes(body), _content_type(request), coding, now_s)
            except (TimeoutError, ConnectionError):
                await self._count(recipient, body, cut_short=1)
                return _error(408, "the body did not arrive in time")
            except BadBodyError as error:
                await self._count(recipient, body, malformed=1)
                return _error(error.status, str(error))
        if mode == "slow":
            await asyncio.sleep(faults.delay_s)
        if mode == "lose_answers" and request.transport is not None:
            request.transport.close()
        return answer

    async def _count(self, recipient: str, body: bytearray, **what: int) -> None:
        counts = {"requests": 1, "bytes_received": len(body), **what}
        await self._store.run(CloudStore.count, recipient, counts)

    async def _get_control(self, _request: web.Request) -> web.Response:
        return web.json_response(asdict(self._terms.dice.faults))

    async def _post_control(self, request: web.Request) -> web.Response:
        body = bytearray()
        try:
            await _read(request, body, MAX_NOTICE)
            faults = Faults.from_json(decode_json(bytes(body)))
        except BadBodyError as error:
            return _error(error.status, str(error))
        except FaultsError as error:
            return _error(400, str(error))
        self._terms.dice = Dice(faults)
        return web.json_response(asdict(faults))

    async def _get_stats(self, _request: web.Request) -> web.Response:
        stats: CloudStats = await self._store.run(CloudStore.stats)
        return web.json_response(asdict(stats))

    async def _get_events(self, request: web.Request) -> web.Response:
        kept = await self._store.run(CloudStore.events, request.query.get("recipient"), _limit(request))
        return web.json_response([event.body for event in kept])

    async def _get_refused(self, request: web.Request) -> web.Response:
        refused = await self._store.run(CloudStore.refused, request.query.get("recipient"), _limit(request))
        return web.json_response([asdict(one) for one in refused])

    async def _get_erasures(self, request: web.Request) -> web.Response:
        kept = await self._store.run(CloudStore.erasures, request.query.get("recipient"), _limit(request))
        return web.json_response([asdict(notice) for notice in kept])

    async def _get_page(self, _request: web.Request) -> web.Response:
        view = await self._store.run(gather)
        page = render(view, self._terms.dice.faults, self._terms.now())
        return web.Response(text=page, content_type="text/html", headers=PAGE_HEADERS)


def _take_events(
    store: CloudStore,
    recipient: str,
    body: bytes,
    content_type: str,
    coding: str,
    now_s: float,
    grants: Collection[str] | None,
) -> web.Response:
    if content_type not in (BATCH_TYPE, EVENT_TYPE):
        raise UnsupportedError(f"the content type must be {BATCH_TYPE} or {EVENT_TYPE}, in UTF-8")
    decoded = decode_json(unpack(body, coding, MAX_BODY))
    events = [decoded] if content_type == EVENT_TYPE else decoded
    if not isinstance(events, list):
        raise BadBodyError("a batch must be a JSON array")
    report = store.take(recipient, events, size=len(body), now_s=now_s, grants=grants)
    # A batch of nothing but malformed events is the sender's fault, and no retry would mend it. One with a
    # leak is taken note of: the sender must not send it again, and the answer says what was wrong.
    status = 200 if not report.refused else 202
    if report.refused == len(events) and report.refused and not report.leaked:
        status = 400
    return web.json_response(asdict(report), status=status)


def _take_notice(
    store: CloudStore,
    recipient: str,
    body: bytes,
    content_type: str,
    coding: str,
    now_s: float,
    key: bytes | None,
) -> web.Response:
    if content_type not in NOTICE_TYPES:
        raise UnsupportedError("the content type of a notice must be one of " + ", ".join(sorted(NOTICE_TYPES)))
    event = decode_json(unpack(body, coding, MAX_NOTICE))
    store.erase(recipient, read_notice(event, recipient, key), event, size=len(body), now_s=now_s)
    return web.Response(status=204)


async def _read(request: web.Request, body: bytearray, limit: int) -> None:
    """Read the body as it came into `body`; raises TooLargeError as soon as it is more than `limit` bytes."""
    if (request.content_length or 0) > limit:
        raise TooLargeError(f"the body has more than {limit} bytes")
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise TooLargeError(f"the body has more than {limit} bytes")


def _content_type(request: web.Request) -> str:
    charset = (request.charset or "utf-8").lower()
    return request.content_type if charset in ("utf-8", "utf8") else f"{request.content_type}; {charset}"


def _bears(request: web.Request, token: str) -> bool:
    given = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
    scheme, _, credentials = given.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(credentials.strip(), token.encode())


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(LISTED))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise web.HTTPBadRequest(text="limit must be a whole number\n")
    return min(int(text), MAX_LISTED)


def _refuse_service(mode: str, faults: Faults) -> web.Response:
    if mode == "throttle":
        return _error(429, "too many requests (the throttle fault is on)", {hdrs.RETRY_AFTER: faults.retry_after})
    return _error(faults.status, "out of service (the fail fault is on)")


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": sentence}, status=status, headers=headers)


@web.middleware
async def _answer_storage_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except sqlite3.Error as error:  # a full disk, a file taken away: nothing of the request was kept
        _log.error("the cloud's file failed: %s", error)
        return _error(503, f"the cloud's file failed: {error}")
