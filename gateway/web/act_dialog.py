"""Asks once more before a grant is paused, let go on, or stopped, and who says so."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from gateway.consent.grants import Grant, GrantError
from gateway.web.consent_view import GrantView
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Choice, Text

_NOBODY = "somebody of the household"


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked: its words, and what is done on a yes. `stops`: something ends that was agreed to."""

    title: str
    text: str
    yes: str
    no: str
    do: Callable[[str, str], Awaitable[Grant]]
    stops: bool


def stop(live: Live) -> Act:
    """Revoke it."""
    return Act(
        "Stop sharing this?",
        "It stops at once, and what waits to be sent is thrown away. Whoever got something is asked to erase it.",
        "Yes, stop sharing",
        "Keep sharing",
        live.revoke,
        stops=True,
    )


def pause(live: Live) -> Act:
    """Let it rest."""
    return Act(
        "Pause this?",
        "Nothing leaves until you let it go on, and what waits to be sent is thrown away. "
        "What is measured meanwhile is never sent.",
        "Yes, pause it",
        "Keep sharing",
        live.pause,
        stops=True,
    )


def resume(live: Live) -> Act:
    """Let it work again."""
    return Act(
        "Let this go on?",
        "What is measured from now on may be sent again, in the words that you agreed to.",
        "Yes, go on sharing",
        "Leave it paused",
        live.resume,
        stops=False,
    )


class ActDialog:
    """One for a page; `after` is called when something was done."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._asked: tuple[Act, GrantView] | None = None
        self.after: Callable[[], Awaitable[None]] = self._close
        with ui.dialog() as self._dialog:
            self._box = Box("div", "confirm", role="alertdialog")

    async def ask(self, act: Act, shown: GrantView) -> None:
        """Open."""
        self._asked = act, shown
        people = (await self._live.sharing()).people
        names = {f"={person.name}": person.name for person in people} | {"": _NOBODY}
        self._box.props["aria-label"] = act.title
        self._box.clear()
        with self._box:
            Text("h2", act.title)
            Text("p", f"{shown.sentence}.")
            Text("p", act.text)
            self._who = Choice("Who says so?", "by", names, f"={shown.grant.subject}", self._chosen)
            with Box("div", "row"):
                Button(act.yes, self._do, "button stop" if act.stops else "button yes")
                Button(act.no, self._close).props["autofocus"] = True
        self._dialog.open()

    async def _do(self) -> None:
        self._dialog.close()
        if self._asked is None:
            return
        act, shown = self._asked
        self._asked = None
        try:
            await act.do(shown.grant.id, self._who.value.removeprefix("="))
        except GrantError as why:
            ui.notify(f"Nothing was changed: {why}.", type="negative", timeout=10_000, close_button="Close")
        await self.after()

    async def _chosen(self) -> None:
        """It is read when the button is pressed."""

    async def _close(self) -> None:
        self._dialog.close()
