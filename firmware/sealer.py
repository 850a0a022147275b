"""Numbers frames, seals them under the board's key and puts them into the journal: once each, and never again."""

import gc

from frame import Columns, Framer, events_frame


class Sealer:
    """The one place where sequence numbers are given out. They start at 1 in every boot."""

    def __init__(self, mac, journal, boot, channels, capacity=60):
        self.boot = boot
        self.seq = 0
        self.rows = 0
        self.values = 0
        self.events = 0
        self._mac = mac
        self._journal = journal
        self._channels = channels
        self._framer = Framer(channels, capacity)
        self.on_frame = None

    def columns(self, columns, time_s, uptime_ms, step_ms):
        """Seals the rows in `columns`, whose first was measured then, and clears them."""
        frame = self._framer.columns(self.boot, self.seq + 1, time_s, uptime_ms, step_ms, columns)
        self._seal(frame, keep=False)
        self.rows += columns.rows
        self.values += columns.rows * self._channels
        columns.clear()

    def event_list(self, events, time_s, uptime_ms, keep):
        """Seals (channel, offset_ms, value) events, offsets counted from `uptime_ms`."""
        self._seal(events_frame(self.boot, self.seq + 1, time_s, uptime_ms, events), keep)
        self.events += len(events)

    def gap(self, boot, seq):
        """What is sent in the place of a frame that was dropped: one row without a value, the same each time.
        The gateway confirms in order, and would wait for ever for a number that never comes."""
        empty = Columns(self._channels, 1)
        empty.add((None,) * self._channels)
        return self._mac.seal(b"up", self._framer.columns(boot, seq, None, 0, 0, empty))

    def _seal(self, frame, keep):
        try:
            self._keep(frame, keep)
        except MemoryError:
            # Short of memory, or memory in too small pieces: the oldest give way to the newest.
            while self._journal.drop():
                gc.collect()
                try:
                    self._keep(frame, keep)
                    break
                except MemoryError:
                    pass
            else:
                raise
        # The number is used up only now: a frame that could not be kept leaves no hole.
        self.seq += 1
        if self.on_frame is not None:
            self.on_frame()

    def _keep(self, frame, keep):
        self._journal.append(self.boot, self.seq + 1, self._mac.seal(b"up", frame), keep)
