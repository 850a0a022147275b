"""What all open pages share: one look at the store, however many phones and laptops look at the console."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from gateway.app.gateway import Gateway
from gateway.consent.grants import Grant
from gateway.store.frames import Committed
from gateway.web import consent_view, series, trouble
from gateway.web.consent_view import SharingView
from gateway.web.trouble import ProblemsView
from gateway.web.views import DeviceBook, HomeView

T = TypeVar("T")

# With news the store is asked at most once a second; without, now and then: a command beside us may have changed it.
_WITH_NEWS_S = 0.9
_WITHOUT_NEWS_S = 5.0


@dataclass(slots=True)
class _Look(Generic[T]):
    read: Callable[[], T]
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
        self._news = 0
        book = DeviceBook(gateway.db)
        self._home: _Look[HomeView] = _Look(book.home)
        self._sharing: _Look[SharingView] = _Look(lambda: consent_view.sharing(gateway.db, gateway.now_ms()))
        self._problems: _Look[ProblemsView] = _Look(lambda: trouble.problems(gateway.db))
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

    async def last_hours(self, device_id: int, channel: str, hours: float) -> series.Series:
        """The readings of a channel."""
        return await self.gateway.store(series.last_hours, self.gateway.db, device_id, channel, hours)

    async def since(self, device_id: int, channel: str, known: series.Series, hours: float) -> series.Series:
        """`known` readings of a channel, with what came after them."""
        return await self.gateway.store(series.since, self.gateway.db, device_id, channel, known, hours)

    async def grant(self, grant: Grant) -> None:
        """Give a grant; every page sees it with its next look."""
        await self.gateway.grant(grant)
        self._changed()

    async def revoke(self, grant_id: str) -> Grant:
        """Take a grant back. Raises GrantError."""
        grant = await self.gateway.revoke(grant_id)
        self._changed()
        return grant

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
        for forwarder in self.gateway.forwarders:
            if forwarder.trouble is not None:
                who = forwarder.queue.recipient
                found.append((f"Nothing gets through to {who} at the moment. It waits here.", forwarder.trouble))
        return found

    async def problem_count(self) -> int:
        """What is wrong now, and kinds of unusable messages within the last day."""
        return len(self.troubles) + (await self.problems()).recent(self.now_ms)

    def _committed(self, _: Committed) -> None:
        self._news += 1

    def _changed(self) -> None:
        self._news += 1
        looks: tuple[_Look[Any], ...] = (self._home, self._sharing, self._problems)
        for look in looks:
            look.view = None

    async def _look(self, look: _Look[T]) -> T:
        self.gateway.ingest.looked()
        async with look.lock:
            age_s = time.monotonic() - look.at_s
            fresh_s = _WITH_NEWS_S if look.news != self._news else _WITHOUT_NEWS_S
            if look.view is None or age_s >= fresh_s:
                news = self._news
                view = await self.gateway.store(look.read)
                look.view, look.news, look.at_s = view, news, time.monotonic()
                return view
            return look.view
