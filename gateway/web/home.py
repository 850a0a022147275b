"""The home page: an update if there is one, every device with its newest values, a chart, and what was stored."""

from functools import partial

from nicegui import ui

from gateway.web import words
from gateway.web.chart import ChartPanel
from gateway.web.layout import REFRESH_S, Headline, page
from gateway.web.live import Live
from gateway.web.parts import Box, Text, fill_list
from gateway.web.update_card import UpdateCard
from gateway.web.views import DeviceView, HomeView

_OLD_MS = 120_000


async def build(live: Live) -> None:
    """Build the page for one browser tab."""
    with page(live, "/", "Home") as navigation:
        headline = Headline()
        update = UpdateCard(live)
        cards = Box("div", "cards")
        with Box("div") as below:
            chart = ChartPanel(live)
        counters = Text("p", css="soft small")
    shelf = _Shelf(cards, chart)

    async def refresh() -> None:
        home = await live.watch()
        sharing = await live.sharing()
        _say(headline, live, home, f"{sharing.said}.")
        update.update(await live.update(), sharing.people)
        shelf.update(live, home)
        below.set_visibility(bool(home.devices))
        if home.devices:
            await chart.update(home)
        counters.say(count_line(home.counters))
        await navigation.update()

    update.after = refresh
    await refresh()
    ui.timer(REFRESH_S, refresh)


def count_line(counters: dict[str, int]) -> str:
    """What came in so far, in a sentence or two."""
    stored, twice = counters.get("frames_stored", 0), counters.get("frames_duplicate", 0)
    dead = counters.get("dead_letters", 0)
    if not stored and not dead:
        return "Nothing has come in yet."
    again = f"{words.plural(twice, 'message')} came a second time and {'was' if twice == 1 else 'were'} not kept again"
    return (
        f"{words.plural(stored, 'message')} from your appliances stored on this machine. "
        f"{again if twice else 'None came twice'}; "
        f"{f'{dead:,} could not be used' if dead else 'all could be used'}."
    )


def _say(headline: Headline, live: Live, home: HomeView, leaves: str) -> None:
    troubles = live.troubles
    if troubles:
        headline.say("note", troubles[0][0], f"See Problems for what to do. {leaves}")
    elif not home.devices:
        headline.say("note", "No appliance yet", f"This home waits for its first one. {leaves}")
    elif not any(d.kind for d in home.devices):
        headline.say("note", "Waiting for the first message", leaves)
    else:
        silent = [d.name for d in home.devices if not d.online]
        if silent:
            away = f"{silent[0]} is" if len(silent) == 1 else f"{words.plural(len(silent), 'appliance')} are"
            headline.say("note", f"{away} not connected", f"What is measured meanwhile is sent later. {leaves}")
        else:
            headline.say("good", "All is well", f"{words.plural(len(home.devices), 'appliance')} connected. {leaves}")


class _Shelf:
    """The cards of all devices; built anew only when a device comes, goes or changes what it is."""

    def __init__(self, container: Box, chart: ChartPanel) -> None:
        self._container = container
        self._chart = chart
        self._shape: object = None
        self._cards: dict[int, _Card] = {}

    def update(self, live: Live, home: HomeView) -> None:
        shape = [(d.id, d.name, d.kind, tuple(v.channel.name for v in d.shown)) for d in home.devices]
        if shape != self._shape:
            self._shape = shape
            self._container.clear()
            with self._container:
                self._cards = {d.id: _Card(d, self._chart) for d in home.devices}
                if not home.devices:
                    with Box("div", "card empty"):
                        Text("p", "An appliance's board is plugged into this machine once, and gets its own key:")
                        Text("p", "hearthgate flash")
        for device in home.devices:
            self._cards[device.id].update(live, device)


class _Card:
    """One device."""

    def __init__(self, device: DeviceView, chart: ChartPanel) -> None:
        self._values: list[tuple[Text, Text]] = []
        self._lately: tuple[str, ...] = ()
        with Box("article", "card device"):
            with Box("div", "head"):
                Text("h2", device.name)
                Text("span", words.sentence(device.kind) if device.kind else "", "kind")
            self._status = Text("p", css="status")
            with Box("ul", "values"):
                for latest in device.shown:
                    name = latest.channel.name
                    with Box("li"):
                        with Text("button", css="reading", type="button", title="Show over time") as row:
                            Text("span", words.title(name), "label")
                            self._values.append((row, Text("span", css="value")))
                        row.on("click", partial(chart.choose, device.device, name), args=[])
            self._note = Text("p", css="soft small")
            self._list = Box("ul", "lately", aria_label="Lately")

    def update(self, live: Live, device: DeviceView) -> None:
        now_ms = live.now_ms
        self._status.say(_status(device, now_ms))
        self._status.classes(add="online" if device.online else "", remove="" if device.online else "online")
        for (row, text), latest in zip(self._values, device.shown, strict=True):
            text.say(latest.text)
            missing = latest.raw is None
            row.classes(add="missing" if missing else "", remove="" if missing else "missing")
        self._note.say(_note(live, device))
        lately = tuple(f"{words.moment(h.time_ms, now_ms, live.zone)} · {h.text}" for h in device.happenings)
        if lately != self._lately:
            self._lately = lately
            fill_list(self._list, lately)


def _status(device: DeviceView, now_ms: int) -> str:
    if device.seen_ms is None:
        return "Never heard yet"
    heard = words.ago(device.seen_ms, now_ms)
    if device.online and device.quiet:
        return f"Quiet: hold its button again to let it speak. Heard {heard}"
    return f"Connected, heard {heard}" if device.online else f"Not connected, last heard {heard}"


def _note(live: Live, device: DeviceView) -> str:
    if device.kind is None:
        return "Waiting for it to say what it measures."
    if not device.shown:
        return "Waiting for its first readings."
    if device.shown[0].time_label == "arrival":
        return "Its clock is not set yet: times are those of arrival."
    # A board sends what happens at once and its values later: old ones must not look like those of now.
    measured_ms, now_ms = device.shown[0].time_ms, live.now_ms
    if now_ms - measured_ms > _OLD_MS or any(h.time_ms > measured_ms for h in device.happenings):
        return f"As measured at {words.moment(measured_ms, now_ms, live.zone)}."
    return ""
