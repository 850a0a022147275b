"""The JSON API of grants and of the people who give them."""

import json
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import Response

from gateway.consent import evidence, household_people, register
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, expires
from gateway.consent.people import Person
from gateway.consent.receipt import CONTENT_TYPE
from gateway.web.consent_shapes import (
    ByIn,
    GrantChange,
    GrantIn,
    GrantOut,
    GrantsIn,
    PersonIO,
    PreviewOut,
    StoryOut,
    act_out,
    grant_out,
    preview_out,
    unix_ms,
    version_out,
)
from gateway.web.live import Live

_NONE = "There is no such grant; /api/grants lists them."
_NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such grant."}}
_COSE = 'application/cose; cose-type="cose-sign1"'


def add(api: APIRouter, live: Live) -> None:
    """Add its routes."""
    _add_giving(api, live)
    _add_acts(api, live)
    _add_proofs(api, live)
    _add_people(api, live)


def _add_giving(api: APIRouter, live: Live) -> None:
    @api.get("/grants")
    async def grants() -> list[GrantOut]:
        """Every grant ever given, oldest first; those that were taken back too."""
        given = await live.gateway.store(register.grants, live.gateway.db)
        return [_out(live, grant) for grant in given]

    @api.post("/grants", status_code=201)
    async def give(asked: GrantsIn) -> GrantOut | list[GrantOut]:
        """Give a grant, or a list of them in one act: then either all are given or none. A sensitive category cannot
        be one of several."""
        bundle = asked if isinstance(asked, list) else [asked]
        await _check_there(live, bundle)
        now_ms = live.now_ms
        try:
            given = [_grant(live, one, now_ms) for one in bundle]
            await live.grant(*given)
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why
        made = [_out(live, grant) for grant in given]
        return made if isinstance(asked, list) else made[0]

    @api.patch("/grants/{grant_id}", responses=_NOT_THERE)
    async def change(grant_id: str, asked: GrantChange) -> GrantOut:
        """Change a grant: its next version, agreed to anew."""
        old = await _find(live, grant_id)
        await _check_devices(live, asked.devices or ())
        try:
            changed = await live.change(grant_id, text=asked.text, **_fields(live, asked, old))
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why
        return _out(live, changed)

    @api.delete("/grants/{grant_id}", responses=_NOT_THERE)
    async def take_back(grant_id: str, by: str = "") -> GrantOut:
        """Take a grant back: nothing more leaves under it, what waits is dropped, and the recipient is asked to erase
        what it got."""
        await _find(live, grant_id)
        try:
            return _out(live, await live.revoke(grant_id, by))
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why


def _add_acts(api: APIRouter, live: Live) -> None:
    @api.post("/grants/{grant_id}/pause", responses=_NOT_THERE)
    async def pause(grant_id: str, asked: Annotated[ByIn, Body()]) -> GrantOut:
        """Let a grant rest: nothing leaves under it, and nothing that is measured meanwhile ever does."""
        await _find(live, grant_id)
        try:
            return _out(live, await live.pause(grant_id, asked.by))
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why

    @api.post("/grants/{grant_id}/resume", responses=_NOT_THERE)
    async def resume(grant_id: str, asked: Annotated[ByIn, Body()]) -> GrantOut:
        """Let it work again, for what is measured from now on."""
        await _find(live, grant_id)
        try:
            return _out(live, await live.resume(grant_id, asked.by))
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why


def _add_proofs(api: APIRouter, live: Live) -> None:
    @api.get("/grants/{grant_id}", responses=_NOT_THERE)
    async def story(grant_id: str) -> StoryOut:
        """A grant with its versions and what was done with it."""
        grant = await _find(live, grant_id)
        told = await live.story(grant_id)
        return StoryOut(
            **_out(live, grant).model_dump(),
            versions=[version_out(version) for version in told.versions],
            history=[act_out(event) for event in told.events],
        )

    @api.get("/grants/{grant_id}/preview", responses=_NOT_THERE)
    async def preview(grant_id: str) -> PreviewOut:
        """What this grant would have sent of the last day, as if it had held all the while. Nothing is sent."""
        found = await live.preview(await _find(live, grant_id))
        return preview_out(found, [json.loads(event) for event in found.events])

    @api.get("/grants/{grant_id}/receipt", response_class=Response, responses=_as(CONTENT_TYPE))
    async def receipt(grant_id: str) -> Response:
        """The receipt: the grant's record with its history (ISO/IEC TS 27560) and the ledger's head, as JSON-LD."""
        await _find(live, grant_id)
        document, _ = await _receipt(live, grant_id)
        content = json.dumps(document, ensure_ascii=False, indent=2).encode()
        return Response(content, media_type=CONTENT_TYPE, headers=_attached(f"receipt-{grant_id}.jsonld"))

    @api.get(
        "/grants/{grant_id}/receipt.cose",
        response_class=Response,
        responses=_as("application/cose"),
    )
    async def sealed_receipt(grant_id: str) -> Response:
        """The same, signed by the household: a COSE_Sign1 over its canonical JSON."""
        await _find(live, grant_id)
        _, sealed = await _receipt(live, grant_id)
        return Response(sealed, media_type=_COSE, headers=_attached(f"receipt-{grant_id}.cose"))


def _add_people(api: APIRouter, live: Live) -> None:
    @api.get("/people")
    async def people() -> list[PersonIO]:
        """Everybody of the household who was named, by name."""
        known = await live.gateway.store(household_people.people, live.gateway.db)
        return [PersonIO.of(person) for person in known]

    @api.post("/people", status_code=201)
    async def put(asked: PersonIO) -> PersonIO:
        """Add somebody, or say that they are something else now. What they agreed to before stays as it is."""
        try:
            await live.put_person(Person(asked.name, asked.role))
        except GrantError as why:
            raise HTTPException(422, f"{why}.") from why
        return asked


async def _find(live: Live, grant_id: str) -> Grant:
    try:
        return await live.find(grant_id)
    except GrantError as why:
        raise HTTPException(404, _NONE) from why


async def _check_there(live: Live, bundle: Iterable[GrantIn]) -> None:
    """That sinks lead to the recipients, and that there are such devices."""
    recipients = sorted({sink.recipient for sink in live.gateway.settings.sinks})
    for asked in bundle:
        if asked.recipient not in recipients:
            raise HTTPException(422, f"No sink has this recipient; there is: {', '.join(recipients) or 'none'}.")
        await _check_devices(live, asked.devices)


async def _check_devices(live: Live, devices: Iterable[str]) -> None:
    names = (await live.sharing()).names
    if unknown := [device for device in devices if device not in names and device != ANY_DEVICE]:
        raise HTTPException(422, f"No such device: {', '.join(unknown)[:200]}.")


def _grant(live: Live, asked: GrantIn, now_ms: int) -> Grant:
    """The grant that is asked for. Raises GrantError."""
    start_ms = _start_ms(unix_ms(asked.start), now_ms)
    return Grant(
        id=register.new_id(),
        subject=asked.subject,
        devices=tuple(asked.devices) or (ANY_DEVICE,),
        category=asked.category,
        recipient=asked.recipient,
        purpose=asked.purpose,
        granularity=asked.granularity,
        hours=None if asked.hours is None else asked.hours.hours(str(live.zone)),
        start_ms=start_ms,
        since_ms=unix_ms(asked.since),
        expiry_ms=expires(start_ms, asked.days),
        text=asked.text,
        language=asked.language,
        created_ms=now_ms,
        explicit=asked.explicit,
    )


def _fields(live: Live, asked: GrantChange, old: Grant) -> dict[str, Any]:
    """What is to be other than it was. Raises GrantError."""
    said = asked.model_fields_set
    now_ms = live.now_ms
    fields: dict[str, Any] = {"explicit": asked.explicit}
    for name in ("subject", "granularity", "language"):
        if (value := getattr(asked, name)) is not None:
            fields[name] = value
    if asked.devices is not None:
        fields["devices"] = tuple(asked.devices) or (ANY_DEVICE,)
    if "hours" in said:
        fields["hours"] = None if asked.hours is None else asked.hours.hours(str(live.zone))
    if asked.start is not None:
        fields["start_ms"] = _start_ms(unix_ms(asked.start), now_ms)
        fields["since_ms"] = None
    if asked.since is not None:
        fields["since_ms"] = unix_ms(asked.since)
    if asked.days is not None:
        fields["expiry_ms"] = expires(max(now_ms, fields.get("start_ms", old.start_ms)), asked.days)
    return fields


def _start_ms(asked_ms: int | None, now_ms: int) -> int:
    if asked_ms is None:
        return now_ms
    if asked_ms < now_ms:
        raise GrantError("start has passed; for what was measured before, say `since`")
    return asked_ms


async def _receipt(live: Live, grant_id: str) -> tuple[dict[str, Any], bytes]:
    names = (await live.sharing()).names
    return await live.gateway.store(evidence.receipt_of, live.gateway.db, grant_id, live.now_ms, live.vocabulary, names)


def _as(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}}} | _NOT_THERE


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _out(live: Live, grant: Grant) -> GrantOut:
    return grant_out(grant, live.now_ms, live.vocabulary)
