"""Sealed frames that the gateway has not confirmed yet, bounded in bytes, and the counters that outlive a restart.

`Journal` is the narrow place behind which frames may one day spill to flash: whoever sends asks only for what
comes after a position, and says what was confirmed.
"""

import os

from micropython import const

# What a frame costs beside its bytes: the bytes object and the place in the list, with rounding.
_FRAME_BYTES = const(48)


class Journal:
    """At most `limit_bytes` of this boot's frames, oldest first, without a hole in their numbers.

    When it is full, the oldest series frame that was never sent is dropped; events go only after every series.
    What was sent stays as it is: the gateway may have it, and a number names one frame for ever. What was dropped
    stays known as a range: the gateway confirms in order, so it must hear that those numbers will never come.
    """

    def __init__(self, boot, limit_bytes=16384):
        self.limit_bytes = limit_bytes
        self.size = 0
        self.dropped = 0
        self.acked = 0
        self._boot = boot
        self._first = 1  # number of the first frame in _frames
        # Each the bytes of a frame; (bytes,) of one that matters; or how many numbers in a row were dropped.
        self._frames = []
        self._sent = 0

    def append(self, boot, seq, payload, keep=False):
        """Takes a sealed frame, the next in number. `keep` marks what matters: it is dropped only after the rest.
        Raises MemoryError with nothing changed."""
        self._frames.append((payload,) if keep else payload)
        if len(self._frames) == 1:
            self._first = seq
        self.size += _FRAME_BYTES + len(payload)
        while self.size > self.limit_bytes and self.drop():
            pass

    def mark_sent(self, boot, seq):
        """Everything up to there has left the board at least once."""
        self._sent = seq

    def after(self, boot, seq):
        """The first thing beyond that position: (boot, seq, payload), with None as the payload of a frame that
        was dropped; or None if there is nothing. (0, 0) is before everything."""
        if boot > self._boot:
            return None
        if boot < self._boot:
            seq = 0
        at = self._first
        for frame in self._frames:
            end = at + (frame if isinstance(frame, int) else 1)
            if end > seq + 1:
                payload = frame[0] if isinstance(frame, tuple) else None if isinstance(frame, int) else frame
                return self._boot, max(at, seq + 1), payload
            at = end
        return None

    def ack(self, boot, seq):
        """Forgets everything of `boot` up to `seq`."""
        frames = self._frames
        while boot == self._boot and frames and self._first <= seq:
            frame = frames[0]
            if isinstance(frame, int):
                count = min(frame, seq + 1 - self._first)
                self._first += count
                if count < frame:
                    frames[0] = frame - count
                    break
            else:
                self._first += 1
                self.size -= len(frame[0]) if isinstance(frame, tuple) else len(frame)
                self.acked += 1
            self.size -= _FRAME_BYTES
            frames.pop(0)

    def drop(self):
        """Makes a gap of the oldest frame that may go; never of the newest. False if there is none: the few that
        are on the way may go beyond the bound."""
        frames = self._frames
        for least in (bytes, tuple):
            seq = self._first
            for index in range(len(frames) - 1):
                frame = frames[index]
                if isinstance(frame, least) and seq > self._sent:
                    self.size -= len(frame[0]) if isinstance(frame, tuple) else len(frame)
                    self.dropped += 1
                    frames[index] = 1
                    # Gaps side by side are one gap.
                    for at in (index, index - 1):
                        if at >= 0 and isinstance(frames[at], int) and isinstance(frames[at + 1], int):
                            frames[at] += frames.pop(at + 1)
                            self.size -= _FRAME_BYTES
                    return True
                seq += frame if isinstance(frame, int) else 1
        return False


class Counter:
    """A number in a file that only grows. A cut at any moment leaves the old number or the new one."""

    def __init__(self, path):
        self._path = path
        # A cut between write and rename leaves both files; skipping a number is harmless, using one twice is not.
        self.value = max(_read(path), _read(path + ".new"))

    def store(self, value):
        """Makes `value` the number, on flash first. Raises OSError if the file cannot be written."""
        with open(self._path + ".new", "w") as file:
            file.write("%d\n" % value)
        os.rename(self._path + ".new", self._path)
        self.value = value


def _read(path):
    try:
        with open(path) as file:
            text = file.read(32)
    except OSError:
        return 0
    try:
        # Without its end of line the file was cut while it was written.
        return max(0, int(text)) if text.endswith("\n") else 0
    except ValueError:
        return 0
