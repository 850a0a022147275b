"""The shapes of the JSON API: what goes in and out, and how they are made from what the pages show."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.consent.grants import MAX_TEXT, Grant
from gateway.consent.vocabulary import Granularity
from gateway.forward.cloudevent import timestamp
from gateway.web.consent_view import holds, sentence
from gateway.web.live import Live
from gateway.web.views import DeviceView


class ReadingOut(BaseModel):
    """One reading. `value` is null where the sensor gave nothing; `time_label`: measured, placed or arrival."""

    time: str
    value: float | None
    time_label: str


class LatestOut(ReadingOut):
    """The newest reading of a channel."""

    channel: str
    unit: str
    category: str


class DeviceOut(BaseModel):
    """A device; `kind` and `model` are null until it has said what it is."""

    device: str
    name: str
    kind: str | None
    model: str | None
    online: bool
    seen: str | None
    channels: list[str]
    latest: list[LatestOut]


class ReadingsOut(BaseModel):
    """Readings of one channel, oldest first."""

    device: str
    channel: str
    unit: str
    readings: list[ReadingOut]


class GrantOut(BaseModel):
    """A grant. `holds`: something may leave under it now or later."""

    id: str
    sentence: str
    holds: bool
    subject: str
    devices: list[str]
    category: str
    recipient: str
    purpose: str
    granularity: str
    start: str
    expiry: str
    revoked: str | None
    text: str
    language: str


class GrantIn(BaseModel):
    """A grant to give; it starts now. `text` holds the exact words that the person agreed to; no device means all.
    A sensitive category takes a second yes to this one thing: `explicit`."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=64)]
    recipient: str
    category: str
    purpose: str
    granularity: Granularity = Granularity.DAY
    devices: Annotated[list[str], Field(max_length=64)] = []
    days: Annotated[int, Field(ge=1, le=3650)] = 90
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] = "en"
    explicit: bool = False


class SinkOut(BaseModel):
    """A sink: events that wait, and what is wrong with it, if anything is."""

    name: str
    recipient: str
    waiting: int
    trouble: str | None


class StatusOut(BaseModel):
    """The gateway at this moment."""

    time: str
    counters: dict[str, int]
    broker_connected: bool
    broker_trouble: str | None
    store_trouble: str | None
    sinks: list[SinkOut]


def device_out(view: DeviceView) -> DeviceOut:
    """A device as JSON."""
    return DeviceOut(
        device=view.device,
        name=view.name,
        kind=view.kind,
        model=view.model,
        online=view.online,
        seen=None if view.seen_ms is None else timestamp(view.seen_ms),
        channels=[c.name for c in view.channels],
        latest=[
            LatestOut(
                channel=v.channel.name,
                unit=v.channel.unit,
                category=v.channel.category,
                time=timestamp(v.time_ms),
                value=None if v.raw is None else float(v.channel.scaled(v.raw)),
                time_label=v.time_label,
            )
            for v in view.latest
        ],
    )


def grant_out(live: Live, grant: Grant) -> GrantOut:
    """A grant as JSON."""
    from_ms = {"start": grant.start_ms, "expiry": grant.expiry_ms, "revoked": grant.revoked_ms}
    times = {name: None if ms is None else timestamp(ms) for name, ms in from_ms.items()}
    return GrantOut(
        id=grant.id,
        sentence=sentence(grant, {}),
        holds=holds(grant, live.now_ms),
        devices=list(grant.devices),
        granularity=grant.granularity.value,
        **{f: getattr(grant, f) for f in ("subject", "category", "recipient", "purpose", "text", "language")},
        **times,
    )
