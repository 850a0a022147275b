"""The shapes of the JSON API that are about the ledger and requests to erase."""

from pydantic import BaseModel

from gateway.consent.ledger import Row, Verdict
from gateway.forward.cloudevent import timestamp
from gateway.web.left_view import NoticeView, whole


class RowOut(BaseModel):
    """A row of the ledger. `entry` is canonical JSON, as text: `hash` is SHA-256 of the bytes of `prev` and of it."""

    n: int
    at: str
    kind: str
    entry: str
    prev: str
    hash: str


class LedgerOut(BaseModel):
    """Rows in order; ask for those after `next` if it is not null."""

    rows: list[RowOut]
    next: int | None


class HeadOut(BaseModel):
    """The end of the ledger. `signed`: base64 of a COSE_Sign1 of the same, to be checked with `key` (public, hex)."""

    n: int
    hash: str
    at: str
    key: str
    signed: str


class FaultOut(BaseModel):
    """What is wrong with rows `n` to `last_n`: edited, removed, reordered or truncated."""

    what: str
    n: int
    last_n: int
    kind: str | None
    why: str


class VerdictOut(BaseModel):
    """Whether the ledger is as it was written."""

    ok: bool
    rows: int
    n: int
    hash: str
    faults: list[FaultOut]


class NoticeSinkOut(BaseModel):
    """How often a sink has told it, and when the recipient confirmed it there."""

    sink: str
    tries: int
    confirmed: str | None


class NoticeOut(BaseModel):
    """A request to erase; `confirmed` is null while one of its sinks has no answer yet."""

    id: str
    recipient: str
    grant: str | None
    reason: str
    created: str
    confirmed: str | None
    sinks: list[NoticeSinkOut]


def row_out(row: Row) -> RowOut:
    """A row as JSON. What is no text any more, because somebody has spoilt it, is shown as far as it goes."""
    entry = row.entry.decode(errors="replace")
    return RowOut(
        n=row.n, at=timestamp(whole(row.at_ms)), kind=row.kind, entry=entry, prev=row.prev.hex(), hash=row.hash.hex()
    )


def verdict_out(verdict: Verdict) -> VerdictOut:
    """A verdict as JSON."""
    faults = [FaultOut(what=f.what.value, n=f.n, last_n=f.last_n, kind=f.kind, why=f.why) for f in verdict.faults]
    return VerdictOut(ok=verdict.ok, rows=verdict.rows, n=verdict.head.n, hash=verdict.head.hash.hex(), faults=faults)


def notice_out(notice: NoticeView) -> NoticeOut:
    """A request to erase as JSON."""
    return NoticeOut(
        id=notice.id,
        recipient=notice.recipient,
        grant=notice.grant_id,
        reason=notice.reason,
        created=timestamp(notice.created_ms),
        confirmed=_time(notice.confirmed_ms),
        sinks=[NoticeSinkOut(sink=sink, tries=tries, confirmed=_time(at)) for sink, tries, at in notice.sinks],
    )


def _time(unix: int | None) -> str | None:
    return None if unix is None else timestamp(unix)
