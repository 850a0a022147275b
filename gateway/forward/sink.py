"""What a sink is to the forwarder."""

from collections.abc import Sequence
from typing import Protocol


class Retry(Exception):
    """The sink could not take the batch now. `after_s`: how long it asked to wait, if it did."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class Rejected(Exception):
    """The sink will never take these bytes: something in the batch is not acceptable to it."""


class Sink(Protocol):
    """Takes batches of CloudEvents, each as JSON text. Returning means: the receiver has them for good."""

    async def send(self, events: Sequence[str]) -> None:
        """Deliver a batch. Raises Retry or Rejected; anything that may have arrived is sent again as it was."""

    async def close(self) -> None:
        """Let go of connections and files."""
