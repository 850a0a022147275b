"""The chart on the home page: the last hours of one channel of one device."""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from gateway.web import words
from gateway.web.live import Live
from gateway.web.parts import Box, Choice, Text
from gateway.web.series import Series, thin
from gateway.web.views import DeviceView, HomeView
from gateway.wire.birth import Channel, ValueKind

_HOURS = {"1": "last hour", "6": "last 6 hours", "24": "last day"}
_LINE = "#2f8f66"
_AXIS = "#808691"


def options(found: Series, zone: ZoneInfo) -> dict[str, Any]:
    """The chart of a series as ECharts' options. There is no code in them and no HTML: units come from devices.

    Times are shifted to the household's zone and drawn as if they were UTC, so that a phone abroad shows home's time.
    """
    channel = found.channel
    states = None if channel is None else words.states(channel)
    scale, unit = _scale(channel, found)
    data: list[list[Any]] = []
    for time_ms, raw in thin(found.points):
        value: float | str | None = None
        if raw is not None and channel is not None:
            scaled = channel.scaled(raw)
            value = states[int(scaled)] if states and scaled in (0, 1) else round(float(scaled) * scale, 3)
        data.append([time_ms + _offset_ms(time_ms, zone), value])
    label = {"color": _AXIS, "fontSize": 13, "hideOverlap": True}
    return {
        "useUTC": True,
        "animation": False,
        "grid": {"left": 8, "right": 16, "top": 28, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
        "xAxis": {
            "type": "time",
            "axisLabel": label,
            "axisLine": {"lineStyle": {"color": _AXIS, "opacity": 0.5}},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "category" if states else "value",
            **({"data": list(states), "boundaryGap": True} if states else {"scale": True, "name": unit}),
            "nameTextStyle": {"color": _AXIS, "fontSize": 13, "align": "left"},
            "axisLabel": label,
            "splitLine": {"lineStyle": {"color": _AXIS, "opacity": 0.2}},
        },
        "series": [
            {
                "type": "line",
                "name": "" if channel is None else f"{words.title(channel.name)}{f' ({unit})' if unit else ''}",
                "data": data,
                "showSymbol": len(data) == 1,
                "connectNulls": False,
                "step": "end" if channel is not None and channel.kind is ValueKind.STATE else False,
                "lineStyle": {"color": _LINE, "width": 2},
                "itemStyle": {"color": _LINE},
            }
        ],
    }


def caption(found: Series) -> str:
    """What the chart shows, in words."""
    channel = found.channel
    read = [p.raw for p in found.points if p.raw is not None]
    if channel is None or not read:
        return "No readings in this time."
    low, high = words.value(channel, min(read)), words.value(channel, max(read))
    if low == high:
        return f"{words.title(channel.name)}: {low} all the time."
    if channel.kind is ValueKind.STATE and channel.unit == "/":
        share = sum(1 for raw in read if raw) / len(read)
        return f"{words.title(channel.name)}: {high} {words.number(share * 100, 0)} % of the time."
    return f"{words.title(channel.name)}: lowest {low}, highest {high}."


class ChartPanel:
    """The chart with its two choices. Draws anew only when its device has said something."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._device: DeviceView | None = None
        self._found: Series | None = None
        self._stamp: object = None
        self._chart: ui.echart | None = None
        self._drawing = asyncio.Lock()
        with Box("section", "card", aria_label="Chart"):
            with Box("div", "pickers"):
                Text("h2", "Over time")
                self._channel = Choice("What", "channel", {}, "", self._chosen)
                self._hours = Choice("How long", "hours", _HOURS, "6", self._chosen)
            self._place = Box("div")
            self._caption = Text("p", css="soft small caption")

    async def update(self, home: HomeView) -> None:
        """Show what is new."""
        async with self._drawing:
            await self._update(home)

    async def choose(self, device: str, channel: str) -> None:
        """Show another channel."""
        self._channel.choose(f"{device} {channel}")
        await self._chosen()

    async def _update(self, home: HomeView) -> None:
        offers = {
            f"{d.device} {c.name}": f"{d.name}: {words.title(c.name)}"
            for d in home.devices
            for c in d.channels
            if c.kind is not ValueKind.EVENT
        }
        if not self._channel.value:
            self._channel.value = _first(home)
        self._channel.offer(offers)
        device_id, _, channel = self._channel.value.partition(" ")
        device = next((d for d in home.devices if d.device == device_id), None)
        if device is None:
            self._caption.say("Readings will be drawn here as soon as an appliance sends some.")
            return
        stamp = (device.id, channel, self._hours.value, device.seen_ms, device.channels)
        if stamp == self._stamp:
            return
        hours = float(self._hours.value)
        same = isinstance(self._stamp, tuple) and self._stamp[:3] == stamp[:3]
        if same and self._found is not None and self._found.points:
            found = await self._live.since(device.id, channel, self._found, hours)
        else:
            found = await self._live.last_hours(device.id, channel, hours)
        self._draw(found, anew=not same)
        self._found, self._stamp = found, stamp

    async def _chosen(self) -> None:
        await self.update(await self._live.home())

    def _draw(self, found: Series, *, anew: bool) -> None:
        drawn = options(found, self._live.zone)
        told = caption(found)
        if anew or self._chart is None:
            self._place.clear()
            with self._place:
                self._chart = ui.echart(drawn, renderer="svg").classes("chart")
                self._chart.props["role"] = "img"
        else:
            self._chart.options.update(drawn)
            self._chart.update()
        self._chart.props["aria-label"] = told
        self._caption.say(told)


def _first(home: HomeView) -> str:
    """What is drawn before anybody chooses: a temperature, if there is one."""
    gauges = [(d, c) for d in home.devices for c in d.channels if c.kind is ValueKind.GAUGE]
    gauges.sort(key=lambda pair: pair[1].unit != "Cel")
    return f"{gauges[0][0].device} {gauges[0][1].name}" if gauges else ""


def _scale(channel: Channel | None, found: Series) -> tuple[float, str]:
    """(factor, unit) to draw in: grams where all is below a kilogram, as everywhere on the page."""
    if channel is None:
        return 1, ""
    if channel.unit == "kg":
        most = max((abs(p.raw) for p in found.points if p.raw is not None), default=0)
        return (1000, "g") if channel.scaled(most) < 1 else (1, "kg")
    return 1, words.unit(channel)


def _offset_ms(time_ms: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_ms / 1000, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)
