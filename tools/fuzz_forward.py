"""Fuzz target of the way out: from a board's messages to the events of a sink.

Whatever a board says, every event that may be sent is one that the stand-in cloud's own check takes: well formed, under
a grant that was given, not finer than it allows. And each is there once, however often the messages come.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools import fuzz_mutate
from tools.fuzz_store import NOW_MS, House, device_name, messages, seeds
from tools.fuzz_target import Broken, Parse, Refused, Target, scratch

__all__ = ["TARGETS"]

_HOUR_MS = 3_600_000
_LATER_MS = NOW_MS + 25 * _HOUR_MS  # frames without a time are decided on by now, and buckets are complete
_RECIPIENT = "manufacturer"
_GRANTS = (("temperature", "raw"), ("use", "15min"), ("use", "event"))
_MOST_FILLS = 50


def _give(db: Any) -> None:
    from gateway.consent import register
    from gateway.consent.grants import Grant
    from gateway.consent.vocabulary import Granularity

    for number, (category, granularity) in enumerate(_GRANTS):
        grant = Grant(
            id=f"g-{number:016x}", subject="Anna", devices=("*",), category=category, recipient=_RECIPIENT,
            purpose=("product-improvement", "research")[number % 2], granularity=Granularity(granularity), hours=None,
            start_ms=NOW_MS - 24 * _HOUR_MS, expiry_ms=NOW_MS + 720 * _HOUR_MS, text="I agree.", language="en",
            created_ms=NOW_MS - 24 * _HOUR_MS,
        )  # fmt: skip
        register.give(db, grant)


class _Way:
    """One database's sink."""

    def __init__(self, db: Any) -> None:
        from gateway.consent.register import Register
        from gateway.forward.queue import SinkQueue

        purposes = ("product-improvement", "research")
        self._queue = SinkQueue(db, Register(db), "maker", _RECIPIENT, purposes, lambda: _LATER_MS)

    def events(self) -> list[dict[str, Any]]:
        """Everything that may be sent now; it counts as delivered."""
        for _ in range(_MOST_FILLS):
            if not self._queue.fill():
                break
        else:
            raise Broken("the sink never comes to the end of its frames")
        found = []
        while queued := self._queue.take():
            self._queue.delivered(queued)
            found += [json.loads(event.body) for event in queued]
        return found


def _judge(events: list[dict[str, Any]], seen: set[str]) -> None:
    from tools.cloud_check import refusal

    grants = {f"g-{number:016x}" for number in range(len(_GRANTS))}
    for event in events:
        why = refusal(event, recipient=_RECIPIENT, now_s=_LATER_MS / 1000, grants=grants)
        if why is not None:
            raise Broken(f"an event that the cloud must refuse may be sent: {why.reason}: {json.dumps(event):.400}")
        if event["id"] in seen:
            raise Broken(f"the event {event['id']} may be sent twice")
        seen.add(event["id"])


@contextmanager
def _forward() -> Iterator[Parse]:
    from gateway.app.examine import examine
    from gateway.store import frames

    with scratch() as folder, contextlib.closing(House(folder, _give)) as house:
        way = _Way(house.db)

        def take(data: bytes) -> int:
            """How many events came of it."""
            name = device_name(len(house.inputs) + 1)
            house.inputs.append(data)
            items = [examine(topic, message, house.registry, NOW_MS) for topic, message in messages(data, name)]
            seen: set[str] = set()
            for _ in range(2):
                frames.commit(house.db, items)
                _judge(way.events(), seen)
            return len(seen)

        def parse(data: bytes) -> None:
            nonlocal way
            sent = 0
            try:
                sent = take(data)
            except BaseException:
                house.again()
                way = _Way(house.db)
                raise
            if house.full:
                house.again()
                way = _Way(house.db)
            if not sent:
                raise Refused("nothing may be sent")

        yield parse


TARGETS = (
    Target(
        "forward", "batches of sealed messages, to the events that leave", _forward, seeds, fuzz_mutate.batch,
        share=60, cost_us=4000, max_bytes=1024,
    ),
)  # fmt: skip
