"""Numbers frames, seals them under the board's key and puts them into the journal: once each, and never again."""

import gc

from frame import Framer, events_frame, gap_frame


class Sealer:
    """The one place where sequence numbers are given out. They start at 1 in every boot."""

    def __init__(self, mac, journal, boot, channels, capacity=60):
        self.boot = boot
        self.seq = 0
        self.rows = 0
        self.values = 0
        self.events = 0
        self.thinned = 0
        self.gaps = 0
        self._mac = mac
        self._journal = journal
        self._framer = Framer(channels, capacity)
        self.on_frame = None

    @property
    def fill(self):
        """How full the journal is, in percent: who measures may then say less."""
        return self._journal.fill

    def columns(self, columns, time_s, uptime_ms, step_ms, each=1):
        """Seals the rows in `columns`, whose first was measured then, and clears them. With `each` > 1 every row
        stands for so many: lows, means and highs (frame.py)."""
        framer = self._framer
        if each > 1:
            # Three columns a channel take another buffer. An hour may pass until the next: it is not kept.
            framer = self._with_room(Framer, columns.channels, columns.rows)
        self._seal(framer.columns(self.boot, self.seq + 1, time_s, uptime_ms, step_ms, columns, each), False)
        self.rows += columns.rows
        self.values += columns.rows * columns.channels
        self.thinned += each > 1
        columns.clear()

    def event_list(self, events, time_s, uptime_ms, keep):
        """Seals (channel, offset_ms, value) events, offsets counted from `uptime_ms`."""
        self._seal(events_frame(self.boot, self.seq + 1, time_s, uptime_ms, events), keep)
        self.events += len(events)

    def gap(self, boot, first, last, time_s, uptime_ms):
        """Seals that the frames `first` to `last` of `boot` are no longer here: a gateway that confirms in order
        would wait for them for ever."""
        self._seal(gap_frame(self.boot, self.seq + 1, time_s, uptime_ms, boot, first, last), False)
        self.gaps += 1

    def _seal(self, frame, keep):
        self._with_room(self._keep, frame, keep)
        # The number is used up only now: a frame that could not be kept leaves no hole.
        self.seq += 1
        if self.on_frame is not None:
            self.on_frame()

    def _keep(self, frame, keep):
        self._journal.append(self.seq + 1, self._mac.seal(b"up", frame), keep)

    def _with_room(self, make, first, second):
        """make(first, second). Where memory is short, or in too small pieces, the journal lets go of something."""
        while True:
            try:
                return make(first, second)
            except MemoryError:
                if not self._journal.release():
                    raise
                gc.collect()
