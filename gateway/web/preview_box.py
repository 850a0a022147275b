"""What a grant would send: its exact events of the last day and their size, before anything is sent."""

import json
from collections.abc import Callable

from gateway.consent.grants import Grant, GrantError
from gateway.forward.preview import Preview
from gateway.web import words
from gateway.web.consent_view import REASONS
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Text

EVENTS_SHOWN = 20


class PreviewBox:
    """A button, and what it found. `wanted` gives the grant to look at, or raises GrantError with why there is none."""

    def __init__(self, live: Live, wanted: Callable[[], Grant]) -> None:
        self._live = live
        self._wanted = wanted
        self._asked = 0
        with Box("div", "preview"):
            Button("Show what this would send", self._show)
            self._said = Text("p", css="small", role="status")
            self._box = Box("div")

    def clear(self) -> None:
        """What was found no longer fits the choices."""
        self._asked += 1
        self._said.say("")
        self._box.clear()

    async def _show(self) -> None:
        self.clear()
        asked = self._asked
        try:
            wanted = self._wanted()
        except GrantError as why:
            self._said.say(f"{words.sentence(str(why))}.")
            return
        self._said.say("Looking …")
        found = await self._live.preview(wanted)
        if asked != self._asked:
            return
        self._said.say(summary(found, self._live))
        with self._box:
            if found.total:
                _payload(found)


def summary(found: Preview, live: Live) -> str:
    """How much it would have been, and what of it would have stayed, in words."""
    now_ms = live.now_ms
    span = (
        f"Of the time from {words.moment(found.from_ms, now_ms, live.zone)} "
        f"to {words.moment(found.to_ms, now_ms, live.zone)}"
    )
    if found.total:
        parts = [f"{span} this would have sent {words.plural(found.total, 'message')}: {words.size(found.bytes)}."]
    else:
        parts = [f"{span} this would have sent nothing."]
    parts += [
        f"{words.plural(n, 'reading')} would have stayed, because {REASONS[reason]}."
        for reason, n in sorted(found.withheld.items(), key=lambda pair: -pair[1])
    ]
    if not found.whole:
        parts.append("There is more than can be looked at here: this is only the first part.")
    return " ".join(parts)


def _payload(found: Preview) -> None:
    shown = found.events[:EVENTS_SHOWN]
    with Box("details"):
        more = f"the first {len(shown)} of {found.total:,}" if found.total > len(shown) else "all of it"
        Text("summary", f"See everything in it ({more})")
        Text("pre", "\n".join(_lines(event) for event in shown), "payload", tabindex="0", aria_label="Exact content")


def _lines(event: str) -> str:
    """An event as it is, each field of it on a line of its own."""
    fields = json.loads(event)
    inside = (f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    return "{\n" + ",\n".join(inside) + "\n}"
