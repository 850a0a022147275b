"""A grant that is changed while something is filled, waits or is under way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.consent import register
from gateway.consent.vocabulary import Granularity, Vocabulary
from gateway.forward import notices
from gateway.forward.forwarder import Forwarder
from gateway.store.thread import StoreThread
from tests.gateway.sinks import DAY_MS, HOUR_MS, QUARTER_MS, fill, filled, minute

WORDS = Vocabulary.standard()


def change(household: Any, grant: Any, **fields: Any) -> Any:
    return register.change(household.db, grant.id, household.now_ms, WORDS, text="I agree anew.", **fields)


def test_one_that_is_to_start_later_does_not_start_with_a_change(household: Any, board: Any):
    queue = household.queue()
    grant = household.grant(start_ms=household.now_ms + HOUR_MS)
    changed = change(household, grant, granularity=Granularity.EVENT)
    assert changed.start_ms == grant.start_ms
    household.receive(board.birth(), board.events(1, [(3, 0, 1)], time_s=household.now_ms // 1000))
    assert filled(queue) == []


def test_an_aggregate_of_which_a_change_allows_only_a_part_is_not_sent(household: Any, board: Any):
    queue = household.queue()
    grant = household.grant(granularity=Granularity.QUARTER_HOUR, start_ms=household.now_ms - DAY_MS)
    household.receive(board.birth(), *[minute(household, board, seq) for seq in range(1, 4)])
    fill(queue)
    assert household.count("bucket") == 1
    change(household, grant, start_ms=household.now_ms)  # nothing else: what waits is not dropped
    household.now_ms += 2 * HOUR_MS
    assert filled(queue) == []
    assert household.db.counters()["withheld.partial"] == 18


def test_an_aggregate_that_waits_and_of_which_a_change_allows_only_a_part_is_dropped(household: Any, board: Any):
    queue = household.queue()
    grant = household.grant(granularity=Granularity.QUARTER_HOUR, start_ms=household.now_ms - DAY_MS)
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    household.now_ms += 2 * HOUR_MS
    fill(queue)
    assert queue.depth() == 1
    begin_ms = household.now_ms - 2 * HOUR_MS - 60_000
    change(household, grant, since_ms=begin_ms - begin_ms % QUARTER_MS + 1, start_ms=household.now_ms)
    assert list(queue.take()) == []
    assert queue.depth() == 0


def test_a_batch_that_is_taken_again_ends_when_the_grant_ends_now(household: Any, board: Any):
    queue, grant = household.queue(), household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    first = queue.take()
    change(household, grant, expiry_ms=household.now_ms + 1000)
    again = queue.take()
    assert (again.body, again.sending) == (first.body, first.sending)
    assert again.until_ms == household.now_ms + 1000
    assert queue.allowed_until(first) == household.now_ms + 1000
    household.now_ms += 1000
    assert queue.allowed_until(first) == 0


def test_what_was_measured_before_a_pause_stays_even_if_the_clock_was_set_back_meanwhile(household: Any):
    grant = household.grant()
    register.pause(household.db, grant.id, household.now_ms)
    assert register.resume(household.db, grant.id, household.now_ms - HOUR_MS).resumed_ms == household.now_ms


def test_a_notice_does_not_tell_the_millisecond_of_the_act(household: Any, board: Any):
    queue, grant = household.queue(), household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    queue.take()
    household.now_ms += 1234
    household.revoke(grant)
    notices.owe(household.db, [("cloud", "manufacturer")], household.now_ms)
    (notice,) = queue.notices()
    said = json.loads(notice.body)
    assert said["time"] == "2026-05-28T20:27:40Z"


class Slow:
    """A sink that never comes to its end by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended: list[str] = []

    def compose(self, events: Any) -> bytes:
        return "".join(events).encode()

    async def send(self, body: bytes) -> None:
        self.begun.set()
        await asyncio.sleep(60)

    async def notify(self, notice: str) -> None:
        pass

    async def abort(self) -> None:
        self.ended.append("abort")

    async def close(self) -> None:
        pass


@pytest.mark.asyncio
async def test_a_grant_that_ends_sooner_ends_what_is_under_way_sooner(household: Any, board: Any):
    queue, grant = household.queue(), household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    store, sink = StoreThread(), Slow()
    forwarder = Forwarder(queue, sink, store)
    step = asyncio.create_task(forwarder.step())
    await sink.begun.wait()
    await store(change, household, grant, expiry_ms=household.now_ms + 1000)
    await forwarder.recheck()
    assert sink.ended == []
    household.now_ms += 1000
    await asyncio.wait_for(step, 10)
    assert sink.ended == ["abort"]
    store.close()


@pytest.mark.asyncio
async def test_where_it_cannot_be_asked_whether_a_batch_may_go_on_it_is_ended(
    household: Any, board: Any, monkeypatch: pytest.MonkeyPatch
):
    queue = household.queue()
    household.grant()
    household.receive(board.birth(), minute(household, board, 1))
    store, sink = StoreThread(), Slow()
    forwarder = Forwarder(queue, sink, store)
    step = asyncio.create_task(forwarder.step())
    await sink.begun.wait()

    def fails(_: Any) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(queue, "allowed_until", fails)
    with pytest.raises(OSError, match="gone"):
        await forwarder.recheck()
    assert sink.ended == ["abort"]
    await step
    store.close()
