"""The console as one thing that is started and stopped: the pages and the API, served in the gateway's own loop."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import uvicorn
from fastapi import FastAPI
from nicegui import app as pages
from nicegui import core, ui
from nicegui.client import Client

import gateway
from gateway.app.gateway import Gateway
from gateway.errors import HearthgateError
from gateway.web import api, home, layout, left, nowhere, problems, sharing
from gateway.web.guard import Guard
from gateway.web.live import Live

_PAGES = {"/": home.build, "/sharing": sharing.build, "/left": left.build, "/problems": problems.build}
_CLOSE_S = 2
_RECONNECT_S = 10.0
_HISTORY = 100
_MAX_MESSAGE_BYTES = 262_144
_BACKLOG = 64


class ConsoleError(HearthgateError):
    """The console could not start; the text says what to do."""


class Console:
    """The console of one gateway. NiceGUI's pages belong to a process: only one console at a time runs in it."""

    _running: "Console | None" = None

    def __init__(self, gateway: Gateway, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._gateway = gateway
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._lifespan = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - shown, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    async def start(self) -> None:
        """Listen. Raises ConsoleError."""
        if Console._running is not None:
            raise ConsoleError("a console runs in this process already; close it first.")
        listener = _listen(self.host, self.port)
        self.port = int(listener.getsockname()[1])
        Console._running = self
        try:
            await self._serve(listener)
        except BaseException:
            listener.close()
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening; open pages say that the connection is lost, and come back when the console does."""
        if Console._running is not self:
            return
        try:
            for client in list(Client.instances.values()):
                client.delete()
            if self._server is not None and self._serving is not None:
                self._server.should_exit = True
                await self._serving
            await core.sio.shutdown()
            core.sio.eio.start_service_task = True
            await self._lifespan.aclose()
        finally:
            Console._running = None

    async def _serve(self, listener: socket.socket) -> None:
        application = build(Live(self._gateway), self.host)
        # Not uvicorn's own lifespan: a page that cannot start would end the process, and the gateway in it.
        await self._lifespan.enter_async_context(application.router.lifespan_context(application))
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=_MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=_CLOSE_S,
        )
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="console")
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise ConsoleError("the console stopped while it started.")
            await asyncio.sleep(0.01)


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to the gateway."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def build(live: Live, host: str) -> FastAPI:
    """The application: the API, and NiceGUI's pages under it. The guard stands before both."""
    application = FastAPI(
        title="Hearthgate",
        version=gateway.__version__,
        description="A household's readings and grants. Nothing leaves the home but what a grant allows.",
        openapi_url="/api/openapi.json",
        # The usual documentation pages load their scripts from elsewhere: this console loads nothing from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    application.include_router(api.router(live))
    api.answer_bad_requests(application)
    # A second console in the same process (tests) begins with a NiceGUI that takes middleware again.
    pages.middleware_stack = None
    pages.user_middleware.clear()
    pages.add_exception_handler(404, nowhere.answer)
    Client.shared_head_html = ""
    ui.add_css(layout.style(), shared=True)
    for path, builder in _PAGES.items():
        ui.page(path, response_timeout=30.0)(_bound(builder, live))
    ui.run_with(
        application,
        title="Hearthgate",
        favicon=layout.FAVICON,
        dark=None,
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_S,
        message_history_length=_HISTORY,
        tailwind=False,
        show_welcome_message=False,
    )
    application.add_middleware(Guard, host=host)
    return application


def _bound(builder: Callable[[Live], Awaitable[None]], live: Live) -> Callable[[], Awaitable[None]]:
    async def page() -> None:
        await builder(live)

    return page


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConsoleError with what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as why:
        raise ConsoleError(f"the console has no address {host!r}: {why}. Mend [console] host in the settings.") from why
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the socket takes no keyword
    except OSError as why:
        listener.close()
        raise ConsoleError(
            f"the console cannot listen on {host}:{port}: {why.strerror or why}. Stop the program that uses this port, "
            "or set another [console] port in the settings (0 takes any free one)."
        ) from why
    return listener
