"""The HTTPS sink: CloudEvents batches, gzip, bearer token or client certificate."""

import gzip
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp

from gateway.forward.sink import Rejected, Retry

_TIMEOUT_S = 30.0
# The receiver says that the body itself is at fault: sending it again cannot help, sending it in parts may.
_BODY_AT_FAULT = {400, 409, 413, 415, 422}


class HttpsSink:
    """POSTs to one URL. `token` is sent as a bearer token; `tls` holds the CA and the client certificate if any."""

    def __init__(self, url: str, *, token: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self._headers = {
            "Content-Type": "application/cloudevents-batch+json; charset=utf-8",
            "Content-Encoding": "gzip",
        }
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls: ssl.SSLContext | bool = tls or True
        self._session: aiohttp.ClientSession | None = None
        self.bytes_sent = 0

    async def send(self, events: Sequence[str]) -> None:
        """Deliver a batch; see Sink."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        # mtime 0: the same events are the same bytes at every retry
        body = gzip.compress(("[" + ",".join(events) + "]").encode(), compresslevel=6, mtime=0)
        try:
            async with self._session.post(
                self.url, data=body, headers=self._headers, ssl=self._tls, allow_redirects=False
            ) as answer:
                await answer.content.read(65_536)
                status, retry_after = answer.status, answer.headers.get("Retry-After")
        except TimeoutError as why:
            raise Retry(f"{self.url} cannot be reached: no answer within {_TIMEOUT_S:g} s") from why
        except (aiohttp.ClientError, OSError) as why:
            raise Retry(f"{self.url} cannot be reached: {str(why) or type(why).__name__}") from why
        self.bytes_sent += len(body)
        if 200 <= status < 300:
            return
        if status in _BODY_AT_FAULT:
            raise Rejected(f"{self.url} refused the batch with status {status}")
        hint = {401: "check its token", 403: "check its token or certificate", 404: "check its URL"}.get(status, "")
        raise Retry(f"{self.url} answered {status}" + (f": {hint}" if hint else ""), retry_after_s(retry_after))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


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
