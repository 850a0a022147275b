"""What waits in memory is bounded in bytes, and what is left out is counted."""

from __future__ import annotations

import asyncio

import aiomqtt
import pytest

from gateway.app.inbox import Arrived, BrokerQueue, Inbox, Message
from gateway.wire.cose import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.asyncio


def arrived(size: int) -> Arrived:
    return Arrived(Message("hg/1/a0b1c2d3e4f5/up", bytes(size)), 0)


def published(payload: bytes) -> aiomqtt.Message:
    return aiomqtt.Message("hg/1/a0b1c2d3e4f5/up", payload, qos=1, retain=False, mid=1, properties=None)


async def test_who_puts_waits_while_it_is_full():
    inbox = Inbox(most_bytes=100_000)
    await inbox.put(arrived(60_000))
    assert not inbox.full
    await inbox.put(arrived(60_000))
    assert inbox.full
    waiting = asyncio.create_task(inbox.put(arrived(1)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert len(inbox.take(1, 10**6)) == 1
    await asyncio.wait_for(waiting, 5)
    assert len(inbox) == 2


async def test_many_small_messages_fill_it_too():
    inbox = Inbox(most_bytes=100_000)
    for _ in range(100):
        await inbox.put(arrived(0))
    assert inbox.full


async def test_a_batch_is_bounded_in_number_and_bytes_but_never_empty():
    inbox = Inbox()
    for size in (5000, 50, 50, 50):
        await inbox.put(arrived(size))
    assert [len(a.message.payload) for a in inbox.take(10, 4000)] == [5000]
    assert len(inbox.take(2, 10**6)) == 2
    assert len(inbox.take(10, 10**6)) == 1
    assert inbox.take(10, 10**6) == []


async def test_the_brokers_queue_drops_the_newest_and_counts_it():
    dropped = []
    queue = BrokerQueue(lambda: dropped.append(1), most_bytes=150_000)
    for n in range(5):
        queue.put_nowait(published(bytes([n]) * 60_000))
    assert len(dropped) == 2
    assert [(await queue.get()).payload[0] for _ in range(queue.qsize())] == [0, 1, 2]
    queue.put_nowait(published(b"again"))
    assert queue.get_nowait().payload == b"again"
    assert len(dropped) == 2


async def test_a_strangers_megabytes_are_cut():
    queue = BrokerQueue(lambda: None)
    queue.put_nowait(published(bytes(10_000_000)))
    assert len(queue.get_nowait().payload) == MAX_MESSAGE_BYTES + 1
