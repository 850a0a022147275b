"""The page of what left: every disclosure in plain words, the state of the record, and requests to erase."""

from collections.abc import Sequence
from functools import partial

from nicegui import ui

from gateway.consent.ledger import Head, Verdict
from gateway.web import words
from gateway.web.consent_view import recipient_name
from gateway.web.layout import REFRESH_S, Headline, page
from gateway.web.left_view import LeftPage, Line, NoticeView, Which
from gateway.web.live import Live
from gateway.web.parts import Box, Button, Choice, Text

_WHICH = {Which.LEFT.value: "what left this home", Which.ACTS.value: "what people decided"}


async def build(live: Live) -> None:
    """Build the page for one browser tab."""
    with page(live, "/left", "What left") as navigation:
        headline = Headline()
        rows = _Rows(live)
        notices = _Notices(live)
        record = _Record(live)

    async def refresh() -> None:
        view, state = await live.sharing(), await live.record()
        _say(headline, view.sent)
        await rows.update(state.head)
        record.update(state.head)
        notices.update(state.notices)
        await navigation.update()

    await refresh()
    ui.timer(REFRESH_S, refresh)


def _say(headline: Headline, sent: int) -> None:
    if sent:
        has = "has" if sent == 1 else "have"
        headline.say("note", f"{words.plural(sent, 'message')} {has} left", "Each of them under something you allowed.")
    else:
        headline.say("good", "Nothing has left your home", "As soon as something does, it is listed here.")


class _Rows:
    """The rows, a page of them at a time; the newest page follows what happens."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._head: Head | None = None
        self._starts: list[int | None] = [None]
        self._next: int | None = None
        with Box("section", "card", aria_label="The record"):
            with Box("div", "pickers"):
                Text("h2", "The record")
                self._which = Choice("Show", "which", _WHICH, Which.LEFT.value, self._chosen)
            self._list = Box("ul", "lines")
            with Box("div", "row pager"):
                self._newer = Button("Newer", self._back)
                self._older = Button("Older", self._on)

    async def update(self, head: Head) -> None:
        """Show what is new."""
        if head != self._head:
            self._head = head
            await self._show()

    async def _show(self) -> None:
        found = await self._live.left(Which(self._which.value), self._starts[-1])
        self._next = found.lines[-1].n if found.older else None
        self._newer.set_visibility(len(self._starts) > 1)
        self._older.set_visibility(self._next is not None)
        self._fill(found)

    def _fill(self, found: LeftPage) -> None:
        self._list.clear()
        with self._list:
            for line in found.lines:
                self._row(line)
            if not found.lines:
                Text("li", "Nothing so far.", "soft")

    def _row(self, line: Line) -> None:
        now_ms, zone = self._live.now_ms, self._live.zone
        at = words.moment(line.at_ms, now_ms, zone)
        if not line.digest:
            with Box("li", "split"):
                Text("span", line.text)
                Text("span", at, "soft when")
            return
        with Box("li"):
            with Box("div", "split"):
                Text("span", line.text)
                Text("span", at, "soft when")
            for part in line.parts:
                first, last = (words.moment(t, now_ms, zone) for t in (part.first_ms, part.last_ms))
                measured = f"measured {first}" if first == last else f"measured {first} to {last}"
                Text("p", f"{part.text} ({measured})", "soft small")
            with Box("details"):
                Text("summary", line.outcome)
                for part in line.parts:
                    with Box("p"):
                        Text("span", "Allowed by ")
                        Text("a", part.grant_id, href=f"/sharing#{part.grant_id}")
                Text("p", f"Number {line.n} of the record. Fingerprint of the exact content: {line.digest}", "digest")

    async def _on(self) -> None:
        if self._next is not None:
            self._starts.append(self._next)
            await self._show()

    async def _back(self) -> None:
        if len(self._starts) > 1:
            self._starts.pop()
            await self._show()

    async def _chosen(self) -> None:
        self._starts = [None]
        await self._show()


class _Record:
    """Whether the record is whole, and its end, to be kept elsewhere."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._busy = False
        with Box("section", "card", aria_label="Proof"):
            Text("h2", "Can this record be trusted?")
            Text(
                "p",
                "Each line is sealed with the one before it: a line that is changed, taken out or moved is found. "
                "Keep a copy of the end of the record somewhere else, and nobody can write it all anew unseen; "
                "every receipt holds one too.",
                "soft",
            )
            self._end = Text("p")
            with Box("div", "row"):
                Button("Check the whole record", self._check)
                Text(
                    "a", "Save the end of the record, signed", "button", href="/api/ledger/head", download="record.json"
                )
            self._said = Text("p", css="said", role="status")
            self._faults = Box("ul", "lines")

    def update(self, head: Head) -> None:
        """Show where it ends."""
        end = f"It has {words.plural(head.n, 'line')}. Its end: {head.hash.hex()}"
        self._end.say(end if head.n else "It is empty so far.")
        self._end.classes("digest")

    async def _check(self) -> None:
        if self._busy:
            return
        self._busy = True
        self._faults.clear()
        self._tell("Checking every line …", bad=False)
        try:
            verdict = await self._live.verify()
        finally:
            self._busy = False
        self._tell(_verdict(verdict), bad=not verdict.ok)
        with self._faults:
            for fault in verdict.faults[:20]:
                Text("li", f"{words.sentence(str(fault))}.")

    def _tell(self, text: str, *, bad: bool) -> None:
        self._said.classes(add="bad-word" if bad else "", remove="" if bad else "bad-word")
        self._said.say(text)


def _verdict(verdict: Verdict) -> str:
    lines = words.plural(verdict.rows, "line")
    if verdict.ok:
        return f"All is as it was written: {lines}, none changed, none missing."
    return f"The record was tampered with: of {lines}, {words.plural(len(verdict.faults), 'thing')} is wrong."


class _Notices:
    """Who was asked to erase something, and who has confirmed it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._shown: object = None
        with Box("section", "card", aria_label="Requests to erase") as self._box:
            Text("h2", "Requests to erase")
            Text("p", "Whoever got something that you stopped sharing, or erased, is asked to erase it too.", "soft")
            self._list = Box("ul", "lines")

    def update(self, notices: Sequence[NoticeView]) -> None:
        """Show what is new."""
        self._box.set_visibility(bool(notices))
        troubles = {f.name: f.notice_trouble for f in self._live.gateway.forwarders if f.notice_trouble}
        if (notices, troubles) == self._shown:
            return
        self._shown = (notices, troubles)
        self._list.clear()
        with self._list:
            for notice in notices:
                self._row(notice, troubles)

    def _row(self, notice: NoticeView, troubles: dict[str, str]) -> None:
        when = partial(words.moment, now_ms=self._live.now_ms, zone=self._live.zone)
        who = recipient_name(self._live.vocabulary, notice.recipient)
        why = "you stopped sharing" if notice.reason == "revoked" else "you erased"
        confirmed_ms = notice.confirmed_ms
        with Box("li"):
            with Box("div", "split"):
                Text("span", f"{who}: what {why}, asked {when(notice.created_ms)}")
                if confirmed_ms is not None:
                    Text("span", f"Confirmed {when(confirmed_ms)}", "soft when")
                else:
                    Text("span", "Not confirmed yet", "trouble when")
            if notice.grant_id is not None:
                Text("p", f"All that it got under {notice.grant_id}.", "soft small")
            if confirmed_ms is None:
                Text("p", _waiting(notice, troubles), "soft small")


def _waiting(notice: NoticeView, troubles: dict[str, str]) -> str:
    if not notice.sinks:
        return "Nothing leads to this recipient any more: it is told as soon as something does."
    tries = sum(tries for _, tries, acked_ms in notice.sinks if acked_ms is None)
    said = [troubles[sink] for sink, _, acked_ms in notice.sinks if acked_ms is None and sink in troubles]
    asked = f"It was asked {words.plural(tries, 'time')}, and is asked again." if tries else "It is asked next."
    return " ".join([asked, *(f"The last time: {trouble}." for trouble in said)])
