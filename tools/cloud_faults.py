"""How the stand-in cloud misbehaves when a test or a demo asks it to."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

__all__ = ["MODES", "Dice", "Faults", "FaultsError"]

MODES: Final[Mapping[str, str]] = {
    "ok": "answers as it should",
    "slow": "stores at once, but answers only after delay_s",
    "fail": "stores nothing and answers with status",
    "lose_answers": "stores, then closes the connection without an answer",
    "throttle": "stores nothing and answers 429 with Retry-After",
}
LONGEST_S: Final = 3600.0


class FaultsError(Exception):
    """A fault that cannot be set; the message says what is wrong with it."""


@dataclass(frozen=True)
class Faults:
    """A mode of MODES and its numbers; raises FaultsError where one makes no sense."""

    mode: str = "ok"
    delay_s: float = 1.0
    status: int = 503
    retry_after_s: float = 1.0
    probability: float = 1.0  # that a request meets the fault
    seed: int = 1  # of the dice for probability

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise FaultsError(f"mode must be one of {', '.join(MODES)}")
        for name, low, high in (
            ("delay_s", 0.0, LONGEST_S),
            ("status", 400, 599),
            ("retry_after_s", 0.0, LONGEST_S),
            ("probability", 0.0, 1.0),
            ("seed", -(2**63), 2**63),
        ):
            value = getattr(self, name)
            whole = name in ("status", "seed")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise FaultsError(f"{name} must be a {'whole ' if whole else ''}number")
            if not low <= value <= high:
                raise FaultsError(f"{name} must be between {low:g} and {high:g}")

    @classmethod
    def from_json(cls, settings: object) -> Faults:
        """Make one of a decoded JSON object; what it does not name has its default. Raises FaultsError."""
        if not isinstance(settings, dict):
            raise FaultsError("the control message must be a JSON object")
        unknown = set(settings) - {f.name for f in fields(cls)}
        if unknown:
            raise FaultsError(f"unknown setting {min(unknown)[:64]!r}")
        if not isinstance(settings.get("mode", "ok"), str):
            raise FaultsError(f"mode must be one of {', '.join(MODES)}")
        return cls(**settings)

    @property
    def retry_after(self) -> str:
        """The Retry-After header: whole seconds (RFC 9110, section 10.2.3)."""
        return str(math.ceil(self.retry_after_s))


class Dice:
    """Draws, request by request, whether a fault happens; the same seed gives the same run."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(faults.seed)

    def mode(self) -> str:
        """The mode for the next request."""
        return self.faults.mode if self._random.random() < self.faults.probability else "ok"
