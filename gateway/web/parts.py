"""The few page elements that the console is made of: plain HTML ones, so that keyboard and screen readers know them.

Every text goes to the browser as text, never as HTML; attributes are set one by one, never written into a string.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

Handler = Callable[[], Awaitable[None]]

_LONGEST_TIME = 32


class Text(TextElement):
    """An element that holds one text."""

    def __init__(self, tag: str, text: str = "", css: str = "", **attributes: str) -> None:
        super().__init__(tag=tag, text=text)
        self.classes(css)
        for name, value in attributes.items():
            self.props[name.rstrip("_").replace("_", "-")] = value

    def say(self, text: str) -> None:
        """Show another text; nothing is sent to the browser if it is the same."""
        self.text = text


class Box(ui.element):
    """An element that holds others."""

    def __init__(self, tag: str = "div", css: str = "", **attributes: str) -> None:
        super().__init__(tag)
        self.classes(css)
        for name, value in attributes.items():
            self.props[name.rstrip("_").replace("_", "-")] = value


class Button(Text):
    """A button that calls `pressed`."""

    def __init__(self, text: str, pressed: Handler, css: str = "button") -> None:
        super().__init__("button", text, css, type="button")
        self.on("click", pressed, args=[])


class Choice:
    """A labelled drop-down list. `options`: value -> words. `changed` is called after every choice."""

    def __init__(self, label: str, name: str, options: Mapping[str, str], value: str, changed: Handler) -> None:
        self.value = value
        self._changed = changed
        with Box("label", "field"):
            Text("span", label, "label")
            self._select = Box("select", name=name)
            self._select.on("change", self._chosen, js_handler="(e) => emit(e.target.value)")
        self._options: Mapping[str, str] = {}
        self.offer(options)

    def offer(self, options: Mapping[str, str]) -> None:
        """Offer other options; the choice stays where it is among them."""
        if options == self._options:
            return
        self._options = dict(options)
        if self.value not in options:
            self.value = next(iter(options), "")
        self._select.clear()
        with self._select:
            for value, words in options.items():
                option = Text("option", words, value=value)
                if value == self.value:
                    option.props["selected"] = True

    def choose(self, value: str) -> None:
        """Choose one of the options from here; `changed` is not called."""
        if value in self._options and value != self.value:
            self.value = value
            options, self._options = self._options, {}
            self.offer(options)

    async def _chosen(self, event: object) -> None:
        value = getattr(event, "args", None)
        if isinstance(value, str) and value in self._options:
            self.value = value
            await self._changed()


class Radio:
    """A labelled group of which one is chosen, each with its words in full."""

    def __init__(self, label: str, name: str, options: Mapping[str, str], value: str, changed: Handler) -> None:
        self.value = value
        self._options = options
        self._changed = changed
        with Box("fieldset", "field") as group:
            Text("legend", label, "label")
            for option, words in options.items():
                with Box("label", "option"):
                    button = Box("input", type="radio", name=name, value=option)
                    if option == value:
                        button.props["checked"] = True
                    Text("span", words)
        group.on("change", self._chosen, js_handler="(e) => emit(e.target.value)")

    async def _chosen(self, event: object) -> None:
        value = getattr(event, "args", None)
        if isinstance(value, str) and value in self._options:
            self.value = value
            await self._changed()


class Tick:
    """A box to tick, with its sentence."""

    def __init__(self, label: str, name: str, changed: Handler, *, value: bool = False) -> None:
        self.value = value
        self._changed = changed
        with Box("label", "option"):
            box = Box("input", type="checkbox", name=name)
            if value:
                box.props["checked"] = True
            Text("span", label)
        box.on("change", self._chosen, js_handler="(e) => emit(e.target.checked)")

    async def _chosen(self, event: object) -> None:
        value = getattr(event, "args", None)
        if isinstance(value, bool):
            self.value = value
            await self._changed()


class Ticks:
    """A labelled group of which any number is chosen; `value` holds them in the order in which they stand."""

    def __init__(
        self, label: str, name: str, options: Mapping[str, str], value: Sequence[str], changed: Handler
    ) -> None:
        self._name = name
        self._changed = changed
        self._chosen = dict.fromkeys(options, False) | dict.fromkeys(value, True)
        with Box("fieldset", "field"):
            Text("legend", label, "label")
            self._box = Box("div", "ticks")
        self._options: Mapping[str, str] = {}
        self.offer(options)

    @property
    def value(self) -> tuple[str, ...]:
        """Those that are ticked."""
        return tuple(option for option in self._options if self._chosen.get(option))

    def offer(self, options: Mapping[str, str]) -> None:
        """Offer other options; what is ticked stays so."""
        if options == self._options:
            return
        self._options = dict(options)
        self._box.clear()
        with self._box:
            for option, words in options.items():
                self._offer(option, words)

    def _offer(self, option: str, words: str) -> None:
        tick = Tick(words, self._name, lambda: self._ticked(option, tick), value=self._chosen.get(option, False))

    async def _ticked(self, option: str, tick: Tick) -> None:
        self._chosen[option] = tick.value
        await self._changed()


class Entry:
    """A labelled line of text of up to `most` characters."""

    def __init__(self, label: str, name: str, most: int, changed: Handler) -> None:
        self.value = ""
        self._most = most
        self._changed = changed
        with Box("label", "field"):
            Text("span", label, "label")
            self._input = Box("input", type="text", name=name, maxlength=str(most), autocomplete="given-name")
        self._input.on("input", self._typed, js_handler="(e) => emit(e.target.value)")

    async def _typed(self, event: object) -> None:
        value = getattr(event, "args", None)
        if isinstance(value, str):
            self.value = value.strip()[: self._most]
            await self._changed()


class Moment:
    """A labelled field for a time: `kind` is time (08:00) or datetime-local (2026-11-22T08:00)."""

    def __init__(self, label: str, name: str, kind: str, value: str, changed: Handler) -> None:
        self.value = value
        self._changed = changed
        with Box("label", "field"):
            Text("span", label, "label")
            self._input = Box("input", type=kind, name=name, value=value)
        self._input.on("change", self._chosen, js_handler="(e) => emit(e.target.value)")

    async def _chosen(self, event: object) -> None:
        value = getattr(event, "args", None)
        if isinstance(value, str) and len(value) <= _LONGEST_TIME:
            # Else the browser would be given the old one again with the next change of the page.
            self.value = self._input.props["value"] = value
            await self._changed()


def fill_list(container: ui.element, texts: Sequence[str], css: str = "") -> None:
    """Replace what a list holds."""
    container.clear()
    with container:
        for text in texts:
            Text("li", text, css)
