"""Rows that stand for many: what is kept of a series while the journal is nearly full. Loaded only then."""

from micropython import const
from packing import MAX_CHANNELS, Columns

# A cell without a value, as Columns keeps it; all others are moved by the same number.
_NO_VALUE = const(0x7FFFFFFF)
# A row stands for about ten minutes, and for so many measured rows at least.
_ROW_MS = const(600000)
_LEAST = const(6)
# A frame holds up to so many, or two hours: with fewer its head and its MAC would be most of it.
_ROWS = const(12)
_FRAME_MS = const(7200000)


def begin(channels):
    """A Thinned for a series of so many channels; None if a frame has no room for three times as many, or memory is
    short: then series stay as they are."""
    if 3 * channels > MAX_CHANNELS:
        return None
    try:
        return Thinned(channels, _ROWS)
    except MemoryError:
        return None


class Thinned(Columns):
    """Three columns a channel: first every lowest value, then every mean (rounded), then every highest. A row stands
    for `each` measured ones; the first of these was measured at `base_ms` (uptime)."""

    def __init__(self, channels, capacity):
        super().__init__(3 * channels, capacity)
        self.each = self.base_ms = 0

    def take(self, columns, base_ms, step_ms):
        """Makes a row of the rows in `columns` if they are enough; they began at `base_ms`, on a grid of `step_ms`.
        Whether it is time to seal."""
        if not self.rows:
            self.each = max(_LEAST, min(_ROW_MS // step_ms, columns.capacity))
        if columns.rows < self.each:
            return False
        self._fold(columns, base_ms)
        return self.rows == self.capacity or self.rows * self.each * step_ms >= _FRAME_MS

    def close(self, columns, base_ms):
        """How many rows there are to seal. Where all are sealed, and rows were measured since, they become one row,
        which stands for as many as they are; a single one stays as it is."""
        if not self.rows and columns.rows > 1:
            self.each = columns.rows
            self._fold(columns, base_ms)
        return self.rows

    def _fold(self, columns, base_ms):
        """Makes one row of all the rows in `columns`, and clears those. What is missing does not count; a channel
        without any value is missing in the row."""
        if not self.rows:
            self.base_ms = base_ms
        at = self.rows
        for channel in range(columns.channels):
            low = high = mean = _NO_VALUE
            total = count = 0
            first = channel * columns.capacity
            for place in range(first, first + columns.rows):
                cell = columns.cells[place]
                if cell != _NO_VALUE:
                    low = cell if not count or cell < low else low
                    high = cell if not count or cell > high else high
                    total += cell
                    count += 1
            if count:
                mean = (2 * total + count) // (2 * count)
            for part, cell in enumerate((low, mean, high)):
                self.cells[at + (part * columns.channels + channel) * self.capacity] = cell
        self.rows += 1
        columns.clear()
