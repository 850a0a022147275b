"""What is sent at once: events in an order that tells nothing, the body they make, and what the ledger says of them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

Compose = Callable[[Sequence[str]], bytes]


@dataclass(frozen=True, slots=True)
class Queued:
    """One event that may be sent now. `pseudonym` is the name it carries; times are of the readings in it."""

    id: int
    grant_id: str
    version: int
    device: str
    epoch: int
    category: str
    purpose: str
    granularity: str
    is_event: bool | int
    first_ms: int
    last_ms: int
    body: str
    pseudonym: str


@dataclass(frozen=True, slots=True)
class Batch(Sequence[Queued]):
    """Events that go together. `sending`: the row of the ledger that says so (0: there is none, they are none);
    `until_ms`: when the first of their grants expires."""

    events: tuple[Queued, ...]
    body: bytes
    sending: int
    until_ms: int

    @overload
    def __getitem__(self, at: int) -> Queued: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Queued, ...]: ...
    def __getitem__(self, at: int | slice) -> Queued | tuple[Queued, ...]:
        return self.events[at]

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Queued]:
        return iter(self.events)


NOTHING = Batch((), b"", 0, 0)


def ordered(events: Iterable[Queued]) -> tuple[Queued, ...]:
    """Device after device, by the names that only this recipient knows: the order in which the house's devices spoke
    is the same for all recipients, and would let them join what they have. Of one device the order stays."""
    return tuple(sorted(events, key=lambda event: event.pseudonym))


def told(sink: str, recipient: str, events: Sequence[Queued], body: bytes) -> dict[str, Any]:
    """What the ledger says before the first byte of them leaves."""
    groups: dict[tuple[str, int, str], list[int]] = {}
    for event in events:
        group = groups.setdefault((event.grant_id, event.version, event.category), [0, event.first_ms, event.last_ms])
        group[0] += 1
        group[1] = min(group[1], event.first_ms)
        group[2] = max(group[2], event.last_ms)
    return {
        "sink": sink,
        "recipient": recipient,
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "bytes": len(body),
        "events": len(events),
        "grants": [
            {"grant": grant, "version": version, "category": category, "events": n, "first_ms": first, "last_ms": last}
            for (grant, version, category), (n, first, last) in sorted(groups.items())
        ],
    }
