"""What all open pages share: one look at the store, however many phones and laptops look at the console."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from gateway.app.gateway import Gateway
from gateway.consent import audit, household_people, ledger, local_use, register
from gateway.consent.grants import Grant
from gateway.consent.ledger import Head, Row, Verdict
from gateway.consent.local_use import Mode
from gateway.consent.people import Person
from gateway.consent.update_decisions import Voice
from gateway.forward.preview import Look, Preview
from gateway.store.frames import Committed
from gateway.web import consent_view, left_view, series, trouble, update_view
from gateway.web.consent_view import SharingView, Story
from gateway.web.left_view import LeftPage, RecordView, Which
from gateway.web.trouble import ProblemsView
from gateway.web.update_view import UpdateView
from gateway.web.views import DeviceBook, HomeView

T = TypeVar("T")

# With news the store is asked at most once a second; without, now and then: a command beside us may have changed it.
_WITH_NEWS_S = 0.9
_WITHOUT_NEWS_S = 5.0
_ROWS_A_STEP = 500


@dataclass(slots=True)
class _Look(Generic[T]):
    read: Callable[[], T]
    without_news_s: float = _WITHOUT_NEWS_S
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    view: T | None = None
    news: int = -1
    at_s: float = 0.0


class Live:
    """The gateway as the pages see it. Every view is read in the store's thread and kept until there is news.

    It listens to the gateway once, not once a page: a page that is closed leaves nothing behind.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.zone = ZoneInfo(gateway.settings.timezone)
        self.vocabulary = gateway.settings.vocabulary()
        self._news = 0
        # A look that takes long waits for the one before it.
        self._previewing, self._verifying = asyncio.Lock(), asyncio.Lock()
        book = DeviceBook(gateway.db)
        self._home: _Look[HomeView] = _Look(book.home)
        self._sharing: _Look[SharingView] = _Look(
            lambda: consent_view.sharing(gateway.db, gateway.now_ms(), self.vocabulary)
        )
        self._problems: _Look[ProblemsView] = _Look(lambda: trouble.problems(gateway.db))
        self._record: _Look[RecordView] = _Look(lambda: left_view.record(gateway.db))
        # It moves without a commit.
        self._update: _Look[UpdateView] = _Look(lambda: update_view.read(gateway.db), _WITH_NEWS_S)
        gateway.on_commit(self._committed)

    @property
    def now_ms(self) -> int:
        """The household's clock."""
        return self.gateway.now_ms()

    @property
    def news(self) -> int:
        """Counts up whenever something was stored or changed."""
        return self._news

    async def home(self) -> HomeView:
        """Devices and counters."""
        return await self._look(self._home)

    async def sharing(self) -> SharingView:
        """Grants and what became of them."""
        return await self._look(self._sharing)

    async def problems(self) -> ProblemsView:
        """What could not be used."""
        return await self._look(self._problems)

    async def watch(self) -> HomeView:
        """Devices and counters, for somebody who looks at them: the boards report every second meanwhile."""
        self.gateway.watching.looked()
        return await self.home()

    async def update(self) -> UpdateView:
        """The last update that was ordered, with the version that boards would get now where none was made yet."""
        view = await self._look(self._update)
        if view.firmware is None and view.boards:
            return replace(view, firmware=await self.gateway.updating.order.offers())
        return view

    async def last_hours(self, device_id: int, channel: str, hours: float) -> series.Series:
        """The readings of a channel."""
        return await self.gateway.store(series.last_hours, self.gateway.db, device_id, channel, hours)

    async def since(self, device_id: int, channel: str, known: series.Series, hours: float) -> series.Series:
        """`known` readings of a channel, with what came after them."""
        return await self.gateway.store(series.since, self.gateway.db, device_id, channel, known, hours)

    async def grant(self, *grants: Grant) -> None:
        """Give a grant, or several in one act; every page sees it with its next look. Raises GrantError."""
        await self.gateway.grant(*grants)
        self._changed()

    async def change(self, grant_id: str, *, text: str, **fields: Any) -> Grant:
        """A grant's next version; see `register.change`. Raises GrantError."""
        return self._seen(await self.gateway.change(grant_id, text=text, **fields))

    async def pause(self, grant_id: str, by: str = "") -> Grant:
        """Let a grant rest. Raises GrantError."""
        return self._seen(await self.gateway.pause(grant_id, by))

    async def resume(self, grant_id: str, by: str = "") -> Grant:
        """Let it work again. Raises GrantError."""
        return self._seen(await self.gateway.resume(grant_id, by))

    async def revoke(self, grant_id: str, by: str = "") -> Grant:
        """Take a grant back. Raises GrantError."""
        return self._seen(await self.gateway.revoke(grant_id, by))

    async def find(self, grant_id: str) -> Grant:
        """A grant in its newest version. Raises GrantError."""
        return await self.gateway.store(register.find, self.gateway.db, grant_id)

    async def story(self, grant_id: str) -> Story:
        """A grant's versions, and what was done with it. Raises GrantError."""
        return await self.gateway.store(consent_view.story, self.gateway.db, grant_id)

    async def put_person(self, person: Person) -> None:
        """Add somebody to the household, or say what they are. Raises GrantError."""
        await self.gateway.store(household_people.put, self.gateway.db, person, self.now_ms)
        self._changed()

    async def set_mode(self, device: str, category: str, mode: Mode) -> None:
        """Say what of a device, or of all (*), may leave its board at all. Raises GrantError."""
        await self.gateway.store(local_use.set_mode, self.gateway.db, device, category, mode, self.now_ms)
        await self.gateway.consent_changed()
        self._changed()

    async def agree_to_update(self, voice: Voice) -> int:
        """Say yes to the update that waits for it. How many boards waited. Raises GrantError, as the next two do."""
        return self._seen(await self.gateway.updating.order.agree(voice))

    async def decline_update(self, voice: Voice) -> int:
        """Say no to it. How many boards waited."""
        return self._seen(await self.gateway.updating.order.decline(voice))

    async def stop_update(self, voice: Voice) -> int:
        """Begin nothing more. How many boards are left as they are."""
        return self._seen(await self.gateway.updating.order.stop(voice))

    async def preview(self, grant: Grant) -> Preview:
        """What a grant would have sent of the last day. In steps: others wait for the store's thread too."""
        store = self.gateway.store
        async with self._previewing:
            look = await store(Look, self.gateway.db, grant, grant.recipient, self.now_ms)
            while await store(look.step):
                pass
            return await store(look.seen)

    async def left(self, which: Which, before: int | None) -> LeftPage:
        """A page of the ledger in plain words, newest first: the rows before a number."""
        return await self.gateway.store(left_view.left, self.gateway.db, self.vocabulary, which, before)

    async def record(self) -> RecordView:
        """The end of the ledger, and what recipients were asked to erase."""
        return await self._look(self._record)

    async def verify(self, *anchors: Head) -> Verdict:
        """Check the whole ledger: read in steps in the store's thread, checked beside it. No commit waits for it."""
        loop = asyncio.get_running_loop()

        def step(first_n: int) -> list[Row]:
            return list(islice(audit.rows(self.gateway.db, first_n), _ROWS_A_STEP))

        def rows() -> Iterator[Row]:
            first_n = 1
            while found := asyncio.run_coroutine_threadsafe(self.gateway.store(step, first_n), loop).result():
                yield from found
                first_n = found[-1].n + 1

        async with self._verifying:
            return await asyncio.to_thread(ledger.verify, rows(), anchors)

    @property
    def troubles(self) -> list[tuple[str, str]]:
        """What is wrong at this moment: (in plain words, for whoever mends it)."""
        found = []
        source = self.gateway.source
        storing = self.gateway.ingest.trouble
        if storing is not None:
            found.append(("Nothing new can be kept: free some space. Your appliances hold on to it.", storing))
        if self.gateway.notice is not None:
            found.append(("The file in which readings are kept was damaged.", self.gateway.notice))
        if source.trouble is not None:
            found.append(("Your appliances cannot be heard: the message broker does not answer.", source.trouble))
        renewal = self.gateway.renewal.trouble
        if renewal is not None:
            found.append(("A certificate of the message broker needs care, or your appliances are shut out.", renewal))
        cut_off = "An appliance on a cable cannot be heard: is it plugged in?"
        found += [(cut_off, line.trouble) for line in self.gateway.serial if line.trouble is not None]
        for forwarder in self.gateway.forwarders:
            if forwarder.trouble is not None:
                who = forwarder.queue.recipient
                found.append((f"Nothing gets through to {who} at the moment. It waits here.", forwarder.trouble))
            if forwarder.notice_trouble is not None:
                who = forwarder.queue.recipient
                found.append(
                    (f"{who} was asked to erase something, and has not confirmed it.", forwarder.notice_trouble)
                )
        return found

    async def problem_count(self) -> int:
        """What is wrong now, and kinds of unusable messages within the last day."""
        return len(self.troubles) + (await self.problems()).recent(self.now_ms)

    def _committed(self, _: Committed) -> None:
        self._news += 1

    def _seen(self, done: T) -> T:
        self._changed()
        return done

    def _changed(self) -> None:
        self._news += 1
        looks: tuple[_Look[Any], ...] = (self._home, self._sharing, self._problems, self._record, self._update)
        for look in looks:
            look.view = None

    async def _look(self, look: _Look[T]) -> T:
        self.gateway.ingest.looked()
        async with look.lock:
            age_s = time.monotonic() - look.at_s
            fresh_s = _WITH_NEWS_S if look.news != self._news else look.without_news_s
            if look.view is None or age_s >= fresh_s:
                news = self._news
                view = await self.gateway.store(look.read)
                look.view, look.news, look.at_s = view, news, time.monotonic()
                return view
            return look.view
