"""Which sequence numbers of one (device, boot) are here: a contiguous high-water mark and the islands above it."""

from bisect import bisect_left
from collections.abc import Iterable

MAX_ISLANDS = 256


class WindowFull(Exception):
    """One more island would pass the bound; the board keeps the frame and sends it again when gaps have closed."""


class Window:
    """Dedup state. Its size depends on the gaps of the moment, never on the number of frames.

    `upto`: every seq from 1 to this one was added. `islands`: sorted, disjoint (first, last) ranges above upto + 1.
    """

    __slots__ = ("islands", "upto")

    def __init__(self, upto: int = 0, islands: Iterable[tuple[int, int]] = ()) -> None:
        self.upto = upto
        self.islands = [(first, last) for first, last in islands]

    def __contains__(self, seq: int) -> bool:
        if seq <= self.upto:
            return True
        i = bisect_left(self.islands, (seq + 1,)) - 1
        return i >= 0 and self.islands[i][1] >= seq

    def add(self, seq: int) -> bool:
        """Add a seq (1 or more); False if it was here already. Raises WindowFull."""
        if seq in self:
            return False
        if seq == self.upto + 1:
            self.upto = seq
            if self.islands and self.islands[0][0] == seq + 1:
                self.upto = self.islands.pop(0)[1]
            return True
        i = bisect_left(self.islands, (seq,))
        joins_before = i > 0 and self.islands[i - 1][1] == seq - 1
        joins_after = i < len(self.islands) and self.islands[i][0] == seq + 1
        if joins_before and joins_after:
            self.islands[i - 1 : i + 1] = [(self.islands[i - 1][0], self.islands[i][1])]
        elif joins_before:
            self.islands[i - 1] = (self.islands[i - 1][0], seq)
        elif joins_after:
            self.islands[i] = (seq, self.islands[i][1])
        elif len(self.islands) >= MAX_ISLANDS:
            raise WindowFull(f"{MAX_ISLANDS} gaps are open already")
        else:
            self.islands.insert(i, (seq, seq))
        return True
