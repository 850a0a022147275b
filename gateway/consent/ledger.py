"""The ledger's chain: rows that cannot be changed, removed or reordered without it being seen. No database here.

Each row's hash is SHA-256 of the hash before it and of its entry, and the entry holds everything that the row says: its
number, its time, its kind and what happened. Whoever can write the database can also write a whole new chain, or cut
off its end: that is seen against an anchor, a (number, hash) that somebody else holds, as every receipt does.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.consent.canonical import CanonicalError, canonical

GENESIS = bytes(32)
_OF_THE_ROW = ("n", "at_ms", "kind")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, as it is kept. `n` counts from 1; `entry` is canonical JSON, and holds `n`, `at_ms` and `kind` again:
    outside of it they are for looking up only."""

    n: int
    at_ms: int
    kind: str
    entry: bytes
    prev: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a chain, or an anchor: how many rows there were, and the hash of the last."""

    n: int
    hash: bytes


EMPTY = Head(0, GENESIS)


def entry_hash(prev: bytes, entry: bytes) -> bytes:
    """The hash of a row: SHA-256 of the hash before it and of its entry."""
    return hashlib.sha256(prev + entry).digest()


def next_row(head: Head, at_ms: int, kind: str, happened: Mapping[str, Any]) -> Row:
    """The row that comes after `head`. Raises CanonicalError if what happened has no canonical form, or names a field
    of the row itself."""
    if named := [name for name in _OF_THE_ROW if name in happened]:
        raise CanonicalError(f"{named[0]!r} is the row's own")
    n = head.n + 1
    entry = canonical({**happened, "n": n, "at_ms": at_ms, "kind": kind})
    return Row(n, at_ms, kind, entry, head.hash, entry_hash(head.hash, entry))


class Wrong(StrEnum):
    """What was done to the ledger."""

    EDITED = "edited"
    REMOVED = "removed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows `n` to `last_n`, and what is wrong with them. `kind`: what the row says it is, where there is one."""

    what: Wrong
    n: int
    last_n: int
    kind: str | None
    why: str

    def __str__(self) -> str:
        kind = f" ({self.kind})" if self.kind else ""
        rows = f"row {self.n}{kind}" if self.n == self.last_n else f"rows {self.n} to {self.last_n}"
        return f"{rows}: {self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: the number of rows read, the head to anchor, and the faults in the order of the rows."""

    rows: int
    head: Head
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(rows: Iterable[Row], anchors: Iterable[Head] = ()) -> Verdict:
    """Check a chain, read in the order of its numbers, in one pass.

    Finds a row that was edited, removed or reordered; against `anchors` also an end that was cut off, and a chain that
    was written anew.
    """
    check = _Check(anchors)
    for row in rows:
        check.read(row)
    return check.verdict()


class _Check:
    """One pass over a chain. A row whose hash fits its entry is believed in what it says its number is."""

    def __init__(self, anchors: Iterable[Head]) -> None:
        self._anchors: dict[int, set[bytes]] = defaultdict(set)
        for anchor in anchors:
            self._anchors[anchor.n].add(anchor.hash)
        self._anchored = 0  # up to here the chain is the one that was anchored
        self._rows = 0
        self._head = EMPTY
        self._shift = 0  # by how much the rows' numbers differ from what they say
        self._before: tuple[int, str] | None = None  # the row before the head: number and kind
        self._last: tuple[int, str] | None = None  # the head: number and kind
        self._blamed = False  # the head was edited, so that its hash proves nothing
        self._unlinked = False  # the head does not go on from the row before it, and either may be at fault
        self._gaps: list[tuple[int, int]] = []
        self._faults: list[Fault] = []

    def read(self, row: Row) -> None:
        """The next row, as it is kept."""
        self._rows += 1
        says, why = _number(row)
        expected = self._head.n + 1
        n = row.n if says is None else says
        if n < expected:
            self._out_of_place(row, n, why)
            return
        if n > expected:
            self._gaps.append((expected, n - 1))
        self._link(row, n, ask=n == expected and why is None)
        if why is None and n == expected and row.n not in (n, n + self._shift):
            why = f"it was given the number {row.n}"
        if why is not None:
            self._fault(Wrong.EDITED, n, row.kind, why)
        self._shift = row.n - n
        self._blamed = why is not None
        self._head = Head(n, row.hash)
        self._before, self._last = self._last, (n, row.kind)
        self._against_anchor()

    def verdict(self) -> Verdict:
        """After the last row."""
        self._blame_before()
        for first, last in self._gaps:
            self._fault(Wrong.REMOVED, first, None, "not there, and rows after it are", last)
        far = max(self._anchors, default=0)
        if far > self._head.n:
            self._fault(Wrong.TRUNCATED, self._head.n + 1, None, f"an anchor knows of {far} rows", far)
        faults = sorted(self._faults, key=lambda fault: (fault.n, fault.last_n))
        return Verdict(self._rows, self._head, tuple(faults))

    def _out_of_place(self, row: Row, n: int, why: str | None) -> None:
        if why is not None:
            self._fault(Wrong.EDITED, n, row.kind, why)
            return
        gap = next((gap for gap in self._gaps if gap[0] <= n <= gap[1]), None)
        if gap is None:
            self._fault(Wrong.REORDERED, n, row.kind, "it is there twice")
            return
        parts = [(gap[0], n - 1), (n + 1, gap[1])]
        at = self._gaps.index(gap)
        self._gaps[at : at + 1] = [(first, last) for first, last in parts if first <= last]
        self._fault(Wrong.REORDERED, n, row.kind, f"it stands behind row {self._head.n}")

    def _link(self, row: Row, n: int, *, ask: bool) -> None:
        """Whether the row goes on from the head. Of two that do not fit the one that fits its other neighbour is left
        in peace."""
        if not ask or self._blamed or row.prev == self._head.hash:
            self._blame_before()
        elif self._unlinked and self._last is not None:
            self._fault(Wrong.EDITED, *self._last, "it fits neither the row before it nor the one after it")
            self._unlinked = False
        elif self._last is None:
            self._fault(Wrong.EDITED, n, row.kind, "it is the first row, and names one before it")
        else:
            self._unlinked = True

    def _blame_before(self) -> None:
        if self._unlinked and self._before is not None:
            self._fault(Wrong.EDITED, *self._before, "it was written anew: the row after it names another hash")
        self._unlinked = False

    def _against_anchor(self) -> None:
        n, hash_ = self._head.n, self._head.hash
        if n not in self._anchors:
            return
        first = self._anchored + 1
        if self._anchors[n] == {hash_}:
            self._anchored = n
        elif not any(first <= fault.n <= n for fault in self._faults):
            self._fault(
                Wrong.EDITED, first, None, "one of them or all were written anew: an anchor has another hash", n
            )

    def _fault(self, what: Wrong, n: int, kind: str | None, why: str, last_n: int | None = None) -> None:
        self._faults.append(Fault(what, n, last_n or n, kind, why))


def _number(row: Row) -> tuple[int | None, str | None]:
    """(the number that the row says it has, what is wrong with the row itself)."""
    if row.hash != entry_hash(row.prev, row.entry):
        return None, "its hash does not fit what it says"
    try:
        # Its spelling is under the hash: reading it as plain JSON is enough, and a large ledger has millions of them.
        entry = json.loads(row.entry)
    except (ValueError, RecursionError) as why:
        return None, f"it cannot be read: {why}"
    n = entry.get("n") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(n, int) or n < 1:
        return None, "it does not say which row it is"
    for name in ("at_ms", "kind"):
        if entry.get(name) != getattr(row, name):
            return n, f"its {name} was changed"
    return n, None
