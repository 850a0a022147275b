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

    async def open(self) -> None:
        """Begin, before anything is sent. Raises Retry: then it is tried again."""

    def compose(self, events: Sequence[str]) -> bytes:
        """The exact bytes that are sent for these events, before any content coding: their digest is in the ledger."""

    async def send(self, body: bytes) -> None:
        """Deliver a batch. Raises Retry or Rejected; anything that may have arrived is sent again as it was."""

    async def notify(self, notice: str) -> None:
        """Tell the receiver what to erase. Returning means: it said that it has the notice. Raises Retry."""

    async def abort(self) -> None:
        """End what is being sent: when this returns, not one more byte of it leaves. What `send` then raises, or that
        it still succeeded, is its caller's to see."""

    async def close(self) -> None:
        """Let go of connections and files."""
