"""Frames of simulated fridges, made quickly under CPython by the firmware's own fridge, encoder and journal order.

What is simulated is only the world, the clock and the network: every second the real `Fridge` turns its loop, and what
it seals is kept as a `Blank`, a frame without its clock and its number, which any board of a fleet can say as its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cbor2

from gateway.flash import boardfile
from gateway.wire.birth import Birth, Channel, ValueKind, encode_birth
from gateway.wire.cose import seal
from tools import onboard
from tools.simrows import CHANNELS, fridge_world, rows

__all__ = ["KEY", "Blank", "birth", "device_name", "household", "packed", "sealed"]

KEY = bytes(range(32))
"""Of every board of a fleet."""

_STEP_MS = 10_000
_BOARD = Path(__file__).resolve().parent.parent / "boards" / "fridge-sim"


@dataclass(frozen=True, slots=True)
class Blank:
    """What one frame says. `due_ms` and `uptime_ms` count from the board's start; `tail` is all that follows uptime."""

    due_ms: int
    uptime_ms: int
    tail: bytes
    values: int
    is_event: bool


def device_name(number: int) -> str:
    """The id of a fleet's board."""
    return f"be{number:010x}"


def birth(boot: int = 1) -> bytes:
    """The sealed birth of a fleet's fridge, with the channels of its board.toml."""
    board = boardfile.load(_BOARD)
    kinds = {name: ValueKind(number) for name, number in boardfile.KINDS.items()}
    channels = tuple(Channel(c.name, c.unit, c.num, c.den, kinds[c.kind], c.category) for c in board.channels)
    return seal(KEY, "birth", encode_birth(Birth(boot, "fridge", board.board.model, "0", "Bench", channels)))


def sealed(blank: Blank, boot: int, seq: int, start_s: int, uptime_ms: int | None = None) -> bytes:
    """The frame of a board that was started at Unix second `start_s`, sealed under the fleet's key; as if it had been
    measured at another uptime, if one is given."""
    uptime_ms = blank.uptime_ms if uptime_ms is None else uptime_ms
    return seal(KEY, "up", _head(boot, seq, start_s + uptime_ms // 1000, uptime_ms) + blank.tail)


def packed(rows_a_frame: int, hours: float = 24) -> list[Blank]:
    """A fridge's rows and nothing else, so many a frame."""
    framer = onboard.load("frame").Framer(len(CHANNELS))
    columns = onboard.load("frame").Columns(len(CHANNELS))
    blanks = []
    for number, row in enumerate(rows(1, hours), start=1):
        columns.add(row)
        if number % rows_a_frame == 0:
            base_ms = (number - rows_a_frame) * _STEP_MS
            frame = bytes(framer.columns(1, 1, 0, base_ms, _STEP_MS, columns))
            tail = frame[len(_head(1, 1, 0, base_ms)) :]
            blanks.append(Blank(number * _STEP_MS, base_ms, tail, rows_a_frame * len(CHANNELS), is_event=False))
            columns.clear()
    return blanks


def _head(boot: int, seq: int, time_s: int, uptime_ms: int) -> bytes:
    return b"".join(cbor2.dumps(item) for item in (1, boot, seq, time_s, uptime_ms))


class _Clock:
    """Stands still until it is told to go on."""

    offset_s = 0

    def __init__(self) -> None:
        self.now_ms = 0

    def uptime_ms(self) -> int:
        return self.now_ms


class _Changed:
    """What a contact's watcher waits for; whoever shows an edge resumes the watcher by hand."""

    def __await__(self) -> Iterator[None]:
        yield

    def wait(self) -> _Changed:
        return self


class _Door:
    def __init__(self) -> None:
        self.value = 0
        self.changed = _Changed()

    def sample(self) -> int:
        return self.value


class _Sealer:
    """In the place of the firmware's: keeps blanks. The number of a frame is its place in the list."""

    fill = 0

    def __init__(self, clock: _Clock, channels: int) -> None:
        frame = onboard.load("frame")
        self._clock = clock
        self._channels = channels
        self._framer = frame.Framer(channels)
        self._events_frame = frame.events_frame
        self.blanks: list[Blank] = []

    def columns(self, columns: Any, time_s: int, uptime_ms: int, step_ms: int) -> None:
        frame = bytes(self._framer.columns(1, 1, time_s, uptime_ms, step_ms, columns))
        self._keep(frame, time_s, uptime_ms, columns.rows * self._channels, is_event=False)
        columns.clear()

    def event_list(self, events: list[tuple[int, int, int]], time_s: int, uptime_ms: int, _keep: bool) -> None:
        frame = bytes(self._events_frame(1, 1, time_s, uptime_ms, events))
        self._keep(frame, time_s, uptime_ms, len(events), is_event=True)

    def _keep(self, frame: bytes, time_s: int, uptime_ms: int, values: int, *, is_event: bool) -> None:
        tail = frame[len(_head(1, 1, time_s, uptime_ms)) :]
        self.blanks.append(Blank(self._clock.now_ms, uptime_ms, tail, values, is_event))


def household(seed: int, hours: float, report_s: int) -> list[Blank]:
    """What one fridge seals in its first `hours`, in order: rows every 10 s, a report every `report_s`, and at once
    when the door moves or food is taken."""
    fridge_module = onboard.load("fridge")
    board = boardfile.load(_BOARD)
    world, clock, door = fridge_world(seed), _Clock(), _Door()
    drivers: dict[str, Any] = {
        name: SimpleNamespace(sample=getattr(world, read)) for name, read in type(world).SENSORS
    } | {"door": door}
    sealer = _Sealer(clock, sum(channel.kind != "event" for channel in board.channels))
    config = SimpleNamespace(
        step_ms=board.report.step_ms,
        report_s=report_s,
        quiet_s=report_s,
        live_s=board.report.live_s,
        channels=[
            SimpleNamespace(name=c.name, kind=boardfile.KINDS[c.kind], category=c.category, driver=c.driver)
            for c in board.channels
        ],
    )
    fridge = fridge_module.Fridge(config, clock, drivers, sealer)
    watcher = next(start() for name, start, _ in fridge.tasks() if name == "door")
    watcher.send(None)
    for second in range(int(hours * 3600)):
        clock.now_ms = second * 1000
        world.advance(clock.now_ms)
        for _, value in world.edges:
            door.value = value
            watcher.send(None)
        world.edges.clear()
        fridge.tick()
    watcher.close()
    return sealer.blanks
