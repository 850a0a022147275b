"""What a person can be shown, and take away, of one grant: its words, its history, its receipts."""

from gateway.consent.grants import Grant, GrantError
from gateway.consent.record import Act
from gateway.web import words
from gateway.web.consent_view import ACTS, Story
from gateway.web.live import Live
from gateway.web.parts import Box, Text


class Proofs:
    """A part that opens; what it tells is read when it is opened."""

    def __init__(self, live: Live, grant: Grant) -> None:
        self._live = live
        self._id = grant.id
        with Box("details") as opened:
            Text("summary", "The words that were agreed to, and what became of them")
            Text("p", f"“{grant.text}”")
            Text("p", f"Agreed by {grant.subject}. Number {grant.id}.")
            self._box = Box("div")
            with Box("p", "receipts"):
                address = f"/api/grants/{grant.id}/receipt"
                name = f"receipt-{grant.id}"
                Text("a", "Receipt to read by programs (JSON-LD)", href=address, download=f"{name}.jsonld")
                Text("a", "Signed receipt (COSE)", href=f"{address}.cose", download=f"{name}.cose")
        opened.on("toggle", self._opened, js_handler="(e) => e.target.open && emit()")

    async def _opened(self) -> None:
        try:
            story = await self._live.story(self._id)
        except GrantError:
            return
        self._box.clear()
        with self._box:
            _tell(story, self._live)


def _tell(story: Story, live: Live) -> None:
    texts = {version.version: version.text for version in story.versions}
    newest = story.versions[-1].version
    Text("h3", "What became of it")
    with Box("ul", "lines"):
        for event in story.events:
            with Box("li"):
                at = words.moment(event.at_ms, live.now_ms, live.zone)
                version = f" (version {event.version})" if newest > 1 else ""
                Text("span", f"{at}: {event.person} {ACTS[event.act]}{version}.")
                if event.version != newest and event.act in (Act.GIVEN, Act.CHANGED):
                    Text("p", f"“{texts.get(event.version, '')}”")
