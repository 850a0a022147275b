"""The form that gives a grant. The words that will be kept are shown while the choices are made."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.consent import register
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, agreement
from gateway.consent.vocabulary import CATEGORIES, GRANULARITIES, PURPOSES, Granularity
from gateway.web import words
from gateway.web.consent_view import SharingView
from gateway.web.live import Live
from gateway.web.parts import Box, Choice, Entry, Radio, Text

_DAY_MS = 86_400_000
_DAYS = {"30": "for a month", "90": "for three months", "365": "for a year", "730": "for two years"}
_EVERYTHING = "all appliances, also later ones"
# The browser says which words stood there when the button was pressed: a choice of a moment before may be on its way.
_SAY_WHAT_WAS_READ = "(e) => emit(e.target.closest('section').querySelector('.agreement').textContent)"
_NOTHING_HAPPENS = (
    "Your appliances report no happenings of this kind, so nothing would be sent. Choose another way above."
)
MAX_SUBJECT = 64


class GrantForm:
    """One form; nothing is given before the button under the whole text is pressed."""

    def __init__(self, live: Live, view: SharingView) -> None:
        self._live = live
        self._view = view
        self._draft: Grant | None = None
        self._busy = False
        self.after: Callable[[], Awaitable[None]] = self._changed
        self._recipients = sorted({sink.recipient for sink in live.gateway.settings.sinks})
        with Box("section", "card", aria_label="Share something"):
            Text("h2", "Share something")
            if not self._recipients:
                Text("p", "There is nobody to share with: no recipient is set up on this machine.", "soft")
                return
            Text("p", "You choose one thing at a time. You can stop it whenever you like.", "soft")
            self._form = Box("div", "section")
            self._said = Text("p", css="said", role="status")
        self._build()

    def update(self, view: SharingView) -> None:
        """Offer what the household has now."""
        self._view = view
        if self._recipients:
            self._category.offer(self._categories())
            self._device.offer(self._devices())

    def _build(self) -> None:
        view_changed = self._changed
        self._form.clear()
        with self._form:
            with Box("div", "two"):
                recipients = {r: words.sentence(r) for r in self._recipients}
                self._recipient = Choice("Who may get it?", "recipient", recipients, self._recipients[0], view_changed)
                purposes = self._purposes()
                self._purpose = Choice("Why?", "purpose", purposes, next(iter(purposes), ""), view_changed)
                self._category = Choice("What?", "category", self._categories(), "temperature", view_changed)
                self._device = Choice("Of which appliance?", "device", self._devices(), ANY_DEVICE, view_changed)
            finely = {g.value: words.sentence(GRANULARITIES[g]) for g in reversed(Granularity)}
            self._granularity = Radio("How finely?", "granularity", finely, Granularity.DAY.value, view_changed)
            with Box("div", "two"):
                self._days = Choice("How long?", "days", _DAYS, "90", view_changed)
                self._subject = Entry("Your name", "subject", MAX_SUBJECT, view_changed)
            Text("p", "What you agree to", "label soft")
            self._hint = Text("p", css="trouble")
            self._agreement = Text("p", css="agreement", aria_live="polite")
            agree = Text("button", "I agree, share this", "button yes", type="button")
            agree.on("click", self._give, js_handler=_SAY_WHAT_WAS_READ)
        self._compose()

    async def _changed(self) -> None:
        self._purpose.offer(self._purposes())
        self._said.say("")
        self._compose()

    def _compose(self) -> None:
        """Make the grant of the choices, with the words for it; without a name there is none yet."""
        now_ms = self._live.now_ms
        try:
            draft = Grant(
                id=register.new_id(),
                subject=self._subject.value or "…",
                devices=(self._device.value,),
                category=self._category.value,
                recipient=self._recipient.value,
                purpose=self._purpose.value,
                granularity=Granularity(self._granularity.value),
                hours=None,
                start_ms=now_ms,
                expiry_ms=now_ms + int(self._days.value) * _DAY_MS,
                text="-",
                language="en",
                created_ms=now_ms,
            )
            until = words.date(draft.expiry_ms, self._live.zone)
            self._draft = replace(draft, text=agreement(draft, until, self._view.names))
        except GrantError as why:
            self._draft = None
            self._agreement.say(str(why))
            return
        self._agreement.say(self._draft.text)
        silent = (
            self._draft.granularity is Granularity.EVENT and self._draft.category not in self._view.event_categories
        )
        self._hint.say(_NOTHING_HAPPENS if silent else "")

    async def _give(self, event: object) -> None:
        """Give exactly what was read: its text and its end are those that the person saw; it starts now."""
        if self._busy or self._draft is None:
            return
        if not self._subject.value:
            self._complain("Please write your name first: a grant says who agreed to it.")
            return
        if getattr(event, "args", None) != self._draft.text:
            self._complain("The words had just changed. Please read the words again, and press once more.")
            return
        self._busy = True
        try:
            now_ms = self._live.now_ms
            await self._live.grant(replace(self._draft, start_ms=now_ms, created_ms=now_ms))
        except GrantError as why:
            self._complain(f"Nothing was shared: {why}.")
            return
        finally:
            self._busy = False
        self._build()
        self._said.classes(remove="bad-word")
        self._said.say("Shared from now on. It is listed at the top of this page.")
        await self.after()

    def _complain(self, text: str) -> None:
        self._said.classes(add="bad-word")
        self._said.say(text)

    def _purposes(self) -> dict[str, str]:
        chosen = self._recipient.value
        offered = {p for s in self._live.gateway.settings.sinks if s.recipient == chosen for p in s.purposes}
        return {p: words.sentence(text) for p, text in PURPOSES.items() if p in offered}

    def _categories(self) -> dict[str, str]:
        known = self._view.categories & set(CATEGORIES)
        return {c: words.sentence(text) for c, text in CATEGORIES.items() if not known or c in known}

    def _devices(self) -> dict[str, str]:
        return {ANY_DEVICE: words.sentence(_EVERYTHING)} | self._view.names
