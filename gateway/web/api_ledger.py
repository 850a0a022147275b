"""The JSON API of the ledger: its rows, its signed end, whether it is whole, and requests to erase."""

import base64
import json
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from gateway.consent import audit, evidence
from gateway.consent.ledger import Head, Row
from gateway.consent.signing import SigningKey, open_signed
from gateway.forward.cloudevent import timestamp
from gateway.web.ledger_shapes import HeadOut, LedgerOut, NoticeOut, VerdictOut, notice_out, row_out, verdict_out
from gateway.web.live import Live

MAX_ROWS = 1000


def add(api: APIRouter, live: Live) -> None:
    """Add its routes."""
    db, store = live.gateway.db, live.gateway.store

    @api.get("/ledger")
    async def ledger(
        after: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 100
    ) -> LedgerOut:
        """The rows after a number, oldest first: everything that happened to grants, and every disclosure."""

        def read() -> list[Row]:
            return list(islice(audit.rows(db, after + 1), limit + 1))

        found = await store(read)
        rows = [row_out(row) for row in found[:limit]]
        return LedgerOut(rows=rows, next=rows[-1].n if len(found) > limit else None)

    @api.get("/ledger/head")
    async def head() -> HeadOut:
        """The end of the ledger, signed: whoever keeps it can show later whether the ledger was written anew."""

        def read() -> tuple[bytes, SigningKey]:
            return evidence.signed_head(db, live.now_ms), audit.signing_key(db)

        sealed, key = await store(read)
        said = json.loads(open_signed(key.public, evidence.HEAD_TYPE, sealed))
        return HeadOut(
            n=said["n"],
            hash=said["hash"],
            at=timestamp(said["at_ms"]),
            key=key.public.hex(),
            signed=base64.b64encode(sealed).decode(),
        )

    @api.get("/ledger/verify")
    async def verify(
        n: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        hash_: Annotated[str | None, Query(alias="hash", pattern=r"^[0-9a-fA-F]{64}$")] = None,
    ) -> VerdictOut:
        """Check the whole ledger; against a head that was kept elsewhere, if `n` and `hash` of one are given."""
        if (n is None) != (hash_ is None):
            raise HTTPException(422, "n and hash go together: both are those of one head.")
        anchors = [] if n is None or hash_ is None else [Head(n, bytes.fromhex(hash_))]
        return verdict_out(await live.verify(*anchors))

    @api.get("/notices")
    async def notices() -> list[NoticeOut]:
        """What recipients were asked to erase: every request that is not confirmed, and the newest of the others."""
        return [notice_out(notice) for notice in (await live.record()).notices]
