"""The grants that hold, a card each: what they say, what they send, and what can be done with them."""

from functools import partial

from gateway.web import act_dialog, words
from gateway.web.act_dialog import ActDialog
from gateway.web.consent_view import GrantView, SharingView
from gateway.web.grant_form import GrantForm
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Text
from gateway.web.preview_box import PreviewBox
from gateway.web.proofs import Proofs


class GrantCards:
    """The cards; built anew only when a grant comes, goes, is changed or rests."""

    def __init__(self, live: Live, container: Box, ask: ActDialog, form: GrantForm) -> None:
        self._live = live
        self._container = container
        self._ask = ask
        self._form = form
        self._shape: object = None
        self._lines: dict[str, tuple[Text, Text]] = {}

    def update(self, view: SharingView) -> None:
        """Show what is new."""
        shape = [(v.grant.id, v.grant.version, v.grant.paused_ms is None, v.sentence) for v in view.active]
        if shape != self._shape:
            self._shape = shape
            self._container.clear()
            with self._container:
                self._lines = {v.grant.id: self._card(v) for v in view.active}
        for shown in view.active:
            since, sent = self._lines[shown.grant.id]
            since.say(_since(self._live, shown))
            sent.say(_sent(self._live, shown))

    def _card(self, shown: GrantView) -> tuple[Text, Text]:
        grant = shown.grant
        with Box("article", "card grant", id=grant.id, aria_label=f"{shown.sentence}."):
            Text("h2", f"{shown.sentence}.", "sentence")
            since = Text("p", css="soft")
            sent = Text("p")
            with Box("div", "row actions"):
                Button("Change", partial(self._form.change, shown))
                if grant.paused_ms is None:
                    Button("Pause", partial(self._ask.ask, act_dialog.pause(self._live), shown))
                else:
                    Button("Go on sharing", partial(self._ask.ask, act_dialog.resume(self._live), shown), "button yes")
                Button("Stop sharing", partial(self._ask.ask, act_dialog.stop(self._live), shown), "button stop")
            PreviewBox(self._live, lambda: grant)
            Proofs(self._live, grant)
        return since, sent


def _since(live: Live, shown: GrantView) -> str:
    grant, now_ms = shown.grant, live.now_ms
    start = f"Since {words.moment(grant.start_ms, now_ms, live.zone)}"
    if grant.start_ms > now_ms:
        start = f"From {words.moment(grant.start_ms, now_ms, live.zone)}"
    left = words.duration((grant.expiry_ms - now_ms) / 1000)
    since = ""
    if grant.since_ms is not None and grant.since_ms < grant.start_ms:
        since = f" Also what was measured since {words.moment(grant.since_ms, now_ms, live.zone)}."
    return f"{start}, until {words.date(grant.expiry_ms - 1, live.zone)} ({left} left).{since}"


def _sent(live: Live, shown: GrantView) -> str:
    parts = []
    if shown.grant.paused_ms is not None:
        at = words.moment(shown.grant.paused_ms, live.now_ms, live.zone)
        parts.append(f"Paused since {at}: nothing leaves.")
    if shown.sent is not None:
        parts.append(f"{words.plural(shown.sent, 'message')} sent.")
    if shown.waiting:
        parts.append(
            f"{words.plural(shown.waiting, 'message')} {'waits' if shown.waiting == 1 else 'wait'} to be sent."
        )
    if shown.collecting:
        parts.append(f"{words.plural(shown.collecting, 'reading')} gathered here for the next summary.")
    return " ".join(parts) or "Nothing waits to be sent."
