"""Columns of scaled integers, packed into bits: what makes a frame small.

The format is written down in gateway/wire/frame.cddl; gateway/wire/columns.py reads it.
Values lie in [-2**29, 2**29), so that a value, a difference and its zigzag form are all small integers on a 32-bit
board: sampling and packing allocate nothing.
"""

from array import array

from micropython import const

try:
    import bitpack
except (SyntaxError, ImportError, AttributeError):  # no native emitter (arm64 unix port, CPython): plain
    from plain import load

    bitpack = load("bitpack")

MISSING = const(-0x40000000)
# What stays free before the packed bits, for the frame's head: at most 1 + 5 + 5 + 9 + 9 + 5 + 3 + 5 bytes.
HEADROOM = const(48)
MAX_ROWS = const(4096)
MAX_CHANNELS = const(32)
_BIAS = const(0x20000000)
_NO_VALUE = const(0x7FFFFFFF)
_SECOND_MAX = const(0x20000000)
_ALL_ONES = const(15)
_SPARSE = const(1)
_DENSE = const(2)


class Columns:
    """Rows of one series, kept column by column. Room for `capacity` rows is taken once."""

    def __init__(self, channels, capacity=60):
        if not 1 <= channels <= MAX_CHANNELS or not 1 <= capacity <= MAX_ROWS:
            raise ValueError("columns: 1 to 32 channels and 1 to 4096 rows")
        self.channels = channels
        self.capacity = capacity
        self.rows = 0
        self.cells = array("i", bytes(4 * channels * capacity))

    def add(self, values):
        """Add one row: an integer a channel, None or MISSING where a sensor gave nothing.

        A value outside [-2**29, 2**29) is kept as missing: it is a sensor's fault, and must not stop the others.
        """
        if len(values) != self.channels:
            raise ValueError("columns: a row has %d values, not %d" % (self.channels, len(values)))
        at = self.rows
        if at >= self.capacity:
            raise ValueError("columns: full")
        for v in values:
            if v is None or not -_BIAS <= v < _BIAS:
                self.cells[at] = _NO_VALUE
            else:
                self.cells[at] = v + _BIAS
            at += self.capacity
        self.rows += 1

    def clear(self):
        self.rows = 0


class Packer:
    """Packs Columns of up to `channels` x `capacity` cells into a buffer of its own, used again each time."""

    def __init__(self, channels, capacity=60):
        self._values = array("i", bytes(4 * capacity))
        self._first = array("i", bytes(4 * capacity))
        self._second = array("i", bytes(4 * capacity))
        self._runs = array("i", bytes(4 * capacity))
        self._sizes = array("i", bytes(4 * capacity))
        self._choice = array("i", bytes(24))
        self._channels = channels
        self._capacity = capacity
        # 32 bits a difference is the most that is ever chosen, and 107 bits stand before them.
        self.buf = bytearray(HEADROOM + 2 + channels * (16 + capacity // 8 + capacity * 33 // 8))
        self._end = 0

    def pack(self, columns):
        """Pack every row into `buf` from HEADROOM on; return the bytes used."""
        if columns.channels > self._channels or columns.rows > self._capacity:
            # The loops below are native code and check no bounds themselves.
            raise ValueError("packing: more rows than there is room for")
        bitpack.wipe(self.buf, self._end)
        gaps = bitpack.any_missing(columns.cells, columns.channels, columns.capacity, columns.rows, _NO_VALUE)
        at = bitpack.put(self.buf, HEADROOM * 8, (columns.channels - 1) << 1 | gaps, 6)
        for c in range(columns.channels):
            at = self._column(columns, c * columns.capacity, gaps, at)
        self._end = (at + 7) >> 3
        return self._end - HEADROOM

    def _column(self, columns, first, gaps, at):
        buf = self.buf
        values = self._values
        rows = columns.rows
        n = bitpack.compact(columns.cells, first, rows, _NO_VALUE, values)
        if gaps:
            at = bitpack.presence(columns.cells, first, rows, _NO_VALUE, buf, at)
            if n == 0:
                return at
        at = self._number(values[0] - _BIAS, at)
        if n == 1:
            return at
        res = self._first
        count = n - 1
        largest = bitpack.deltas(values, n, res)
        if largest == 0:
            return at + 3
        choice = self._choice
        bitpack.choose(res, count, self._runs, self._sizes, choice)
        # a ramp is worth a second difference; where most rows repeat the one before, it never is
        if 2 * choice[4] > count > 1 and largest < _SECOND_MAX:
            second = self._second
            bits = choice[1]
            bitpack.second_deltas(res, count, second)
            bitpack.choose(second, count - 1, self._runs, self._sizes, choice)
            if choice[1] + _number_bits(res[0]) < bits:
                at = bitpack.put(buf, at, 4 | choice[0], 3)
                u = res[0]
                at = self._number(-((u + 1) >> 1) if u & 1 else u >> 1, at)
                return self._residuals(second, count - 1, at)
            bitpack.choose(res, count, self._runs, self._sizes, choice)
        at = bitpack.put(buf, at, choice[0], 3)
        return self._residuals(res, count, at)

    def _residuals(self, res, count, at):
        buf = self.buf
        mode, _, k, sizes_k, many, alternate = self._choice
        if mode == _DENSE:
            at = bitpack.put(buf, at, k, 5)
            return bitpack.rice_put(res, count, k, buf, at)
        if mode == _SPARSE:
            at = bitpack.put(buf, at, many, _width(count))
            at = bitpack.put(buf, at, k << 5 | sizes_k << 1 | alternate, 8)
            at = bitpack.rice_put(self._runs, many, k, buf, at)
            if sizes_k != _ALL_ONES:
                at = bitpack.rice_put(self._sizes, many, sizes_k, buf, at)
            return bitpack.signs_put(res, count, 1 if alternate else many, buf, at)
        return at

    def _number(self, value, at):
        """One number on its own: the length of its zigzag form (4 bits, or 15 and 5 bits), then the form without its
        leading one."""
        u = -value * 2 - 1 if value < 0 else value * 2
        width = _width(u)
        if width < 15:
            at = bitpack.put(self.buf, at, width, 4)
        else:
            at = bitpack.put(self.buf, at, 15 << 5 | width, 9)
        return bitpack.put(self.buf, at, u, width - 1)


def _number_bits(u):
    """What Packer._number writes for the zigzag form u."""
    width = _width(u)
    return (3 if width < 15 else 8) + max(width, 1)


def _width(u):
    """Bits of u >= 0 (0 for 0): MicroPython's int has no bit_length."""
    n = 0
    while u:
        n += 1
        u >>= 1
    return n
