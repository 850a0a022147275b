"""What of the appliances' data may leave its board at all: for every kind of it, and for single appliances."""

from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui

from gateway.consent.grants import ANY_DEVICE, GrantError
from gateway.consent.local_use import Mode, mode_of
from gateway.web import words
from gateway.web.consent_view import SharingView
from gateway.web.live import Live
from gateway.web.parts import Box, Choice, Text


class LocalUseCard:
    """A choice for each kind of data, and for each appliance. `after` is called when something was changed."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._shape: object = None
        self._choices: dict[tuple[str, str], Choice] = {}
        self.after: Callable[[], Awaitable[None]] = _nothing
        with Box("section", "card", aria_label="What your appliances may tell at all") as self._section:
            Text("h2", "What your appliances may tell at all")
            Text(
                "p",
                "What an appliance does not tell its home is not shown here, and nobody can get it. "
                "What it does tell stays in your home unless you share it.",
                "soft",
            )
            self._all = Box("div", "section two")
            with Box("details") as self._single:
                Text("summary", "For single appliances")
                self._devices = Box("div", "section")

    def update(self, view: SharingView) -> None:
        """Show what is set now."""
        self._section.set_visibility(bool(view.categories))
        self._single.set_visibility(len(view.by_device) > 1)
        shape = (view.by_device, view.names)
        if shape != self._shape:
            self._shape = shape
            self._build(view)
        for (device, category), choice in self._choices.items():
            choice.choose(mode_of(view.modes, device, category).value)

    def _build(self, view: SharingView) -> None:
        self._choices = {}
        self._all.clear()
        self._devices.clear()
        known = self._live.vocabulary.categories
        categories = [c for c in known if c in view.categories] + sorted(view.categories - known.keys())
        with self._all:
            for category in categories:
                self._choice(ANY_DEVICE, category, known)
        with self._devices:
            for device, theirs in view.by_device.items():
                Text("h3", view.names.get(device, device))
                with Box("div", "two"):
                    for category in theirs:
                        self._choice(device, category, known)

    def _choice(self, device: str, category: str, known: Mapping[str, str]) -> None:
        async def changed() -> None:
            await self._set(device, category, Mode(choice.value))

        label = words.sentence(known.get(category, category))
        choice = Choice(label, f"use-{device}-{category}", words.LOCAL_USE, Mode.KEEP.value, changed)
        self._choices[device, category] = choice

    async def _set(self, device: str, category: str, mode: Mode) -> None:
        try:
            await self._live.set_mode(device, category, mode)
        except GrantError as why:
            ui.notify(f"Nothing was changed: {why}.", type="negative", timeout=10_000, close_button="Close")
        await self.after()


async def _nothing() -> None:
    """Until the page is whole."""
