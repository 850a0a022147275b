"""The shapes in which the stand-in cloud tells what it holds and what became of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tools.cloud_check import Refusal

__all__ = ["CloudStats", "Counts", "Holding", "Kept", "Refused", "Report", "terms"]

REPORTED: Final = 100  # refusals named in one answer


@dataclass(frozen=True)
class Counts:
    """What arrived from the start of the file on. received = events + erased + duplicates + refused."""

    events: int = 0  # held now
    duplicates: int = 0  # arrived again
    conflicts: int = 0  # of the duplicates: with another body under the same (source, id)
    refused: int = 0  # not kept; includes the leaked
    leaked: int = 0  # of the refused: left the house without valid consent
    malformed: int = 0  # requests with a body that could not be read
    cut_short: int = 0  # requests whose body never came whole
    requests: int = 0
    bytes_received: int = 0  # bodies as they came, before unpacking
    erasures: int = 0  # notices, a repeated one counted once
    erased: int = 0  # events deleted because of them


@dataclass(frozen=True)
class CloudStats(Counts):
    """Counts over all recipients, for each recipient, and the events held for each purpose."""

    by_recipient: dict[str, Counts] = field(default_factory=dict)
    by_purpose: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Holding:
    """How many events of one category are held under one grant, and on what terms."""

    grant: str
    purpose: str
    granularity: str
    expiry: str
    category: str
    events: int


@dataclass(frozen=True)
class Kept:
    """An event or a notice as it was stored, and when it came (Unix seconds)."""

    recipient: str
    arrived_s: float
    body: dict[str, object]


@dataclass(frozen=True)
class Refused:
    """An event that was refused; `body` is its JSON text, cut at a bound, or empty once erased."""

    recipient: str
    arrived_s: float
    kind: str
    reason: str
    body: str


@dataclass
class Report:
    """What became of one batch; the answer to the sender."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    leaked: int = 0
    refused: int = 0
    reasons: list[dict[str, object]] = field(default_factory=list)  # of the first refusals

    def refuse(self, index: int, event: object, why: Refusal) -> None:
        """Count one refusal and keep its reason for the answer."""
        self.refused += 1
        self.leaked += why.kind == "consent"
        if len(self.reasons) < REPORTED:
            event_id = event.get("id") if isinstance(event, dict) else None
            name = event_id[:64] if isinstance(event_id, str) else None
            self.reasons.append({"index": index, "id": name, "kind": why.kind, "reason": why.reason})


def terms(event: Mapping[str, object]) -> tuple[str, ...]:
    """On what terms an event is held: its grant, purpose, granularity and expiry, and its category."""
    data = event["data"]
    category = data.get("category") if isinstance(data, dict) else None
    flags = (event[f"consent{name}"] for name in ("grant", "purpose", "granularity", "expiry"))
    return (*(str(flag) for flag in flags), str(category))
