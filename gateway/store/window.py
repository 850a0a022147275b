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

    def copy(self) -> "Window":
        """Another one with the same numbers."""
        return Window(self.upto, self.islands)

    def add(self, seq: int) -> bool:
        """Add a seq (1 or more); False if it was here already. Raises WindowFull."""
        return self.add_range(seq, seq) == 1

    def add_range(self, first: int, last: int) -> int:
        """Add every seq from `first` (1 or more) to `last`; how many of them were not here. Raises WindowFull, with
        nothing changed. The work depends on the islands, not on the length of the range."""
        before = self.upto
        if first <= self.upto + 1:
            if last <= self.upto:
                return 0
            inside = [i for i in self.islands if i[0] <= last + 1]
            del self.islands[: len(inside)]
            self.upto = max([last, *(end for _, end in inside)])
            return self.upto - before - sum(end - begin + 1 for begin, end in inside)
        begin_at = bisect_left(self.islands, (first,))
        if begin_at > 0 and self.islands[begin_at - 1][1] >= first - 1:
            begin_at -= 1
        end_at = bisect_left(self.islands, (last + 2,))
        inside = self.islands[begin_at:end_at]
        if not inside and len(self.islands) >= MAX_ISLANDS:
            raise WindowFull(f"{MAX_ISLANDS} gaps are open already")
        joined = (min([first, *(b for b, _ in inside)]), max([last, *(e for _, e in inside)]))
        self.islands[begin_at:end_at] = [joined]
        return joined[1] - joined[0] + 1 - sum(end - begin + 1 for begin, end in inside)
