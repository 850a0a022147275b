"""Who may speak to the console: this machine's own pages, under this machine's own names.

There is no login yet: the console listens on loopback unless the settings say otherwise. What stands between a web
page of a stranger and the household's data is this:
- a Host header that is neither an address nor a name of this machine is refused (DNS rebinding needs a foreign name);
- an Origin header that is not the console's own is refused, on HTTP and on WebSockets (cross-site requests);
- what changes something through the API must be application/json, which a foreign page cannot send unasked;
- the answer forbids the browser to load anything from elsewhere, or to show the console inside another page.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 65_536

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# NiceGUI compiles its page in the browser, which takes inline scripts and eval; nothing comes from another origin.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def own_names(host: str) -> frozenset[str]:
    """The names under which a console that listens on `host` is reached, beside addresses."""
    machine = socket.gethostname().lower()
    return frozenset({"localhost", host.lower(), machine, f"{machine.partition('.')[0]}.local"})


def refusal(headers: Headers, names: Iterable[str]) -> str | None:
    """Why a request with these headers is refused; None if it is not."""
    host = headers.get("host", "")
    name = urlsplit(f"//{host}").hostname or ""
    if name not in names and not _is_address(name):
        return f"This console does not answer to the name {name[:80]!r}. Open it by this machine's address or name."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "Requests from other web pages are refused."
    return None


class Guard:
    """ASGI middleware; must be the outermost."""

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        self._app = app
        self._names = own_names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            why = refusal(Headers(scope=scope), self._names)
        except ValueError:
            why = "The Host or Origin header cannot be read."
        if scope["type"] == "websocket":
            if why is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        status = 403
        if why is None and scope["path"].startswith("/api/") and scope["method"] not in _SAFE_METHODS:
            status, why = _body(scope["method"], Headers(scope=scope))
        if why is not None:
            await JSONResponse({"detail": why}, status_code=status)(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, answer)


def _body(method: str, headers: Headers) -> tuple[int, str | None]:
    """(status, why) of a call that changes something."""
    length = headers.get("content-length", "0" if method == "DELETE" else "")
    if not length.isdigit() or "transfer-encoding" in headers:
        return 411, "Say the length of the body (Content-Length)."
    if int(length) > MAX_BODY_BYTES:
        return 413, f"A body has at most {MAX_BODY_BYTES} bytes."
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and (method != "DELETE" or int(length)):
        return 415, "Send application/json."
    return 200, None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
