"""The sharing page: what leaves this home, to whom and why; stopping it; and allowing something new."""

from functools import partial

from nicegui import ui

from gateway.consent.grants import GrantError
from gateway.web import words
from gateway.web.consent_view import GrantView, SharingView
from gateway.web.grant_form import GrantForm
from gateway.web.layout import REFRESH_S, Headline, page
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Text


async def build(live: Live) -> None:
    """Build the page for one browser tab."""
    with page(live, "/sharing", "Sharing") as navigation:
        headline = Headline()
        active = Box("div")
        form = GrantForm(live, await live.sharing())
        recipients = _Recipients(live)
        kept = _Kept()
        past = _Past(live)
    stop = _StopDialog(live)
    listed = _Grants(live, active, stop)

    async def refresh() -> None:
        view = await live.sharing()
        _say(headline, view)
        listed.update(view)
        recipients.update(view)
        form.update(view)
        kept.update(view)
        past.update(view)
        await navigation.update()

    stop.after = form.after = refresh
    await refresh()
    ui.timer(REFRESH_S, refresh)


def _say(headline: Headline, view: SharingView) -> None:
    count = len(view.active)
    sent = (
        f"{words.plural(view.sent, 'message')} {'has' if view.sent == 1 else 'have'} left so far." if view.sent else ""
    )
    if count:
        shared = f"{words.plural(count, 'thing')} {'is' if count == 1 else 'are'} shared"
        headline.say("note", shared, f"Everything else stays in your home. {sent or 'Nothing has left so far.'}")
    else:
        headline.say("good", "Nothing leaves your home", sent.replace(" so far", " before") or "Nothing ever has.")


class _Grants:
    """The grants that hold, a card each; built anew only when one comes or goes."""

    def __init__(self, live: Live, container: Box, stop: "_StopDialog") -> None:
        self._live = live
        self._container = container
        self._stop = stop
        self._shape: object = None
        self._lines: dict[str, tuple[Text, Text]] = {}

    def update(self, view: SharingView) -> None:
        shape = [(v.grant.id, v.sentence) for v in view.active]
        if shape != self._shape:
            self._shape = shape
            self._container.clear()
            with self._container:
                self._lines = {v.grant.id: self._card(v) for v in view.active}
        for shown in view.active:
            since, sent = self._lines[shown.grant.id]
            since.say(_since(self._live, shown))
            sent.say(_sent(shown))

    def _card(self, shown: GrantView) -> tuple[Text, Text]:
        grant = shown.grant
        with Box("article", "card grant", id=grant.id):
            Text("h2", f"{shown.sentence}.", "sentence")
            since = Text("p", css="soft")
            sent = Text("p")
            with Box("div", "row"):
                with Box("details"):
                    Text("summary", "The words that were agreed to")
                    Text("p", f"“{grant.text}”")
                    Text("p", f"Agreed by {grant.subject}. Number {grant.id}.")
                Button("Stop sharing", partial(self._stop.ask, shown), "button stop")
        return since, sent


def _since(live: Live, shown: GrantView) -> str:
    grant, now_ms = shown.grant, live.now_ms
    start = f"Since {words.moment(grant.start_ms, now_ms, live.zone)}"
    if grant.start_ms > now_ms:
        start = f"From {words.moment(grant.start_ms, now_ms, live.zone)}"
    left = words.duration((grant.expiry_ms - now_ms) / 1000)
    return f"{start}, until {words.date(grant.expiry_ms, live.zone)} ({left} left)."


def _sent(shown: GrantView) -> str:
    parts = []
    if shown.sent is not None:
        parts.append(f"{words.plural(shown.sent, 'message')} sent.")
    if shown.waiting:
        parts.append(
            f"{words.plural(shown.waiting, 'message')} {'waits' if shown.waiting == 1 else 'wait'} to be sent."
        )
    if shown.collecting:
        parts.append(f"{words.plural(shown.collecting, 'reading')} gathered here for the next summary.")
    return " ".join(parts) or "Nothing waits to be sent."


class _StopDialog:
    """Asks once more, then revokes."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._grant: GrantView | None = None
        self.after = _nothing
        with ui.dialog() as self._dialog, Box("div", "confirm", role="alertdialog", aria_label="Stop sharing"):
            Text("h2", "Stop sharing this?")
            self._what = Text("p")
            Text("p", "It stops at once, and what waits to be sent is thrown away. What was sent before stays sent.")
            with Box("div", "row"):
                Button("Yes, stop sharing", self._stop, "button stop")
                Button("Keep sharing", self._close).props["autofocus"] = True

    async def ask(self, shown: GrantView) -> None:
        """Open."""
        self._grant = shown
        self._what.say(f"{shown.sentence}.")
        self._dialog.open()

    async def _stop(self) -> None:
        self._dialog.close()
        if self._grant is None:
            return
        try:
            await self._live.revoke(self._grant.grant.id)
        except GrantError as why:
            ui.notify(str(why))
        await self.after()

    async def _close(self) -> None:
        self._dialog.close()


async def _nothing() -> None:
    """Until the page is whole."""


class _Recipients:
    """Who could get something, and whether what was granted gets through."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lines: dict[str, Text] = {}
        if not live.gateway.settings.sinks:
            return
        with Box("section", "card", aria_label="Recipients"):
            Text("h2", "Who can be given something")
            with Box("ul", "lines"):
                for sink in live.gateway.settings.sinks:
                    with Box("li", "split"):
                        Text("span", words.sentence(sink.recipient))
                        self._lines[sink.name] = Text("span", css="soft")

    def update(self, view: SharingView) -> None:
        troubles = {f.name: f.trouble for f in self._live.gateway.forwarders}
        asked = {v.grant.recipient for v in view.active}
        for sink in self._live.gateway.settings.sinks:
            line = self._lines[sink.name]
            waiting = view.waiting_by_sink.get(sink.name, 0)
            waits = f"{words.plural(waiting, 'message')} {'waits' if waiting == 1 else 'wait'}"
            trouble = troubles.get(sink.name)
            if trouble is not None:
                line.say(f"Cannot be reached; {waits if waiting else 'nothing waits'}")
            elif waiting:
                line.say(f"{waits} to be sent")
            else:
                line.say("Gets what you share" if sink.recipient in asked else "Gets nothing")
            line.classes(add="trouble" if trouble else "soft", remove="soft" if trouble else "trouble")


class _Kept:
    """What was kept at home, and why."""

    def __init__(self) -> None:
        self._shown: object = None
        with Box("section", "card", aria_label="Kept at home") as self._box:
            Text("h2", "Kept at home")
            self._total = Text("p", css="soft")
            with Box("details"):
                Text("summary", "Why")
                self._list = Box("ul", "lines")

    def update(self, view: SharingView) -> None:
        self._box.set_visibility(bool(view.withheld))
        if view.withheld == self._shown:
            return
        self._shown = view.withheld
        total = sum(n for _, n in view.withheld)
        self._total.say(
            f"“May this reading leave?” was answered with no, {words.plural(total, 'time')}. "
            "The question is asked for every reading, every recipient and every purpose."
        )
        self._list.clear()
        with self._list:
            for why, n in view.withheld:
                with Box("li", "split"):
                    Text("span", f"because {why}")
                    Text("span", f"{n:,}")


class _Past:
    """Grants that were stopped or are over."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._shape: object = None
        with Box("section", "card", aria_label="No longer shared") as self._box:
            Text("h2", "No longer shared")
            self._list = Box("ul", "lines")

    def update(self, view: SharingView) -> None:
        self._box.set_visibility(bool(view.past))
        shape = [(v.grant.id, v.grant.revoked_ms) for v in view.past]
        if shape == self._shape:
            return
        self._shape = shape
        zone, now_ms = self._live.zone, self._live.now_ms
        self._list.clear()
        with self._list:
            for shown in view.past:
                grant = shown.grant
                end = f"Over since {words.date(grant.expiry_ms, zone)}"
                if grant.revoked_ms is not None:
                    end = f"Stopped {words.moment(grant.revoked_ms, now_ms, zone)}"
                with Box("li"):
                    Text("p", f"{shown.sentence}.")
                    Text("p", f"{end}.", "soft small")
            if view.past_count > len(view.past):
                Text("li", f"And {view.past_count - len(view.past):,} before.", "soft small")
