"""An update on the home page: asked for, said yes or no to, and how far each appliance is."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from gateway.consent.people import Person
from gateway.consent.update_decisions import Voice, Way
from gateway.update.rollout import BAD, Phase
from gateway.web import update_view, words
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Choice, Text, fill_list
from gateway.web.update_view import UpdateView

_NOBODY = "somebody of the household"


class UpdateCard:
    """Shown while there is an update to speak of. `after` is called when somebody decided something."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._later = False
        self._rows: list[Text] = []
        self._shape: object = None
        self._steps: list[str] = []
        self.after: Callable[[], Awaitable[None]] = _nothing
        with Box("section", "card update", aria_label="Update") as self._section:
            with Box("div", aria_live="polite"):
                self._title = Text("h2")
                self._about = Text("p")
            self._plan = Box("ul", "plan", aria_label="What happens then")
            self._asked = _Who("update-by")
            with Box("div", "row actions") as self._asks:
                Button("Update", self._agree, "button yes")
                Button("Not now", self._put_off)
            with Box("div", "row actions") as self._resting:
                Button("Show it", self._take_up)
                Button("Do not update", self._decline, "button stop")
            self._list = Box("ul", "lines", aria_label="How far each appliance is")
            self._rest = Text("p", css="soft small")
            with Box("details") as self._stopping:
                Text("summary", "Stop it")
                Text(
                    "p",
                    "No other appliance is begun. One that is trying the new version out decides itself whether it "
                    "keeps it. To go on later: `hearthgate update`.",
                )
                self._stopper = _Who("stop-by")
                Button("Begin no other", self._stop, "button stop")

    def update(self, view: UpdateView, people: Sequence[Person]) -> None:
        """Show how it stands now."""
        asks = view.phase is Phase.ASKS
        self._later &= asks
        full, later = asks and not self._later, self._later
        self._section.set_visibility(update_view.worth_showing(view, self._live.now_ms))
        if not view.boards:
            return
        self._title.say("An update waits" if later else update_view.title(view))
        halted = view.phase is Phase.HALTED
        self._title.classes(add="trouble" if halted else "", remove="" if halted else "trouble")
        self._about.say(
            "Nothing changes while it waits, for as long as you like. It is here again whenever this page is opened."
            if later
            else update_view.about(view)
        )
        self._plan.set_visibility(full)
        self._asks.set_visibility(full)
        self._asked.update(people, wanted=asks)
        self._stopper.update(people, wanted=view.can_stop)
        self._resting.set_visibility(later)
        self._list.set_visibility(not later)
        self._rest.set_visibility(not later)
        self._stopping.set_visibility(view.can_stop)
        if (steps := update_view.plan(view)) != self._steps:
            self._steps = steps
            fill_list(self._plan, steps)
        self._show(view)

    def _show(self, view: UpdateView) -> None:
        shape = [(board.device, board.name) for board in view.shown]
        if shape != self._shape:
            self._shape = shape
            self._list.clear()
            with self._list:
                self._rows = [self._row(name) for _, name in shape]
        for text, board in zip(self._rows, view.shown, strict=True):
            text.say(update_view.said(board, view))
            bad = board.state in BAD
            text.classes(add="trouble" if bad else "soft", remove="soft" if bad else "trouble")
        rest = len(view.boards) - len(view.shown)
        self._rest.say(f"And {words.plural(rest, 'other')}." if rest else "")

    @staticmethod
    def _row(name: str) -> Text:
        with Box("li", "split"):
            Text("span", name)
            return Text("span", css="soft")

    async def _agree(self) -> None:
        await self._decided(await self._live.agree_to_update(self._asked.voice))

    async def _decline(self) -> None:
        await self._decided(await self._live.decline_update(self._asked.voice))

    async def _stop(self) -> None:
        await self._decided(await self._live.stop_update(self._stopper.voice))

    async def _decided(self, count: int) -> None:
        if not count:
            ui.notify("Nothing was changed: somebody else was faster.", timeout=10_000, close_button="Close")
        await self.after()

    async def _put_off(self) -> None:
        self._later = True
        await self.after()

    async def _take_up(self) -> None:
        self._later = False
        await self.after()


class _Who:
    """Who says so: asked where the household has named its people."""

    def __init__(self, name: str) -> None:
        with Box("div") as self._box:
            self._choice = Choice("Who says so?", name, {"": _NOBODY}, "", _nothing)

    def update(self, people: Sequence[Person], *, wanted: bool) -> None:
        """Offer these."""
        self._choice.offer({"": _NOBODY} | {f"={person.name}": person.name for person in people})
        self._box.set_visibility(wanted and bool(people))

    @property
    def voice(self) -> Voice:
        """The one that is chosen."""
        return Voice(Way.CONSOLE, self._choice.value.removeprefix("="))


async def _nothing() -> None:
    """There is nothing to do (yet)."""
