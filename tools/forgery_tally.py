"""What became of the forgeries and replays of one kind of message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Tally"]

_MOST_CASES = 20  # that are told in full


@dataclass(slots=True)
class Tally:
    """`mutations` and `replays` that were said; how many of them the counters of who heard them account for; and what
    was taken although it should not have been, each as a sentence. `again`: draws that were genuine messages, and were
    drawn anew. `reasons`: what the counters say, by its name."""

    kind: str
    mutations: int = 0
    counted: int = 0
    replays: int = 0
    replays_counted: int = 0
    accepted: int = 0
    cases: list[str] = field(default_factory=list)
    again: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    control: bool = False
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        """Mutations and replays that changed nothing."""
        return self.mutations + self.replays - self.accepted

    @property
    def holds(self) -> bool:
        """Nothing was accepted, everything was counted once, and a genuine message was taken afterwards."""
        whole = self.counted == self.mutations and self.replays_counted == self.replays
        return whole and not self.accepted and self.control

    def accept(self, case: str) -> None:
        """Note what was accepted."""
        self.accepted += 1
        self.miss(case)

    def miss(self, case: str) -> None:
        """Note a case that is to be told: accepted, or not counted."""
        if len(self.cases) < _MOST_CASES:
            self.cases.append(f"{self.kind}: {case}")

    def to_json(self) -> dict[str, Any]:
        """The figures, by their names."""
        return {
            "mutations": self.mutations,
            "replays": self.replays,
            "refused": self.refused,
            "counted": self.counted + self.replays_counted,
            "accepted": self.accepted,
            "drawn_again": self.again,
            "ways": dict(sorted(self.ways.items())),
            "reasons": dict(sorted(self.reasons.items())),
            "genuine_taken_after": self.control,
            "seconds": round(self.seconds, 1),
        }
