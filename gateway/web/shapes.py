"""The shapes of the JSON API (those of consent are in consent_shapes.py), made from what the pages show."""

from pydantic import BaseModel

from gateway.forward.cloudevent import timestamp
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
    quiet: bool
    seen: str | None
    channels: list[str]
    latest: list[LatestOut]


class ReadingsOut(BaseModel):
    """Readings of one channel, oldest first."""

    device: str
    channel: str
    unit: str
    readings: list[ReadingOut]


class SinkOut(BaseModel):
    """A sink: events that wait, and what is wrong with it, and with its requests to erase, if anything is."""

    name: str
    recipient: str
    waiting: int
    trouble: str | None
    notice_trouble: str | None


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
        quiet=view.quiet,
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
