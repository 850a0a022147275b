"""Holds what the boards promised against what the store holds, and that against what the cloud got. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tools.chaos_times import Stored, reordered, timeless
from tools.chaos_witness import Witness

__all__ = ["AtCloud", "AtStore", "Reading", "at_cloud", "at_store", "readings_of", "unheard"]

Reading = tuple[str, str, int, float]
"""Who (a pseudonym), channel, Unix milliseconds, value."""


@dataclass(slots=True)
class AtStore:
    """What came of the boards' promises. Every list holds sentences. `volatile`: sealed, never promised, not stored.
    `dropped`: promised, and given up by a board that may run out of room, which counted it and said so in a gap frame.
    `timeless`: frames with readings of which nobody knows when they were taken."""

    accepted: int = 0
    stored: int = 0
    volatile: int = 0
    gaps: int = 0
    dropped: int = 0
    timeless: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)


def at_store(
    witnesses: Mapping[str, Witness],
    stored: Sequence[Stored],
    reused: Iterable[tuple[str, int, int]] = (),
    durable: Container[str] = (),
    small: Container[str] = (),
) -> AtStore:
    """`stored`: every row. `reused`: (device, boot, seq) of what was set aside because its number was taken. `durable`:
    devices that promise every frame: only the one in whose writing the power went may be missing. `small`: devices that
    may run out of room, and then give up frames, count them and say so."""
    verdict = AtStore(stored=len(stored), gaps=sum(row.gap is not None for row in stored))
    rows: dict[tuple[str, int, int], list[Stored]] = defaultdict(list)
    for row in stored:
        rows[row.device, row.boot, row.seq].append(row)
    for device, witness in witnesses.items():
        accepted = witness.accepted
        verdict.accepted += len(accepted)
        left = sum(witness.dropped.values()) if device in small else 0
        for boot, seq in sorted(witness.sealed):
            name = f"board {device}, boot {boot}, seq {seq}"
            if (device, boot, seq) in rows:
                continue
            if (boot, seq) not in accepted:
                verdict.volatile += 1
                if device in durable and device not in small and (boot, seq + 1) in witness.sealed:
                    verdict.lost.append(f"{name} is of a durable board, was not put on flash and is not in the store")
                continue
            gaps = [row for row in stored if row.device == device and _covers(row, boot, seq)]
            # An ack that came before the board had said that it is gone was one for the frame.
            acked = all(witness.acked_before((boot, seq), (row.boot, row.seq)) for row in gaps)
            if left and not acked:
                left -= 1
                verdict.dropped += 1
                continue
            more = ", one more than it counted" if device in small and not acked else ""
            how = "acked" if seq <= witness.acked.get(boot, 0) else "on the board's flash"
            verdict.lost.append(f"{name} was {how} and is not in the store{_said(gaps, more)}")
        verdict.doubled += [f"board {device}, boot {b}, seq {s} was sealed as two frames" for b, s in witness.reused]
    verdict.doubled += _doubled(witnesses, rows)
    verdict.doubled += [f"board {d}, boot {b}, seq {s} came with other bytes than stored" for d, b, s in reused]
    verdict.reordered = reordered(stored)
    verdict.timeless, verdict.untimed = timeless(stored)
    return verdict


def unheard(witnesses: Mapping[str, Witness], lives: Mapping[str, int]) -> list[str]:
    """A sentence for each board whose account cannot be what it said in so many `lives`: a kill cuts one line at most,
    and every board that lives promises something."""
    found = []
    for device, witness in witnesses.items():
        if witness.unread > lives[device]:
            found.append(f"of what board {device} promised in {lives[device]} lives {witness.unread} lines are unread")
        if not witness.accepted:
            found.append(f"board {device} promised nothing, so nothing that it lost could be seen")
    return found


def _covers(row: Stored, boot: int, seq: int) -> bool:
    return row.gap is not None and row.gap[0] == boot and row.gap[1] <= seq <= row.gap[2]


def _said(gaps: Sequence[Stored], more: str) -> str:
    return f" ({gaps[0].name} says that the board no longer holds it{more})" if gaps else ""


def _doubled(witnesses: Mapping[str, Witness], rows: Mapping[tuple[str, int, int], list[Stored]]) -> list[str]:
    found = []
    for (device, boot, seq), same in rows.items():
        if len(same) > 1:
            found.append(f"{same[0].name} is in the store {len(same)} times")
        witness = witnesses.get(device)
        if witness is not None and not {row.crc for row in same} <= set(witness.sealed.get((boot, seq), ())):
            found.append(f"{same[0].name} is in the store with bytes that the board did not seal")
    return found


@dataclass(slots=True)
class AtCloud:
    """What came of the sharing, in readings; `sentences` say it by frame, or by event where no frame says that."""

    expected: int = 0
    lost: int = 0
    doubled: int = 0
    sentences: list[str] = field(default_factory=list)


def at_cloud(shared: Mapping[Reading, Sequence[str]], bodies: Iterable[Mapping[str, Any]]) -> AtCloud:
    """`shared`: the readings of the stored frames that were granted, each with the frames that say it (as a rule one).
    `bodies`: the events that the cloud holds."""
    expected = Counter({reading: len(origins) for reading, origins in shared.items()})
    got: Counter[Reading] = Counter()
    ids: dict[Reading, list[str]] = defaultdict(list)
    for body in bodies:
        for reading in readings_of(body):
            got[reading] += 1
            ids[reading].append(str(body["id"]))
    missing, surplus = expected - got, got - expected
    verdict = AtCloud(expected.total(), missing.total(), surplus.total())
    by_frame: dict[str, list[Reading]] = defaultdict(list)
    for reading in missing:
        by_frame[" and ".join(shared[reading])].append(reading)
    for origin, readings in by_frame.items():
        n = len(readings)
        verdict.sentences.append(
            f"{origin}: {n} readings are in the store and never reached the cloud, first {_told(readings[0])}"
        )
    by_event: dict[str, list[Reading]] = defaultdict(list)
    for reading in surplus:
        origin = " and ".join(shared.get(reading, ("no stored frame",)))
        by_event[f"{origin}: of event {' and '.join(sorted(set(ids[reading])))}"].append(reading)
    for events, readings in by_event.items():
        verdict.sentences.append(
            f"{events} {len(readings)} readings are too many at the cloud, first {_told(readings[0])}"
        )
    return verdict


def _told(reading: Reading) -> str:
    who, channel, time_ms, value = reading
    return f"{channel} = {value:g} at {time_ms} ms of {who}"


def readings_of(body: Mapping[str, Any]) -> list[Reading]:
    """What a CloudEvent of readings, or of one event, says."""
    who, channel, data = str(body["source"]).rpartition(":")[2], str(body["subject"]), body["data"]
    start_ms = round(datetime.fromisoformat(str(body["time"])).timestamp() * 1000)
    if "values" not in data:
        return [(who, channel, start_ms, float(data["value"]))]
    return [
        (who, channel, start_ms + i * data.get("step_ms", 0), float(value)) for i, value in enumerate(data["values"])
    ]
