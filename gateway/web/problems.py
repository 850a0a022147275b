"""The problems page: what is wrong now, and what came in and could not be used, with what to do about it."""

from nicegui import ui

from gateway.web import words
from gateway.web.layout import REFRESH_S, Headline, page
from gateway.web.live import Live
from gateway.web.parts import Box, Text, fill_list
from gateway.web.trouble import Crashed, ProblemsView, Unusable


async def build(live: Live) -> None:
    """Build the page for one browser tab."""
    with page(live, "/problems", "Problems") as navigation:
        headline = Headline()
        now = Box("div")
        crashed = Box("div")
        unusable = Box("div")
        with Box("section", "card", aria_label="Counted") as counted:
            Text("h2", "Counted since the beginning")
            counts = Box("ul", "lines")
    shown = _Shown(live, now, crashed, unusable, counted, counts)

    async def refresh() -> None:
        view = await live.problems()
        _say(headline, live, view)
        shown.update(view)
        await navigation.update()

    await refresh()
    ui.timer(REFRESH_S, refresh)


def _say(headline: Headline, live: Live, view: ProblemsView) -> None:
    troubles, recent = live.troubles, view.recent(live.now_ms)
    if troubles:
        headline.say("bad", "Something needs your attention", "Nothing that was stored is lost.")
    elif recent:
        headline.say("note", "Something came in that could not be used", "The rest works as it should.")
    else:
        headline.say("good", "No problems", "Everything that came in within the last day could be used.")


class _Shown:
    """The lists of the page; each is built anew only when it says something else."""

    def __init__(self, live: Live, now: Box, crashed: Box, unusable: Box, counted: Box, counts: Box) -> None:
        self._live = live
        self._now = now
        self._crashed = crashed
        self._unusable = unusable
        self._counted = counted
        self._counts = counts
        self._shown: dict[str, object] = {}
        self._lines: dict[str, Text] = {}

    def update(self, view: ProblemsView) -> None:
        troubles = self._live.troubles
        if self._new("now", [plain for plain, _ in troubles]):
            self._now.clear()
            with self._now:
                for plain, detail in troubles:
                    with Box("article", "card"):
                        Text("h2", plain, "trouble")
                        Text(
                            "p",
                            "It is tried again and again. If it stays: is the machine on, is the network up?",
                            "soft",
                        )
                        with Box("details"):
                            Text("summary", "For whoever mends it")
                            Text("p", detail)
        if self._new("crashed", view.crashed):
            self._crashed.clear()
            with self._crashed:
                for crash in view.crashed:
                    _crash_card(crash, words.moment(crash.last_ms, self._live.now_ms, self._live.zone))
        if self._new("unusable", [(u.reason, u.details) for u in view.unusable]):
            self._unusable.clear()
            with self._unusable:
                self._lines = {u.reason: _card(u) for u in view.unusable}
        for reason in view.unusable:
            when = words.moment(reason.last_ms, self._live.now_ms, self._live.zone)
            self._lines[reason.reason].say(f"{words.plural(reason.times, 'message')}. Last: {when}.")
        counts = _counts(view.counters, self._live.gateway.source.dropped)
        self._counted.set_visibility(bool(counts))
        if self._new("counts", counts):
            fill_list(self._counts, counts)

    def _new(self, name: str, content: object) -> bool:
        if name in self._shown and self._shown[name] == content:
            return False
        self._shown[name] = content
        return True


def _crash_card(crash: Crashed, when: str) -> None:
    with Box("article", "card"):
        Text("h2", f"{crash.name} crashed, and started again")
        Text("p", f"It told so {when}.", "soft")
        Text("p", "Once is no reason to worry: nothing that it had stored is lost. If it goes on, flash it again.")
        with Box("details"):
            Text("summary", "For whoever mends it")
            Text("pre", crash.detail)
            Text("p", f"`hearthgate devices show {crash.device}` has all reports.")


def _card(unusable: Unusable) -> Text:
    with Box("article", "card"):
        Text("h2", unusable.what)
        line = Text("p", css="soft")
        Text("p", unusable.advice)
        with Box("details"):
            Text("summary", "For whoever mends it")
            with Box("ul"):
                for detail in unusable.details:
                    Text("li", detail)
    return line


def _counts(counters: dict[str, int], dropped: int) -> list[str]:
    """What is counted because nothing may be dropped in silence; only what is not zero."""
    lines = (
        (counters.get("frames_duplicate", 0), "came a second time and {was} not kept again"),
        (
            sum(counters.get(what, 0) for what in ("births_repeated", "states_outdated", "crashes_repeated")),
            "told again what an appliance had said of itself, and changed nothing",
        ),
        (counters.get("frames_deferred", 0), "{was} put off: too many gaps were open; the appliance keeps {them}"),
        (counters.get("frames_missing", 0), "{was} lost on an appliance before it could send {them}"),
        (counters.get("frames_expired", 0), "{was} removed to make room for newer ones"),
        (
            counters.get("frames_undecided", 0),
            "{was} removed to make room: the appliance never told what is needed to read {them}",
        ),
        (dropped, "{was} dropped because too many waited; the appliance sends {them} again"),
        (counters.get("late", 0), "came too late for a summary that was already sent"),
        (counters.get("events_rejected", 0), "{was} refused by a recipient for good"),
        (counters.get("revoked_before_sending", 0), "waited to be sent and {was} thrown away when you stopped sharing"),
    )
    return [
        f"{words.plural(n, 'message')} {text.format(was='was' if n == 1 else 'were', them='it' if n == 1 else 'them')}."
        for n, text in lines
        if n
    ]
