"""How long to wait before the next try."""

import random


class Backoff:
    """Exponential with full jitter: a house that comes back does not come back in step with all others."""

    def __init__(self, first_s: float = 1.0, most_s: float = 300.0, rng: random.Random | None = None) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._rng = rng or random.Random()
        self._failures = 0

    def reset(self) -> None:
        """The last try worked."""
        self._failures = 0

    def next_s(self, asked_s: float | None = None) -> float:
        """Seconds to wait now: never less than the receiver asked for (bounded by a day), never under a tenth."""
        ceiling = min(self._most_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        wait = max(0.1, self._rng.uniform(0, ceiling))
        return wait if asked_s is None else max(wait, min(asked_s, 86_400.0))
