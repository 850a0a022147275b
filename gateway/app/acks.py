"""Which high-water marks a board is told after a commit. Pure."""

from collections.abc import Mapping

from gateway.wire.downlink import MAX_ACK_BOOTS

Boot = tuple[int, int]
"""(device row, boot)."""
Mark = tuple[int, int]
"""(boot, seq up to which everything is on disk)."""


class AckBook:
    """The marks that each device was last told: of a few boots, newest heard first.

    A board with a backlog speaks of several boots, and the one that it is sending now may be the oldest. So what counts
    is when a boot was heard, not its number.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[int, int]] = {}  # boot -> mark; newest heard last

    def commit(self, acks: Mapping[Boot, int]) -> dict[int, list[list[Mark]]]:
        """The messages for each device whose marks a commit gave: each a list of at most MAX_ACK_BOOTS marks.

        `acks`: the boots' marks, the last one heard last. The first message of a device holds the boots that were heard
        most recently, and is the one to retain.
        """
        marks: dict[int, dict[int, int]] = {}
        for (device_id, boot), seq in acks.items():
            marks.setdefault(device_id, {})[boot] = seq
        return {device_id: self._messages(device_id, given) for device_id, given in marks.items()}

    def _messages(self, device_id: int, given: dict[int, int]) -> list[list[Mark]]:
        known = self._known.setdefault(device_id, {})
        for boot, seq in given.items():
            known.pop(boot, None)
            known[boot] = seq
        told = list(reversed(known.items()))
        self._known[device_id] = dict(reversed(told[:MAX_ACK_BOOTS]))
        # What was not heard now fills up the message that is retained, and makes no message of its own.
        told = told[: max(len(given), MAX_ACK_BOOTS)]
        return [told[at : at + MAX_ACK_BOOTS] for at in range(0, len(told), MAX_ACK_BOOTS)]
