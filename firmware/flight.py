"""Which frames are on the way to the gateway, and which goes next. Time is handed in; nothing here sends.

What was sealed before a connection began is its backlog: frames of all boots, oldest first, a window of them at a
time. What is sealed later is live: it goes out at once, and the backlog goes on in between.
"""

from micropython import const

# Frames of the backlog on the way without an ack. At a commit every 50 ms this is 320 frames a second.
_WINDOW = const(16)
# Live frames on the way: a kettle that heats seals one a second, and a gateway may be two minutes between commits.
_LIVE_WINDOW = const(160)
# An ack is overdue this long after a frame should be on the gateway's disk; twice that the next time, and so on.
_RETRY_FIRST_MS = const(15000)
_RETRY_MOST_MS = const(120000)
_RETRIES_MOST = const(4)
_UPTO_MOST = const(8)


class Flight:
    """`sealer.seq` is the last number given out in `boot`; `journal` holds what is not confirmed. `wait_s` is how long
    a frame may wait for the gateway's commit, `highest` the highest number of this boot that ever left, `retries` how
    often everything on the way was sent again since something was confirmed, and `first` whether the entry that next()
    returned leaves for the first time. `birth` is the earlier boot whose birth was said last, since the last rewind:
    where nobody heard a frame, nobody may have heard that either."""

    def __init__(self, boot, journal, sealer):
        self.wait_s = self.highest = self.retries = self.birth = 0
        self.first = True
        self._boot = boot
        self._journal = journal
        self._sealer = sealer
        # The backlog: the position that was sent last (None: all is sent), and those on the way, oldest first.
        self._sent = None
        self._flight = []
        # Live is what is beyond `_live_from` in this boot; the last of it that was sent, and whose turn it is.
        self._live = self._live_from = 0
        self._live_next = True
        self._tried = (0, 0)
        # boot -> highest number confirmed, and the frame before which a gap was told, since the last rewind.
        self._upto = {}
        self._told = {}
        # The newest frame without one behind it whose loss was told, and the number of the frame that told it.
        self.head = (0, 0)
        self.last = 0
        # Whether some were passed over since the last rewind, because the frame that told them is on its way.
        self._pending = False
        self._since_ms = self._begin_ms = 0
        # A frame of this boot on its way for the first time, and since when: its ack tells the time.
        self._probe = self._probe_ms = 0

    def rewind(self, now_ms, begin_ms=0):
        """Makes backlog of everything that is not confirmed; it goes out from `begin_ms` on. What was believed to be
        confirmed before is asked anew: a gateway that lost its disk says less than it did."""
        live = (self._boot, self._live)
        if self._live > self._live_from and live > self._tried:
            self._tried = live
        self._sent = (0, 0)
        self._flight = []
        self.birth = 0
        self._live = self._live_from = self._sealer.seq
        self._upto.clear()
        self._told.clear()
        self._pending = False
        self._since_ms = now_ms
        self._begin_ms = begin_ms

    def overdue(self, now_ms):
        """Whether the gateway should have confirmed something by now."""
        if not self._flight and not self._live_waiting() and not self._pending:
            return False
        patience_ms = self.wait_s * 1000 + min(_RETRY_FIRST_MS << self.retries, _RETRY_MOST_MS)
        return now_ms - self._since_ms >= patience_ms

    def next(self, now_ms):
        """The entry (boot, seq, payload) that is to be sent now, or None; it counts as sent. Live frames and the
        backlog take turns, so that neither waits for all of the other. A number in place of the payload: the frames
        from it up to `seq` are gone, and a frame has to say so, the next one that is sealed; 0: one did."""
        if self.overdue(now_ms):
            self.retries = min(self.retries + 1, _RETRIES_MOST)
            self.rewind(now_ms)
        if not self._flight and not self._live_waiting() and not self._pending:
            self._since_ms = now_ms
        self._live_next = not self._live_next
        for live in (self._live_next, not self._live_next):
            if live:
                if self._live == self._sealer.seq or self._live_waiting() >= _LIVE_WINDOW:
                    continue
                before = (self._boot, self._live)
                entry = self._journal.after(*before)
                self._live = self._sealer.seq if entry is None else entry[1]
                self.first = True
            else:
                if self._sent is None or len(self._flight) >= _WINDOW or now_ms < self._begin_ms:
                    continue
                # None: there is nothing yet, or flash cannot be read at the moment.
                entry = self._journal.after(*self._sent)
                if entry is not None:
                    if entry[:2] > (self._boot, self._live_from):
                        self._sent = None
                        continue
                    before, self._sent = self._sent, entry[:2]
                    if not self._flight:
                        self._since_ms = now_ms
                    self._flight.append(self._sent)
                    self.first = self._sent > self._tried
                    if self.first:
                        self._tried = self._sent
            if entry is not None:
                boot, seq, payload = entry
                if not payload:
                    return self._note(before, boot, seq)
                if self.first and boot == self._boot:
                    self.highest = max(self.highest, seq)
                    # The lower number is confirmed sooner.
                    if not self._probe or seq < self._probe:
                        self._probe = seq
                        self._probe_ms = now_ms
                return entry
        return None

    def _note(self, at, boot, seq):
        """The entry by which to tell that the frames from the position `at` up to there are gone; it tells nothing
        while the frame that told it is on the way."""
        self._told[boot] = seq
        if (boot, seq) <= self.head:
            if not self._pending:
                found = self._journal.after(self._boot, self.last - 1)
                self._pending = found is not None and found[1] == self.last
            if self._pending:
                # That frame may be behind it in the backlog: it must not take its place in the window.
                if self._flight and self._flight[-1] == (boot, seq):
                    self._flight.pop()
                return boot, seq, 0
        self.head = (boot, seq)
        self.last = self._sealer.seq + 1
        return boot, seq, at[1] + 1 if at[0] == boot else 1

    def fresh(self, marks):
        """Whether an ack with these marks confirms more than those before it, since the last rewind."""
        return any(seq > self._upto.get(boot, 0) for boot, seq in marks)

    def acked(self, marks, now_ms, fresh):
        """Takes the (boot, seq) marks of an ack, which is not `fresh` if the broker kept it. Returns how many ms ago
        a frame left that was not confirmed before, if that is known, else None."""
        held = len(self._flight)
        live = self._live_waiting()
        age_ms = None
        for boot, seq in marks:
            if seq <= self._upto.get(boot, 0):
                continue
            if len(self._upto) >= _UPTO_MOST:
                self._upto = {self._boot: self._upto.get(self._boot, 0)}
            self._upto[boot] = seq
            self._journal.ack(boot, seq)
            self._flight = [position for position in self._flight if position[0] != boot or position[1] > seq]
            if boot == self._boot and 0 < self._probe <= seq:
                age_ms = now_ms - self._probe_ms
                self._probe = 0
        live -= self._live_waiting()
        # Live frames that are confirmed say nothing of a backlog that was lost on the way.
        if len(self._flight) < held or (live > 0 and not held):
            self._since_ms = now_ms
            self.retries = 0
        elif self.retries and fresh and live <= 0:
            # The gateway is back: what was sent while it was away is not waited for.
            self.retries = 0
            self.rewind(now_ms)
        if self._pending and self._upto.get(self._boot, 0) >= self.last:
            # What that frame told and is still here has to be told again.
            self.rewind(now_ms)
        return age_ms

    def gap(self, boot, seq):
        """The last number of the gap that begins behind `seq`, if the gateway, which has confirmed so far, waits for
        frames that are gone, and was not told; else 0."""
        if seq < self._upto.get(boot, 0):
            # That ack was overtaken by a later one.
            return 0
        held = 0
        for position in self._flight:
            if position[0] == boot and position[1] > seq:
                held = position[1]
                break
        if not held and boot == self._boot and self._sent is None and self._live_waiting():
            entry = self._journal.after(boot, seq)
            held = 0 if entry is None else entry[1]
        if held <= seq + 1 or self._told.get(boot) == held:
            return 0
        self._told[boot] = held
        return held - 1

    def _live_waiting(self):
        """How many live frames are on the way."""
        return max(0, self._live - max(self._live_from, self._upto.get(self._boot, 0)))
