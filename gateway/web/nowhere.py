"""The answer to an address that has no page: that it has none, and the way to those that are there."""

from http import HTTPStatus

from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.web import layout


async def answer(request: Request, why: Exception) -> Response:
    """A page for who reads pages, JSON for programs. It is plain HTML: a page of NiceGUI's would stay in memory for a
    minute, and anybody can ask for what is not there."""
    if "text/html" not in request.headers.get("accept", ""):
        fault = why if isinstance(why, HTTPException) else HTTPException(HTTPStatus.NOT_FOUND)
        return await http_exception_handler(request, fault)
    return HTMLResponse(_page(), HTTPStatus.NOT_FOUND)


def _page() -> str:
    links = "".join(f'<a href="{path}">{name}</a>' for path, name in layout.PAGES)
    return (
        '<!doctype html><html lang="en-US"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>No such page · Hearthgate</title><style>{layout.style()}</style></head>"
        '<body><div class="nicegui-content"><header class="top"><span class="brand">Hearthgate</span>'
        f'<nav class="nav" aria-label="Pages">{links}</nav></header>'
        '<main class="main"><section class="headline note"><h1>There is no such page</h1>'
        "<p>Nothing is wrong with your home: only this address leads nowhere. Choose one of the pages above.</p>"
        "</section></main></div></body></html>"
    )
