"""What a board promised, by its own account: the lines that tools/mpy/chaos_board.py writes outside of its flash.

`s BOOT SEQ CRC`  a frame is sealed, with that CRC-32 of its bytes
`u BOOT SEQ`      it was not: there was no memory for it
`p BOOT SEQ`      everything of that boot up to there, of what was sealed and not dropped, is on flash
`a BOOT SEQ`      everything of that boot up to there was acked
`d BOOT N`        N frames had to be dropped in this boot (N only grows)
`q BOOT`          the board was asked to end, and holds nothing any more
`x TEXT`          an order was carried out, and had its effect
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Witness", "read"]

Number = tuple[int, int]
"""Boot and seq."""


@dataclass(slots=True)
class Witness:
    """One board's account. `sealed`: the CRC-32 of every number's bytes, each different one once. `sealed_at`: the line
    that says so first; `acked_at`: every ack of a boot, as line and seq."""

    sealed: dict[Number, list[int]] = field(default_factory=dict)
    flash: dict[int, int] = field(default_factory=dict)
    acked: dict[int, int] = field(default_factory=dict)
    dropped: dict[int, int] = field(default_factory=dict)
    quiet: set[int] = field(default_factory=set)
    orders: list[str] = field(default_factory=list)
    unread: int = 0
    sealed_at: dict[Number, int] = field(default_factory=dict)
    acked_at: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def accepted(self) -> set[Number]:
        """What was promised: on flash, or acked."""
        return {(b, s) for b, s in self.sealed if s <= max(self.flash.get(b, 0), self.acked.get(b, 0))}

    def acked_before(self, number: Number, other: Number) -> bool:
        """Whether `number` was acked before `other` was sealed."""
        boot, seq = number
        sealed_at = self.sealed_at.get(other, 0)
        return any(upto >= seq and line < sealed_at for line, upto in self.acked_at.get(boot, ()))

    @property
    def reused(self) -> list[Number]:
        """Numbers that the board gave to two different frames."""
        return sorted(number for number, crcs in self.sealed.items() if len(crcs) > 1)


def read(lines: Iterable[str]) -> Witness:
    """The account in these lines. A last line without its end was cut by a kill: it says nothing."""
    witness = Witness()
    for at, line in enumerate(lines):
        whole = line.endswith("\n")
        if not whole or (line.strip() and not _take(witness, line.split(), at)):
            witness.unread += 1
    return witness


def _take(witness: Witness, words: list[str], at: int) -> bool:
    if words[0] == "x":
        witness.orders.append(" ".join(words[1:]))
        return True
    try:
        what, boot, *rest = words[0], int(words[1]), *map(int, words[2:])
    except (ValueError, IndexError):
        return False
    if what == "s" and len(rest) == 2:
        crcs = witness.sealed.setdefault((boot, rest[0]), [])
        witness.sealed_at.setdefault((boot, rest[0]), at)
        if rest[1] not in crcs:
            crcs.append(rest[1])
    elif what == "u" and len(rest) == 1:
        _take_back(witness.sealed, (boot, rest[0]))
    elif what in "pad" and len(rest) == 1:
        mark = {"p": witness.flash, "a": witness.acked, "d": witness.dropped}[what]
        mark[boot] = max(mark.get(boot, 0), rest[0])
        if what == "a":
            witness.acked_at.setdefault(boot, []).append((at, rest[0]))
    elif what == "q" and not rest:
        witness.quiet.add(boot)
    else:
        return False
    return True


def _take_back(sealed: dict[Number, list[int]], number: Number) -> None:
    """The last content of a number was never kept."""
    crcs = sealed.get(number, [])
    if len(crcs) > 1:
        crcs.pop()
    else:
        sealed.pop(number, None)
