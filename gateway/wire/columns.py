"""Unpacks the columns of a frame (format: frame.cddl, section "packed").

Bits are handled as a string of "0" and "1": split, slicing and accumulate run in C, which makes this some millions of
values a second without a compiled extension. All work is bounded by MAX_ROWS and MAX_CHANNELS before it begins.
"""

from collections.abc import Sequence
from itertools import accumulate

from gateway.wire.errors import FrameError

MAX_ROWS = 4096
MAX_CHANNELS = 32
VALUE_MIN = -(2**29)
VALUE_MAX = 2**29 - 1

_ESCAPE = 20
_ESCAPE_BITS = 31
_ALL_ONES = 15
_CONSTANT, _SPARSE, _DENSE = range(3)
_UNZIGZAG = [(u >> 1) ^ -(u & 1) for u in range(512)]
# Remainders of up to 8 bits are looked up by their text: half the time of int(text, 2).
_REMAINDER = [{format(v, f"0{k}b"): v for v in range(2**k)} if k else {} for k in range(9)]

Column = Sequence[int | None]


class _Bits:
    """The packed bits and how far they were read."""

    __slots__ = ("at", "text")

    def __init__(self, packed: bytes) -> None:
        self.text = bin(int.from_bytes(b"\1" + packed, "big"))[3:]
        self.at = 0

    def take(self, width: int) -> int:
        at = self.at
        self.at = end = at + width
        if end > len(self.text):
            raise FrameError("packed columns are cut short")
        return int(self.text[at:end], 2) if width else 0

    def number(self) -> int:
        width = self.take(4)
        if width == 15:
            width = self.take(5)
        if width == 0:
            return 0
        u = 1 << (width - 1) | self.take(width - 1)
        return (u >> 1) ^ -(u & 1)

    def rice(self, n: int, k: int) -> list[int]:
        """n Rice codes: n unary quotients, then n remainders."""
        text = self.text
        # A quotient takes at most 21 bits, so no more than this is looked at, whatever follows.
        parts = text[self.at : self.at + n * (_ESCAPE + 1)].split("1", n)
        if len(parts) <= n:
            raise FrameError("packed columns are cut short")
        tail = parts.pop()
        at = self.at = min(len(text), self.at + n * (_ESCAPE + 1)) - len(tail)
        quotients = list(map(len, parts))
        highest = max(quotients)
        if highest >= _ESCAPE:
            return self._escaped(quotients, k)
        if k == 0:
            return quotients
        end = self.at = at + n * k
        if end > len(text):
            raise FrameError("packed columns are cut short")
        if k <= 8:
            table = _REMAINDER[k]
            return [q << k | table[text[i : i + k]] for q, i in zip(quotients, range(at, end, k), strict=True)]
        return [q << k | int(text[i : i + k], 2) for q, i in zip(quotients, range(at, end, k), strict=True)]

    def _escaped(self, quotients: list[int], k: int) -> list[int]:
        if max(quotients) > _ESCAPE:
            raise FrameError("a packed quotient is out of range")
        return [self.take(_ESCAPE_BITS) if q == _ESCAPE else q << k | self.take(k) for q in quotients]


def unpack(packed: bytes, rows: int) -> list[Column]:
    """The columns in channel order, `rows` values each (None = missing). Raises FrameError."""
    if not 1 <= rows <= MAX_ROWS:
        raise FrameError(f"a frame holds 1 to {MAX_ROWS} rows, not {rows}")
    bits = _Bits(packed)
    head = bits.take(6)
    read = _gappy if head & 1 else _values
    columns = [read(bits, rows) for _ in range((head >> 1) + 1)]
    left = bits.text[bits.at :]
    if len(left) > 7 or "1" in left:
        raise FrameError("bits after the last packed column")
    return columns


def _gappy(bits: _Bits, rows: int) -> Column:
    present = bits.text[bits.at : bits.at + rows]
    bits.at += rows
    if len(present) < rows:
        raise FrameError("packed columns are cut short")
    n = present.count("1")
    values = iter(_values(bits, n) if n else ())
    return [next(values) if p == "1" else None for p in present]


def _values(bits: _Bits, n: int) -> list[int]:
    base = bits.number()
    if not VALUE_MIN <= base <= VALUE_MAX:
        raise FrameError("a value is out of range")
    if n == 1:
        return [base]
    code = bits.take(3)
    order, mode = code >> 2, code & 3
    if order == 0:
        if mode == _CONSTANT:
            return [base] * n
        values = list(accumulate(_residuals(bits, mode, n - 1), initial=base))
    else:
        if n == 2:
            raise FrameError("a second difference needs three values")
        first = bits.number()
        values = list(accumulate(accumulate(_residuals(bits, mode, n - 2), initial=first), initial=base))
    if max(values) > VALUE_MAX or min(values) < VALUE_MIN:
        raise FrameError("a value is out of range")
    return values


def _residuals(bits: _Bits, mode: int, n: int) -> list[int]:
    if mode == _DENSE:
        coded = bits.rice(n, bits.take(5))
        if max(coded) < 512:
            return [_UNZIGZAG[u] for u in coded]
        return [(u >> 1) ^ -(u & 1) for u in coded]
    if mode == _SPARSE:
        return _sparse(bits, n)
    if mode == _CONSTANT:
        return [0] * n
    raise FrameError("a column of a coding that this gateway does not know")


def _sparse(bits: _Bits, n: int) -> list[int]:
    many = bits.take(n.bit_length())
    if not 1 <= many <= n:
        raise FrameError("a sparse column counts more changes than rows")
    head = bits.take(8)
    runs = bits.rice(many, head >> 5)
    sizes_k = head >> 1 & 15
    sizes = [0] * many if sizes_k == _ALL_ONES else bits.rice(many, sizes_k)
    residuals = [0] * n
    at = -1
    negative = False
    if head & 1:
        negative = not bits.take(1)
        signs = None
    else:
        start = bits.at
        bits.at = end = start + many
        signs = bits.text[start:end]
        if len(signs) < many:
            raise FrameError("packed columns are cut short")
    for i in range(many):
        at += runs[i] + 1
        if at >= n:
            raise FrameError("a sparse column changes after its last row")
        negative = not negative if signs is None else signs[i] == "1"
        residuals[at] = -1 - sizes[i] if negative else 1 + sizes[i]
    return residuals
