"""What every page has: the way to the others, the way past it for the keyboard, and the console's own look."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from nicegui import ui

from gateway.web.live import Live
from gateway.web.parts import Box, Text

PAGES = (("/", "Home"), ("/sharing", "Sharing"), ("/left", "What left"), ("/problems", "Problems"))
REFRESH_S = 1.0

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#1f6f4a" '
    'd="M12 2 1.5 11.2l1.6 1.8L5 11.4V21h5.5v-5.5c0-2 3-2 3 0V21H19v-9.6l1.9 1.6 1.6-1.8z"/></svg>'
)


def style() -> str:
    """The console's style sheet."""
    return (resources.files("gateway.web") / "console.css").read_text(encoding="utf-8")


class Navigation:
    """The links between the pages, with how many things are shared and how many problems there are."""

    def __init__(self, live: Live, here: str) -> None:
        self._live = live
        self._badges: dict[str, Text] = {}
        with Box("nav", "nav", aria_label="Pages"):
            for path, name in PAGES:
                with Text("a", name, href=path) as link:
                    if path == here:
                        link.props["aria-current"] = "page"
                    self._badges[path] = Text("span", css="badge")

    async def update(self) -> None:
        """Show the counts of the moment."""
        shared = (await self._live.sharing()).shared
        problems = await self._live.problem_count()
        self._show("/sharing", shared, "shared")
        self._show("/problems", problems, "to look at")

    def _show(self, path: str, count: int, what: str) -> None:
        badge = self._badges[path]
        badge.say(str(count) if count else "")
        if badge.props.get("title") != (title := f"{count} {what}" if count else ""):
            badge.props["title"] = title


@contextmanager
def page(live: Live, here: str, title: str) -> Iterator[Navigation]:
    """The frame of a page; its content goes inside the block."""
    ui.page_title(f"{title} · Hearthgate")
    with Box("header", "top"):
        Text("span", "Hearthgate", "brand")
        navigation = Navigation(live, here)
    with Box("main", "main") as main:
        yield navigation
    ui.skip_link("To the content", target=main)


class Headline:
    """The page's answer in one glance: a sentence, a second one, and a colour that says the same."""

    def __init__(self) -> None:
        with Box("section", "headline", aria_live="polite") as self._box:
            self._title = Text("h1")
            self._text = Text("p")
        self._kind = ""

    def say(self, kind: str, title: str, text: str) -> None:
        """`kind`: good, note or bad."""
        if kind != self._kind:
            self._box.classes(replace=f"headline {kind}")
            self._kind = kind
        self._title.say(title)
        self._text.say(text)
