"""The sharing page: what leaves this home, to whom and why; stopping it; and allowing something new."""

from nicegui import ui

from gateway.web import words
from gateway.web.act_dialog import ActDialog
from gateway.web.consent_view import SharingView, recipient_name, recipient_words
from gateway.web.grant_card import GrantCards
from gateway.web.grant_form import GrantForm
from gateway.web.layout import REFRESH_S, Headline, page
from gateway.web.live import Live
from gateway.web.local_use_card import LocalUseCard
from gateway.web.parts import Box, Text
from gateway.web.people_card import PeopleCard
from gateway.web.proofs import Proofs


async def build(live: Live) -> None:
    """Build the page for one browser tab."""
    with page(live, "/sharing", "Sharing") as navigation:
        headline = Headline()
        active = Box("div")
        form = GrantForm(live, await live.sharing())
        people = PeopleCard(live)
        recipients = _Recipients(live)
        local_use = LocalUseCard(live)
        kept = _Kept()
        past = _Past(live)
    ask = ActDialog(live)
    listed = GrantCards(live, active, ask, form)

    async def refresh() -> None:
        view = await live.sharing()
        _say(headline, view)
        listed.update(view)
        recipients.update(view)
        form.update(view)
        people.update(view)
        local_use.update(view)
        kept.update(view)
        past.update(view)
        await navigation.update()

    ask.after = form.after = people.after = local_use.after = refresh
    await refresh()
    ui.timer(REFRESH_S, refresh)


def _say(headline: Headline, view: SharingView) -> None:
    sent = (
        f"{words.plural(view.sent, 'message')} {'has' if view.sent == 1 else 'have'} left so far." if view.sent else ""
    )
    if view.shared:
        headline.say("note", view.said, f"Everything else stays in your home. {sent or 'Nothing has left so far.'}")
    else:
        headline.say("good", view.said, sent.replace(" so far", " before") or "Nothing ever has.")


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
                    with Box("li"):
                        with Box("div", "split"):
                            Text("span", recipient_name(live.vocabulary, sink.recipient))
                            self._lines[sink.name] = Text("span", css="soft")
                        Text("p", recipient_words(live.vocabulary, sink.recipient), "soft small")

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
        shape = [(v.grant.id, v.grant.revoked_ms, v.sentence) for v in view.past]
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
                    Proofs(self._live, grant)
            if view.past_count > len(view.past):
                Text("li", f"And {view.past_count - len(view.past):,} before.", "soft small")
