"""The HTTPS sink: CloudEvents batches, gzip, bearer token or client certificate."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin
from weakref import WeakSet

import aiohttp
from aiohttp import AddrInfoType

from gateway.forward.sink import Rejected, Retry

_TIMEOUT_S = 30.0
_CLOSING_S = 0.002
_NO_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER: on, zero seconds
# The receiver says that the body itself is at fault: sending it again cannot help, sending it in parts may.
_BODY_AT_FAULT = {400, 409, 413, 415, 422}


class HttpsSink:
    """POSTs to one URL. `token` is sent as a bearer token; `tls` holds the CA and the client certificate if any.
    `erasure_url` is where notices go: by default `url` with "erasures" as its last part."""

    def __init__(
        self, url: str, *, token: str | None = None, tls: ssl.SSLContext | None = None, erasure_url: str | None = None
    ) -> None:
        self.url = url
        self.erasure_url = erasure_url or urljoin(url, "erasures")
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls: ssl.SSLContext | bool = tls or True
        self._session: aiohttp.ClientSession | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.bytes_sent = 0

    async def open(self) -> None:
        """Nothing is needed before the first batch; see Sink."""

    def compose(self, events: Sequence[str]) -> bytes:
        """A JSON array; see Sink."""
        return ("[" + ",".join(events) + "]").encode()

    async def send(self, body: bytes) -> None:
        """Deliver a batch; see Sink."""
        # mtime 0: the same events are the same bytes at every retry
        packed = gzip.compress(body, compresslevel=6, mtime=0)
        status, retry_after = await self._post(
            self.url,
            packed,
            {
                "Content-Type": "application/cloudevents-batch+json; charset=utf-8",
                "Content-Encoding": "gzip",
            },
        )
        if status in _BODY_AT_FAULT:
            raise Rejected(f"{self.url} refused the batch with status {status}")
        self._taken(self.url, status, retry_after)

    async def notify(self, notice: str) -> None:
        """POST a notice; see Sink."""
        status, retry_after = await self._post(self.erasure_url, notice.encode(), {"Content-Type": "application/json"})
        self._taken(self.erasure_url, status, retry_after)

    async def abort(self) -> None:
        """Reset the connections: what the system holds for them is thrown away, not sent; see Sink."""
        session, self._session = self._session, None
        sockets = list(self._sockets)
        for it in sockets:
            with contextlib.suppress(OSError):  # closed already
                it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                it.shutdown(socket.SHUT_RDWR)
        if session is not None:
            await session.close()
        while any(it.fileno() != -1 for it in sockets):  # noqa: ASYNC110 - who closes them tells nobody
            await asyncio.sleep(_CLOSING_S)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str | None]:
        """(status, Retry-After header). Raises Retry if there was no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
                connector=aiohttp.TCPConnector(socket_factory=self._socket),
                # Who was given a cookie is known again under any name; and nobody need know what we run.
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent",),
            )
        try:
            async with self._session.post(
                url, data=body, headers=headers | self._authorization, ssl=self._tls, allow_redirects=False
            ) as answer:
                await answer.content.read(65_536)
                self.bytes_sent += len(body)
                return answer.status, answer.headers.get("Retry-After")
        except TimeoutError as why:
            raise Retry(f"{url} cannot be reached: no answer within {_TIMEOUT_S:g} s") from why
        except (aiohttp.ClientError, OSError, RuntimeError) as why:  # the last: aborted before it was connected
            raise Retry(f"{url} cannot be reached: {str(why) or type(why).__name__}") from why

    def _taken(self, url: str, status: int, retry_after: str | None) -> None:
        if 200 <= status < 300:
            return
        hint = {401: "check its token", 403: "check its token or certificate", 404: "check its URL"}.get(status, "")
        raise Retry(f"{url} answered {status}" + (f": {hint}" if hint else ""), retry_after_s(retry_after))

    def _socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3: a number or a date); None if unusable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def client_tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """A TLS context for a private CA, a client certificate, or both; None where the system's CAs do.

    Raises OSError or ssl.SSLError if a file cannot be read.
    """
    if ca is None and certificate is None:
        return None
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
