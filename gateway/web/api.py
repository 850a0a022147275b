"""The JSON API: what the pages show, for programs. Described by OpenAPI at /api/openapi.json.

There is no login yet: like the pages, it is reached from this machine only unless [console] host says otherwise, and
guard.py refuses foreign Host and Origin headers, and bodies that are not application/json.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from gateway.consent import register
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError
from gateway.forward.cloudevent import timestamp
from gateway.web import series
from gateway.web.consent_view import sharing
from gateway.web.live import Live
from gateway.web.shapes import (
    DeviceOut,
    GrantIn,
    GrantOut,
    ReadingOut,
    ReadingsOut,
    SinkOut,
    StatusOut,
    device_out,
    grant_out,
)

MAX_READINGS = 5000
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_DAY_MS = 86_400_000


def router(live: Live) -> APIRouter:
    """The API over a gateway."""
    api = APIRouter(prefix="/api", tags=["hearthgate"])
    _add_readings(api, live)
    _add_grants(api, live)

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
                )
                for f in live.gateway.forwarders
            ],
        )


def _add_grants(api: APIRouter, live: Live) -> None:
    @api.get("/grants")
    async def grants() -> list[GrantOut]:
        """Every grant ever given, oldest first; those that were taken back too."""
        given = await live.gateway.store(register.grants, live.gateway.db)
        return [grant_out(live, g) for g in given]

    @api.post("/grants", status_code=201)
    async def give(asked: GrantIn) -> GrantOut:
        """Give a grant."""
        recipients = sorted({sink.recipient for sink in live.gateway.settings.sinks})
        if asked.recipient not in recipients:
            raise HTTPException(422, f"No sink has this recipient; there is: {', '.join(recipients) or 'none'}.")
        names = (await live.gateway.store(sharing, live.gateway.db, live.now_ms)).names
        if unknown := [d for d in asked.devices if d not in names and d != ANY_DEVICE]:
            raise HTTPException(422, f"No such device: {', '.join(unknown)[:200]}.")
        now_ms = live.now_ms
        fields: dict[str, Any] = asked.model_dump(exclude={"days", "devices"})
        try:
            grant = Grant(
                id=register.new_id(),
                devices=tuple(asked.devices) or (ANY_DEVICE,),
                hours=None,
                start_ms=now_ms,
                expiry_ms=now_ms + asked.days * _DAY_MS,
                created_ms=now_ms,
                **fields,
            )
            await live.grant(grant)
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why
        return grant_out(live, grant)

    @api.delete("/grants/{grant_id}")
    async def take_back(grant_id: str) -> GrantOut:
        """Take a grant back: nothing more leaves under it, and what waits is dropped."""
        try:
            return grant_out(live, await live.revoke(grant_id))
        except GrantError as why:
            raise HTTPException(404, "There is no such grant; /api/grants lists them.") from why
