"""Whether what the store says of times goes with the order in which the boards measured. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["Stored", "reordered", "timeless"]

BOOTS_APART_MS: Final = 300_000
"""A boot whose clock lies further back than this after the one before had a wrong clock once: nobody can say which of
the two was right, so no order is promised between them."""

ROUNDING_MS: Final = 1000
"""A boot's time moves in whole seconds."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the store. Times of its first and its last reading in Unix milliseconds, None where nobody knows;
    `first_up_ms`, `last_up_ms`: the board's uptimes of these, and `own_ms` the time that its own clock gave the first.

    `gap` is (boot, first, last) of the frames that it says the board no longer holds; it has no readings, and its times
    are its own.
    """

    device: str
    boot: int
    seq: int
    crc: int
    start_ms: int | None
    end_ms: int | None
    is_series: bool
    gap: tuple[int, int, int] | None = None
    first_up_ms: int = 0
    last_up_ms: int = 0
    own_ms: int | None = None

    @property
    def name(self) -> str:
        """As a person would say it."""
        return f"board {self.device}, boot {self.boot}, seq {self.seq}"


def reordered(stored: Iterable[Stored]) -> list[str]:
    """A sentence for each frame that begins before one ends that was measured before it.

    Series are held against the series before them, from boot to boot too. Events come between the rows of series that
    are sealed later: within a boot they are held against all that had ended by their uptime, and the other way round.
    """
    found = []
    for rows in _by_device(stored).values():
        timed = [row for row in rows if row.start_ms is not None and row.gap is None]
        for before, after in pairwise([row for row in timed if row.is_series]):
            back_ms = (before.end_ms or 0) - (after.start_ms or 0)
            if back_ms > 0 and (before.boot == after.boot or back_ms <= BOOTS_APART_MS):
                found.append(_told(before, after, back_ms))
        for boot in _by_boot(timed).values():
            found += _events_reordered(boot)
    return found


def _events_reordered(boot: Sequence[Stored]) -> Iterator[str]:
    """Of each frame that has an event on one of both sides: the latest of all times that should lie before it."""
    ended = sorted(boot, key=lambda row: row.last_up_ms)
    at = 0
    latest: Stored | None = None
    latest_event: Stored | None = None
    for row in sorted(boot, key=lambda row: row.first_up_ms):
        while at < len(ended) and ended[at].last_up_ms < row.first_up_ms:
            done, at = ended[at], at + 1
            latest = _later(latest, done)
            if not done.is_series:
                latest_event = _later(latest_event, done)
        before = latest_event if row.is_series else latest
        if before is not None and (back_ms := (before.end_ms or 0) - (row.start_ms or 0)) > 0:
            yield _told(before, row, back_ms)


def _later(one: Stored | None, other: Stored) -> Stored:
    return other if one is None or (other.end_ms or 0) > (one.end_ms or 0) else one


def _told(before: Stored, after: Stored, back_ms: int) -> str:
    what = "row" if before.is_series else "event"
    return f"{after.name} begins {back_ms} ms before the last {what} of boot {before.boot}, seq {before.seq}"


def timeless(stored: Iterable[Stored]) -> tuple[int, list[str]]:
    """How many frames with readings have no time, and a sentence for each that should have one.

    One whose boot has a time, and before which nothing of its boot is missing, has none only where the boots after it
    began before it could have ended: what it tells of is then older than they are, and there is no room for it.
    """
    count = 0
    found = []
    for rows in _by_device(stored).values():
        boots = _by_boot(rows)
        begins = _begins_after(boots)
        newest_ms = max((row.end_ms for row in rows if row.end_ms is not None), default=0)
        gone = [row.gap for row in rows if row.gap is not None]
        for number, boot in boots.items():
            waiting = [row for row in boot if row.start_ms is None and row.gap is None]
            count += len(waiting)
            offsets = {row.start_ms - row.first_up_ms for row in boot if row.start_ms is not None}
            if not waiting or not offsets:
                continue
            upto = _upto(boot, [gap for gap in gone if gap[0] == number])
            found += [
                f"{row.name} has no time, though its boot has one and nothing before it is missing"
                for row in waiting
                if row.seq <= upto and not _no_room(row, offsets, begins.get(number), newest_ms)
            ]
    return count, found


def _no_room(row: Stored, offsets: set[int], begin_ms: int | None, newest_ms: int) -> bool:
    """Whether by one of its boot's times, or by its own clock if that may have been right, it would run into the boots
    after it, of which the first begins at `begin_ms`."""
    if begin_ms is None:
        return False
    ends = [offset + row.last_up_ms for offset in offsets]
    if row.own_ms is not None and row.own_ms <= newest_ms + BOOTS_APART_MS:
        ends.append(row.own_ms - row.first_up_ms + row.last_up_ms)
    return max(ends) > begin_ms - ROUNDING_MS


def _begins_after(boots: dict[int, list[Stored]]) -> dict[int, int]:
    """Of every boot: when the first reading of all the boots after it was taken; not of those where nobody knows."""
    begins: dict[int, int] = {}
    earliest: int | None = None
    for number in sorted(boots, reverse=True):
        if earliest is not None:
            begins[number] = earliest
        for row in boots[number]:
            if row.gap is None and row.start_ms is not None:
                earliest = row.start_ms if earliest is None else min(earliest, row.start_ms)
    return begins


def _upto(boot: Iterable[Stored], gone: Iterable[tuple[int, int, int]]) -> int:
    """Up to which number all frames of a boot are here, or said to be gone."""
    upto = 0
    for first, last in sorted([(row.seq, row.seq) for row in boot] + [gap[1:] for gap in gone]):
        if first > upto + 1:
            break
        upto = max(upto, last)
    return upto


def _by_device(stored: Iterable[Stored]) -> dict[str, list[Stored]]:
    """In the order of their numbers."""
    found: dict[str, list[Stored]] = defaultdict(list)
    for row in sorted(stored, key=lambda row: (row.device, row.boot, row.seq)):
        found[row.device].append(row)
    return found


def _by_boot(rows: Iterable[Stored]) -> dict[int, list[Stored]]:
    found: dict[int, list[Stored]] = defaultdict(list)
    for row in rows:
        found[row.boot].append(row)
    return found
