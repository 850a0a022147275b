"""Packs columns in a coding that the caller names, bit by bit as gateway/wire/frame.cddl says.

Written from that text alone, slowly and with no code of the boards or the gateway: a third hand, to hold both against.
A board chooses its coding; here every coding that a reader must take can be made, and wrong ones too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "ALL_ONES", "CONSTANT", "DENSE", "SPARSE", "Coding", "allowed", "column", "number", "pack", "packed", "rice", "u",
]  # fmt: skip

CONSTANT, SPARSE, DENSE = 0, 1, 2
ALL_ONES = 15
ESCAPE = 20


@dataclass(frozen=True, slots=True)
class Coding:
    """How the values of a column are written. `k` is that of the residuals (dense) or of the runs (sparse)."""

    mode: int
    order: int = 0
    k: int = 0
    size_k: int = ALL_ONES
    alternate: bool = False


def u(width: int, value: int) -> str:
    """`value` in `width` bits, as a text of 0 and 1."""
    if not 0 <= value < 1 << width:
        raise ValueError(f"{value} does not fit {width} bits")
    return format(value, f"0{width}b") if width else ""


def zigzag(d: int) -> int:
    """2d for d >= 0, -2d - 1 for d < 0."""
    return 2 * d if d >= 0 else -2 * d - 1


def number(d: int) -> str:
    """One number on its own."""
    form = zigzag(d)
    width = form.bit_length()
    return (u(4, width) if width < 15 else u(4, 15) + u(5, width)) + format(form, "b")[1:]


def rice(numbers: Sequence[int], k: int) -> str:
    """All quotients, then all remainders."""
    quotients = "".join("0" * min(n >> k, ESCAPE) + "1" for n in numbers)
    return quotients + "".join(u(31, n) if n >> k >= ESCAPE else u(k, n & ((1 << k) - 1)) for n in numbers)


def sparse(residuals: Sequence[int], coding: Coding) -> str:
    """The residuals that are not 0, each after its run of zeros."""
    runs, changes, run = [], [], 0
    for d in residuals:
        if d:
            runs.append(run)
            changes.append(d)
            run = 0
        else:
            run += 1
    bits = u(len(residuals).bit_length(), len(changes))
    bits += u(3, coding.k) + u(4, coding.size_k) + u(1, coding.alternate) + rice(runs, coding.k)
    if coding.size_k != ALL_ONES:
        bits += rice([abs(d) - 1 for d in changes], coding.size_k)
    signs = "".join(u(1, d < 0) for d in changes)
    return bits + (signs[0] if coding.alternate else signs)


def residual_bits(residuals: Sequence[int], coding: Coding) -> str:
    """The residuals in one mode."""
    if coding.mode == DENSE:
        return u(5, coding.k) + rice([zigzag(d) for d in residuals], coding.k)
    if coding.mode == SPARSE:
        return sparse(residuals, coding)
    if any(residuals):
        raise ValueError("constant says that nothing changes")
    return ""


def differences(values: Iterable[int]) -> list[int]:
    """Of neighbours."""
    return [b - a for a, b in pairwise(values)]


def column(values: Sequence[int | None], coding: Coding | None = None, *, presence: bool = False) -> str:
    """One column; `coding` matters from the second value on. `presence`: whether that of every row is written."""
    present = [v for v in values if v is not None]
    bits = "".join(u(1, v is not None) for v in values) if presence else ""
    if present:
        bits += number(present[0])
    if len(present) < 2:
        return bits
    coding = coding or Coding(CONSTANT)
    bits += u(1, coding.order) + u(2, coding.mode)
    residuals = differences(present)
    if coding.order:
        bits += number(residuals[0])
        residuals = differences(residuals)
    return bits + residual_bits(residuals, coding)


def packed(columns: Sequence[str], *, presence: bool = False, channels: int | None = None) -> bytes:
    """The packed bits of the columns, behind their head and with the padding that ends them."""
    bits = u(5, (len(columns) if channels is None else channels) - 1) + u(1, presence) + "".join(columns)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def pack(columns: Sequence[Sequence[int | None]], codings: Sequence[Coding], *, presence: bool = False) -> bytes:
    """All columns, each in its coding; the presence of their rows too if any is missing, or if `presence`."""
    presence = presence or any(None in values for values in columns)
    return packed([column(v, c, presence=presence) for v, c in zip(columns, codings, strict=True)], presence=presence)


def allowed(values: Sequence[int | None]) -> list[Coding]:
    """Every coding that the rule of frame.cddl lets a board choose from (it must take the shortest of them)."""
    residuals = differences(v for v in values if v is not None)
    if not any(residuals):
        return [Coding(CONSTANT)]
    codings = _of_order(0, residuals)
    small = max(map(zigzag, residuals)) < 1 << 29
    if small and len(residuals) > 1 and 2 * sum(map(bool, residuals)) > len(residuals):
        codings += _of_order(1, differences(residuals))
    return codings


def _of_order(order: int, residuals: Sequence[int]) -> list[Coding]:
    changes = [d for d in residuals if d]
    if not changes:
        return [Coding(CONSTANT, order)]
    runs, run = [], 0
    for d in residuals:
        if d:
            runs.append(run)
        run = 0 if d else run + 1
    sizes = [abs(d) - 1 for d in changes]
    alternate = all((a < 0) != (b < 0) for a, b in pairwise(changes))
    size_ks = _two_around(sizes, 14) if any(sizes) else [ALL_ONES]
    codings = [Coding(DENSE, order, k) for k in {*_two_around([zigzag(d) for d in residuals], 31), 31}]
    codings += [Coding(SPARSE, order, k, size_k, alternate) for k in _two_around(runs, 7) for size_k in size_ks]
    return codings


def _two_around(numbers: Sequence[int], most: int) -> list[int]:
    """The parameters k around the mean bit length (rounded half up), within a field that holds `most`."""
    mean = min(most, (sum(n.bit_length() for n in numbers) + len(numbers) // 2) // len(numbers))
    return [mean] if mean == 0 else [mean - 1, mean]
