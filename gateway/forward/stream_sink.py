"""The stream: a recipient connects and is told events as they come (server-sent events, WHATWG HTML section 9.2).

`GET /v1/stream` with the sink's bearer token. Each event is a CloudEvent: `id` and `event` (its type) as the stream has
them, and the whole of it as JSON in `data`. One connection at a time: a new one takes the place of the old. There is no
ack in this format, so an event counts as delivered when the recipient's machine has confirmed its bytes (TCP); what was
not is told again at the next connection, and a recipient tells it by its id. Nobody connected means: it waits here.
"""

import asyncio
import contextlib
import fcntl
import hmac
import re
import socket
import ssl
import struct
from collections.abc import Sequence
from pathlib import Path

from aiohttp import hdrs, web

from gateway.forward.sink import Retry

_BEAT_S = 15.0  # a comment so often: a connection that broke is found
_PATIENCE_S = 30.0
_LOOK_S = 0.01
_SIOCOUTQ = 0x5411  # Linux: bytes that the other side has not confirmed (tcp(7))
_NO_LINGER = struct.pack("ii", 1, 0)
_HEAD = re.compile(r'"id":"([^"\\]+)".*?"type":"([^"\\]+)"')  # of every event, in this order


class StreamSink:
    """Listens on `host` and `port`; `tls` is a server's context."""

    def __init__(self, host: str, port: int, *, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self.port = port
        self._token = token
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._reader: web.StreamResponse | None = None
        self._transport: asyncio.Transport | None = None
        self._gone = asyncio.Event()

    async def open(self) -> None:
        """Listen; see Sink."""
        application = web.Application()
        application.router.add_get("/v1/stream", self._stream)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.port, ssl_context=self._tls)
            await site.start()
        except OSError as why:
            await runner.cleanup()
            raise Retry(f"cannot listen on {self._host}:{self.port}: {why.strerror or why}; set another port") from why
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    def compose(self, events: Sequence[str]) -> bytes:
        """Events of a stream; see Sink."""
        return "".join(map(_told, events)).encode()

    async def send(self, body: bytes) -> None:
        """Tell them to whoever is connected, and wait until that machine has them; see Sink."""
        reader, transport = self._reader, self._transport
        if reader is None or transport is None:
            raise Retry("nobody is connected to the stream", 1.0)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await reader.write(body)
                while _unconfirmed(transport):  # noqa: ASYNC110 - the system tells nobody
                    await asyncio.sleep(_LOOK_S)
        except (OSError, TimeoutError, RuntimeError) as why:
            await self.abort()
            raise Retry(f"the connection of the stream broke: {why or type(why).__name__}") from why
        if transport is not self._transport or transport.is_closing():
            raise Retry("the connection of the stream ended")

    async def notify(self, notice: str) -> None:
        """A notice is an event of the stream; see Sink."""
        await self.send(self.compose([notice]))

    async def abort(self) -> None:
        """Reset the connection: what the system holds for it is thrown away; see Sink."""
        transport, self._transport, self._reader = self._transport, None, None
        if transport is None:
            return
        it = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # closed already
            it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            it.shutdown(socket.SHUT_RDWR)
        transport.abort()
        self._gone.set()
        while it.fileno() != -1:  # noqa: ASYNC110 - who closes it tells nobody
            await asyncio.sleep(_LOOK_S)

    async def close(self) -> None:
        """Stop listening."""
        await self.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        shown = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), self._token.encode()):
            return web.json_response({"detail": "Show the stream's bearer token."}, status=401)
        await self.abort()
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        await answer.write(b": hearthgate\n\n")
        gone = self._gone = asyncio.Event()
        self._reader, self._transport = answer, request.transport
        try:
            while not gone.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_BEAT_S):
                        await gone.wait()
                if not gone.is_set():
                    await answer.write(b":\n\n")
        except (OSError, RuntimeError):
            pass  # the recipient went away; it comes again
        finally:
            if self._reader is answer:
                self._reader = self._transport = None
        return answer


def server_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """A server's TLS context; None where there is no certificate. Raises OSError or ssl.SSLError."""
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def _told(event: str) -> str:
    head = _HEAD.search(event)
    named = f"id: {head[1]}\nevent: {head[2]}\n" if head else ""
    return f"{named}data: {event}\n\n"


def _unconfirmed(transport: asyncio.Transport) -> bool:
    """Whether bytes are on their way. Raises OSError if the connection is gone."""
    if transport.is_closing():
        raise ConnectionResetError("the recipient went away")
    if transport.get_write_buffer_size():
        return True
    fd = transport.get_extra_info("socket").fileno()
    with contextlib.suppress(OSError):  # a system that cannot tell
        return bool(struct.unpack("i", fcntl.ioctl(fd, _SIOCOUTQ, b"\0\0\0\0"))[0])
    return False
