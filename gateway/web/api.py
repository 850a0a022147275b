"""The JSON API: what the pages show, for programs. Described by OpenAPI at /api/openapi.json.

There is no login yet: like the pages, it is reached from this machine only unless [console] host says otherwise, and
guard.py refuses foreign Host and Origin headers, and bodies that are not application/json.
"""

import json
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from gateway.forward.cloudevent import timestamp
from gateway.web import api_grants, api_ledger, api_update, series
from gateway.web.live import Live
from gateway.web.shapes import DeviceOut, ReadingOut, ReadingsOut, SinkOut, StatusOut, device_out

MAX_READINGS = 5000
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def router(live: Live) -> APIRouter:
    """The API over a gateway."""
    api = APIRouter(prefix="/api", tags=["hearthgate"])
    _add_readings(api, live)
    api_grants.add(api, live)
    api_ledger.add(api, live)
    api_update.add(api, live)

    # Else NiceGUI would answer with a page, which takes a hundred times as long and stays in memory for a minute.
    @api.api_route("/{path:path}", methods=list(_METHODS), include_in_schema=False)
    async def nothing(path: str) -> None:
        """There is nothing of this name, or not for this method."""
        raise HTTPException(404, f"There is no /api/{path[:64]}; /api/openapi.json lists what there is.")

    return api


def answer_bad_requests(application: FastAPI) -> None:
    """Say what is wrong with a request, and where, without repeating it: not all that can be sent can be said again
    (NaN is no JSON, half a surrogate pair no text)."""

    @application.exception_handler(RequestValidationError)
    async def invalid(_: Request, why: Exception) -> Response:
        errors = why.errors() if isinstance(why, RequestValidationError) else []
        detail = [
            {"loc": [str(part)[:64] for part in error["loc"]], "msg": error["msg"][:500], "type": error["type"]}
            for error in errors
        ]
        return Response(json.dumps({"detail": detail}), 422, media_type="application/json")

    @application.exception_handler(UnicodeEncodeError)
    async def no_text(_: Request, __: Exception) -> Response:
        return JSONResponse({"detail": "The request holds characters that are no text."}, 422)


def _add_readings(api: APIRouter, live: Live) -> None:

    @api.get("/devices")
    async def devices() -> list[DeviceOut]:
        """Every enrolled device with its newest values."""
        return [device_out(d) for d in (await live.home()).devices]

    @api.get("/readings")
    async def readings(
        device: str, channel: str, limit: Annotated[int, Query(ge=1, le=MAX_READINGS)] = 500
    ) -> ReadingsOut:
        """The newest readings of a channel."""
        known = next((d for d in (await live.home()).devices if d.device == device), None)
        if known is None:
            raise HTTPException(404, "There is no such device; /api/devices lists them.")
        about = next((c for c in known.channels if c.name == channel), None)
        if about is None:
            raise HTTPException(404, "The device has no such channel; /api/devices lists them.")
        found = await live.gateway.store(series.newest, live.gateway.db, known.id, channel, limit)
        return ReadingsOut(
            device=device,
            channel=channel,
            unit=about.unit,
            readings=[
                ReadingOut(
                    time=timestamp(p.time_ms),
                    value=None if p.raw is None else float((found.channel or about).scaled(p.raw)),
                    time_label=p.time_label,
                )
                for p in found.points
            ],
        )

    @api.get("/status")
    async def status() -> StatusOut:
        """Counters, broker and sinks."""
        view = await live.sharing()
        source = live.gateway.source
        return StatusOut(
            time=timestamp(live.now_ms),
            counters=(await live.home()).counters,
            broker_connected=source.connected.is_set(),
            broker_trouble=source.trouble,
            store_trouble=live.gateway.ingest.trouble or live.gateway.notice,
            sinks=[
                SinkOut(
                    name=f.name,
                    recipient=f.queue.recipient,
                    waiting=view.waiting_by_sink.get(f.name, 0),
                    trouble=f.trouble,
                    notice_trouble=f.notice_trouble,
                )
                for f in live.gateway.forwarders
            ],
        )
