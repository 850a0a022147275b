"""When to commit. Pure: times are handed in as seconds of any clock that only goes forward.

Each commit costs the SD card a few pages, however little is in it. So what may wait waits for others; a power cut in
the meantime loses nothing, because boards keep what is not acked.
"""

import math
from collections import Counter

MANY = 100  # messages: by then a commit costs little for each, and more would only cost memory
MANY_S = 0.02
# Frames of one board: it has a backlog, and sends only 16 ahead of its ack. One visit to a fridge makes four and more.
CATCHING_UP = 12
SOON_S = 0.05
BACKLOG_S = (
    5.0  # how long a board counts as catching up after it showed so: the end of its backlog does not wait either
)
LOOKED_S = 5.0  # how long one look counts; an open page looks once a second


class CommitPace:
    """Says when the messages that wait are due.

    `window_s`: for what a person waits for (somebody looks, an event, a board that comes or goes). `quiet_s`: for
    series that nobody watches; never less than `window_s`.
    """

    def __init__(self, window_s: float, quiet_s: float) -> None:
        self._window_s = window_s
        self._quiet_s = max(window_s, quiet_s)
        self._due_s = math.inf
        self._waiting = 0
        self._frames: Counter[str] = Counter()
        self._backlogs: dict[str, float] = {}
        self._looked_s = -math.inf
        self._promised: dict[str, int] = {}
        self._first = True

    @property
    def due_s(self) -> float:
        """When to commit; infinite while nothing waits."""
        return self._due_s

    def heard(self, device: str, now_s: float, *, frame: bool, urgent: bool) -> None:
        """A message waits from now on. `frame`: it is a board's frame; `urgent`: a person may wait for it."""
        self._waiting += 1
        wait_s = min(self._quiet_s, self._promised.get(device, math.inf))
        if urgent or self._looked_at(now_s):
            wait_s = min(wait_s, self._window_s)
        # The first commit of a gateway that came up tells the boards that it is there again.
        if self._first or (frame and self._catching_up(device, now_s)):
            wait_s = min(wait_s, SOON_S)
        if self._waiting >= MANY:
            wait_s = min(wait_s, MANY_S)
        self._due_s = min(self._due_s, now_s + wait_s)

    def looked(self, now_s: float) -> None:
        """Somebody looks at the console."""
        self._looked_s = now_s
        if self._waiting:
            self._due_s = min(self._due_s, now_s + self._window_s)

    def hurry(self, now_s: float) -> None:
        """What waits is due now."""
        if self._waiting:
            self._due_s = min(self._due_s, now_s)

    def taken(self, left: int, now_s: float) -> None:
        """A batch was taken to be committed; `left` messages had no room in it, and are due now."""
        self._waiting = left
        self._due_s = now_s if left else math.inf
        self._frames.clear()
        self._backlogs = {device: at_s for device, at_s in self._backlogs.items() if now_s - at_s <= BACKLOG_S}
        self._first = False

    def promise_s(self, device: str, now_s: float) -> int:
        """How long a frame of this board may wait for its commit, in whole seconds: told with its ack, and kept.

        A board that was told a short wait while somebody looked has one more of it, and is then told the long one.
        """
        wait_s = math.ceil(self._window_s if self._looked_at(now_s) else self._quiet_s)
        if wait_s < self._quiet_s:
            self._promised[device] = wait_s
        else:
            self._promised.pop(device, None)
        return wait_s

    def _catching_up(self, device: str, now_s: float) -> bool:
        self._frames[device] += 1
        if self._frames[device] >= CATCHING_UP:
            self._backlogs[device] = now_s
        return now_s - self._backlogs.get(device, -math.inf) <= BACKLOG_S

    def _looked_at(self, now_s: float) -> bool:
        return now_s - self._looked_s <= LOOKED_S
