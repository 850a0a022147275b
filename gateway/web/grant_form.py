"""The form that gives or changes a grant. The words that will be kept are shown while the choices are made."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from gateway.consent.grants import Grant, GrantError
from gateway.consent.people import check_person
from gateway.consent.vocabulary import Granularity
from gateway.web import draft, words
from gateway.web.consent_view import GrantView, SharingView, recipient_name
from gateway.web.grant_fields import GrantFields
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Text
from gateway.web.preview_box import PreviewBox

# The browser says which words stood there when the button was pressed: a choice of a moment before may be on its way.
_SAY_WHAT_WAS_READ = "(e) => emit(e.target.closest('section').querySelector('.agreement').textContent)"
_NOTHING_HAPPENS = (
    "Your appliances report no happenings of this kind, so nothing would be sent. Choose another way above."
)


class GrantForm:
    """One form; nothing is given or changed before the button under the whole text is pressed."""

    def __init__(self, live: Live, view: SharingView) -> None:
        self._live = live
        self._view = view
        self._grant: Grant | None = None
        self._draft: Grant | None = None
        self._choices: draft.Choices | None = None
        self._wrong = ""
        self._busy = False
        self.after: Callable[[], Awaitable[None]] = self._changed
        self._open = bool(live.gateway.settings.sinks)
        with Box("section", "card", aria_label="Share something") as self._section:
            self._title = Text("h2", "Share something", tabindex="-1")
            self._intro = Text("p", css="soft")
            self._form = Box("div", "section")
            self._said = Text("p", css="said", role="status")
        self._build()

    def update(self, view: SharingView) -> None:
        """Offer what the household has now."""
        self._view = view
        if self._open or self._grant is not None:
            self._fields.update(view)

    async def change(self, shown: GrantView) -> None:
        """Open it filled in with a grant, to be changed."""
        self._grant = shown.grant
        self._build()
        ui.run_javascript(
            f"const title = getHtmlElement({self._title.id}); title.scrollIntoView({{block: 'start'}}); title.focus();"
        )

    async def _leave(self) -> None:
        """Change nothing after all."""
        self._grant = None
        self._build()

    def _build(self) -> None:
        grant = self._grant
        self._said.say("")
        self._said.classes(remove="bad-word")
        self._form.clear()
        self._title.say("Share something" if grant is None else "Change what you share")
        self._section.props["aria-label"] = self._title.text
        if grant is None and not self._open:
            self._intro.say("There is nobody to share with: no recipient is set up on this machine.")
            return
        self._intro.say(_intro(grant, self._live))
        with self._form:
            self._fields = GrantFields(self._live, self._view, grant, self._changed)
            self._hint = Text("p", css="trouble", role="status")
            Text("p", "What you agree to", "label soft")
            self._agreement = Text("p", css="agreement", aria_live="polite")
            self._preview = PreviewBox(self._live, self._wanted)
            with Box("div", "row"):
                yes = "I agree, share this" if grant is None else "I agree, change it"
                Text("button", yes, "button yes", type="button").on("click", self._give, js_handler=_SAY_WHAT_WAS_READ)
                if grant is not None:
                    Button("Leave it as it is", self._leave)
        self._compose()

    async def _changed(self) -> None:
        self._said.say("")
        self._preview.clear()
        self._compose()

    def _compose(self) -> None:
        """Make the grant of the choices, with the words for it; without a name there is none yet."""
        self._fields.show()
        now_ms = self._live.now_ms
        self._draft, self._wrong = None, ""
        try:
            self._choices = self._fields.choices()
            if self._grant is None:
                self._draft = draft.new(self._choices, now_ms, self._writer())
            else:
                self._draft = draft.next_version(self._choices, self._grant, now_ms, self._writer())
            self._agreement.say(self._draft.text)
            self._hint.say(self._warning(self._draft))
        except GrantError as why:
            self._wrong = str(why)
            self._hint.say(f"{words.sentence(self._wrong)}.")
            self._agreement.say("Nothing yet.")

    def _warning(self, made: Grant) -> str:
        """What stands in the way of it, or will make it empty."""
        person = self._fields.person
        if person is not None:
            try:
                check_person(made, person, self._live.vocabulary)
            except GrantError as why:
                return f"{why}."
        if made.granularity is Granularity.EVENT and made.category not in self._view.event_categories:
            return _NOTHING_HAPPENS
        return ""

    def _wanted(self) -> Grant:
        """The draft of the moment. Raises GrantError."""
        if self._draft is None:
            raise GrantError(self._wrong)
        return self._draft

    async def _give(self, event: object) -> None:
        """Give exactly what was read: its text and its end are those that the person saw; it starts now."""
        if self._busy:
            return
        if missing := self._missing(getattr(event, "args", None)):
            self._complain(missing)
            return
        if self._draft is None or self._choices is None:
            return
        self._busy = True
        try:
            done = await self._done(self._draft, self._choices)
        except GrantError as why:
            self._complain(f"Nothing was {'shared' if self._grant is None else 'changed'}: {why}.")
            return
        finally:
            self._busy = False
        self._grant = None
        self._build()
        self._said.say(done)
        await self.after()

    def _missing(self, read: object) -> str:
        """What is still to be done before it can be given, in a sentence."""
        if self._draft is None:
            return f"{words.sentence(self._wrong)}."
        if self._fields.person is None:
            return "Please write your name first: whatever is shared says who agreed to it."
        if self._draft.category in self._live.vocabulary.sensitive and not self._draft.explicit:
            return "This is sensitive: please say yes to it a second time, above."
        if read != self._draft.text:
            return "The words had just changed. Please read the words again, and press once more."
        return ""

    async def _done(self, made: Grant, choices: draft.Choices) -> str:
        """Give or change what was read, whatever is chosen meanwhile; what to say then. Raises GrantError."""
        grant, now_ms = self._grant, self._live.now_ms
        if choices.person is not None:
            check_person(made, choices.person, self._live.vocabulary)
            await self._live.put_person(choices.person)
        if grant is None:
            await self._live.grant(draft.begun(made, now_ms))
            later = words.moment(made.start_ms, now_ms, self._live.zone) if made.start_ms > now_ms else "now on"
            return f"Shared from {later}. It is listed at the top of this page."
        other = draft.fields(choices, grant, now_ms)
        # The end that was read, not one that a full hour has moved on meanwhile.
        other = other | {"expiry_ms": made.expiry_ms} if "expiry_ms" in other else other
        await self._live.change(grant.id, text=made.text, **other)
        return "Changed, from now on. It is listed at the top of this page."

    def _writer(self) -> draft.Writer:
        return draft.Writer(self._live.zone, self._view.names, self._live.vocabulary)

    def _complain(self, text: str) -> None:
        self._said.classes(add="bad-word")
        self._said.say(text)


def _intro(grant: Grant | None, live: Live) -> str:
    if grant is None:
        return "You choose one thing at a time. You can stop it whenever you like."
    known = live.vocabulary
    what = known.categories.get(grant.category, grant.category)
    why = known.purposes.get(grant.purpose, grant.purpose)
    return (
        f"It is about this, as before: {what}, for {recipient_name(known, grant.recipient)}, {why}. For anything else, "
        "stop it and share something new. What was agreed to before is kept, and your new words take its place."
    )
