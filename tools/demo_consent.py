"""The demo's story of one grant: given, used, taken back; the stream stops, and what had left is erased again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from gateway.consent import register
from gateway.consent.grants import Grant, expires
from gateway.consent.vocabulary import Granularity
from tools.demo_household import DAYS, FRIDGE, Household, say

__all__ = ["Story", "broken_consent", "tell"]

RECIPIENT = "manufacturer"
LOOK_S = 0.25
FLUSH_S = 1.0  # the board is asked this often to send what it holds, instead of when it would have
BEFORE, DURING = 0.15, 0.2  # of the demo's time: until the grant is given, and at least until it is taken back
PATIENCE_S = 20.0


@dataclass(slots=True)
class Story:
    """What became of the grant. Counts are of events at the cloud; `after_revoke` are those that should not be."""

    given: bool = False
    arrived: int = 0
    after_revoke: int = 0
    erased: int = 0
    notice_acked: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the demo's report."""
        return asdict(self)


def door_grant(now_ms: int) -> Grant:
    """What is allowed for a while, and then taken back."""
    return Grant(
        id=register.new_id(),
        subject="Demo household",
        devices=(FRIDGE.device,),
        category="door",
        recipient=RECIPIENT,
        purpose="product-improvement",
        granularity=Granularity.RAW,
        hours=None,
        start_ms=now_ms,
        expiry_ms=expires(now_ms, DAYS),
        text="I agree that the manufacturer gets when my fridge's door is opened and closed (every single reading) to "
        "make better appliances, for a year. I can take this back any time.",
        language="en",
        created_ms=now_ms,
    )


async def tell(home: Household, seconds: float, story: Story) -> None:
    """Let it happen within `seconds`, where the boards are quick enough; every step is a line, and is kept in `story`.

    Raises TimeoutError if a step does not come."""
    gateway, cloud = home.gateway, home.cloud
    await asyncio.sleep(BEFORE * seconds)
    grant = door_grant(gateway.now_ms())
    await gateway.grant(grant)
    story.given = True
    say("Story 1  given: the manufacturer may get every reading of the fridge's door, too")

    async with _hurried(home):
        await _until(lambda: _held(home, grant.id), max(PATIENCE_S, seconds))
        await asyncio.sleep(DURING * seconds)
    before = await gateway.store(register.versions, gateway.db, grant.id)
    story.arrived = await _held(home, grant.id)
    say(f"Story 2  used: {story.arrived} events under version {before[-1].version} of it are at the cloud")

    leaked = cloud.stats().leaked
    erased = cloud.stats().erased
    await gateway.revoke(grant.id, by=grant.subject)
    sent = await gateway.store(_sent, home, grant.id)
    say("Story 3  taken back: from this moment not one more byte leaves under it")

    await _until(lambda: _acked(home, grant.id), PATIENCE_S)
    story.notice_acked = True
    story.erased = cloud.stats().erased - erased
    story.arrived = max(story.arrived, story.erased)  # some may have come while it was being taken back
    say(f"Story 4  asked back: the cloud got the signed notice, and has erased {story.erased} events")

    async with _hurried(home):
        await asyncio.sleep(max(DURING * seconds, 2 * FLUSH_S))
    # What came after all would have been turned away as a leak, be held, or have been erased beside what was sent.
    story.after_revoke = cloud.stats().leaked - leaked + await _held(home, grant.id) + max(0, story.erased - sent)
    say(f"Story 5  silent: the door is measured as before, and {story.after_revoke} events of it came since")


def broken_consent(consent: dict[str, Any]) -> list[str]:
    """Which promises about consent were not kept. A story that was not begun promises nothing."""
    broken = []
    if consent["audit_before"] is not True:
        broken.append(f"`hearthgate audit verify` does not say yes to the household's own ledger: {consent['fault']}")
    if consent["audit_after_edit"] is not False:
        broken.append("`hearthgate audit verify` does not see that a byte of the ledger was changed")
    if not consent["given"]:
        return broken
    if not consent["arrived"]:
        broken.append("nothing arrived under the grant that was given")
    if consent["after_revoke"]:
        broken.append(f"{consent['after_revoke']} events came under a grant that had been taken back")
    if not consent["notice_acked"] or not consent["erased"]:
        broken.append("the cloud did not erase what came under the grant that was taken back")
    return broken


async def _held(home: Household, grant_id: str) -> int:
    """Events that the cloud holds under a grant."""
    return sum(held.events for held in await home.cloud.holdings(RECIPIENT) if held.grant == grant_id)


async def _acked(home: Household, grant_id: str) -> bool:
    """Whether the gateway knows that the cloud has the notice, and the cloud has it."""
    notice = "SELECT 1 FROM notice JOIN notice_sink ON notice_id = id WHERE grant_id = ? AND acked_ms IS NOT NULL"

    def told() -> bool:
        return home.gateway.db.connection.execute(notice, (grant_id,)).fetchone() is not None

    return home.cloud.stats().erasures > 0 and await home.gateway.store(told)


def _sent(home: Household, grant_id: str) -> int:
    """Events that may have left under a grant, by the gateway's own count. In the database's thread."""
    row = home.gateway.db.connection.execute("SELECT sum(events) FROM disclosure WHERE grant_id = ?", (grant_id,))
    return int(row.fetchone()[0] or 0)


async def _until(there: Callable[[], Any], patience_s: float) -> None:
    async with asyncio.timeout(patience_s):
        while not await there():  # noqa: ASYNC110 - the cloud tells nobody when something comes
            await asyncio.sleep(LOOK_S)


@contextlib.asynccontextmanager
async def _hurried(home: Household) -> Any:
    """Meanwhile the fridge sends what it has measured every now and then, instead of when it has enough."""

    async def hurry() -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await home.gateway.command(FRIDGE.device, "flush")

    task = asyncio.create_task(hurry())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
