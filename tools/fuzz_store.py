"""Fuzz target of the store: whole batches of messages into a real database.

The payloads are sealed here with the right key, so mutations reach what lies behind the MAC: the reader, the dedup
windows, the clocks, the tables. After a batch the store must hold it once, a repetition must change nothing, and
whoever opens the file as a kill -9 would leave it must see what the process saw that wrote it.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from tools import fuzz_mutate, vectors
from tools.fuzz_target import Broken, Parse, Refused, Target, scratch

__all__ = ["NOW_MS", "TARGETS", "House", "device_name", "examined", "messages", "seeds"]

NOW_MS = 1_780_000_100_000
_ROLES = ("up", "birth", "state")
_STRANGE = 3  # a kind of message: its topic and its bytes as they are, sealed by nobody
_MAX_MESSAGES = 12
_ROUND = 32
"""So many inputs share a database, each with a device of its own: opening one takes longer than a batch."""


def device_name(number: int) -> str:
    """The id of the device that the input of this number in its round has, from 1 on."""
    return f"5e{number:010x}"


def messages(data: bytes, device: str) -> list[tuple[str, bytes]]:
    """(topic, message) of the messages in a batch."""
    from gateway.wire.cose import seal

    found = []
    for kind, content in fuzz_mutate.split(data)[:_MAX_MESSAGES]:
        if kind % 4 == _STRANGE:
            topic, _, message = content.partition(b"\n")
            found.append((topic.decode("utf-8", "replace").replace("{device}", device), message))
        else:
            role = _ROLES[kind % 4]
            found.append((f"hg/1/{device}/{role}", seal(vectors.KEY, role, content)))
    return found


class House:
    """A database with a device for each input of a round, taken from a copy that was made once. `inputs` are those of
    this round. `furnish` gets the copy when it is made."""

    def __init__(self, folder: Path, furnish: Callable[[Any], None] = lambda _: None) -> None:
        from gateway.store import devices
        from gateway.store.database import Database

        self._folder = folder
        self._open = Database
        template = Database(folder / "template.sqlite")
        for number in range(1, _ROUND + 1):
            devices.enrol(template, device_name(number), "Fuzz", 0, vectors.KEY)
        furnish(template)
        template.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        template.close()
        self.begin()

    def begin(self) -> None:
        """An empty database."""
        from gateway.store import devices

        path = self._folder / "hearthgate.sqlite"
        for old in self._folder.glob("hearthgate.sqlite*"):
            old.unlink()
        shutil.copyfile(self._folder / "template.sqlite", path)
        self.db = self._open(path)
        self.registry = devices.registry(self.db)
        self.inputs: list[bytes] = []

    @property
    def full(self) -> bool:
        """Whether every device has had its input."""
        return len(self.inputs) == _ROUND

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    def again(self) -> None:
        """Close it, and begin with an empty one."""
        self.close()
        self.begin()

    def after_a_kill(self) -> Any:
        """The database as it is on disk at this moment, opened by somebody else."""
        image = self._folder / "image.sqlite"
        for old in self._folder.glob("image.sqlite*"):
            old.unlink()
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self.db.path}{suffix}", f"{image}{suffix}")
        return self._open(image)


def _state(db: Any, device_id: int) -> list[Any]:
    return [
        (b.boot, b.window.upto, b.window.islands, b.missing, b.clock, b.last_id, b.wait_id, b.old)
        for b in db.windows.of_device(device_id)
    ]


def _check_times(sql: sqlite3.Connection, device_id: int) -> None:
    """Of two frames of a boot, the one that was measured before the other is placed before it."""
    from gateway.wire.cose import split
    from gateway.wire.frame import decode

    placed: dict[int, list[tuple[int, int, int]]] = {}
    rows = sql.execute("SELECT boot, seq, time_ms, sealed FROM frame WHERE device_id = ? ORDER BY seq", (device_id,))
    for boot, _, time_ms, sealed in rows:
        frame = decode(split(sealed))
        if time_ms is not None and frame.rows:
            length_ms = (frame.rows - 1) * frame.step_ms
            placed.setdefault(boot, []).append((frame.uptime_ms, length_ms, time_ms))
    for frames in placed.values():
        for (uptime_a, length_a, time_a), (uptime_b, _, time_b) in pairwise(frames):
            if uptime_a + length_a <= uptime_b and time_a + length_a > time_b:
                raise Broken("two readings of one boot have swapped")


_UNBORN = (
    "SELECT boot FROM window WHERE device_id = ? AND boot NOT IN (SELECT boot FROM boot WHERE device_id = ? AND birth "
    "IS NOT NULL)"
)


@contextmanager
def _store() -> Iterator[Parse]:
    from gateway.app.examine import examine
    from gateway.store import frames, windows

    # Some of a boot is saved and some read again from its frames: both ways often, in batches as small as these.
    with mock.patch.object(windows, "SAVE_FRAMES", 8), scratch() as folder:
        house = House(folder)

        def take(data: bytes) -> int:
            """How many frames it stored."""
            name = device_name(len(house.inputs) + 1)
            house.inputs.append(data)
            row = house.registry[name].id
            items = [examine(topic, message, house.registry, NOW_MS) for topic, message in messages(data, name)]
            done = frames.commit(house.db, items)
            sealed = sum(isinstance(item, frames.SealedFrame) for item in items)
            if done.stored + done.duplicates + done.deferred + done.dead < sealed:
                raise Broken("a frame was neither stored nor refused")
            before = _state(house.db, row)
            again = frames.commit(house.db, items)
            # What a gap says of another boot is acked when it is new, so the second time there may be fewer acks; an
            # earlier boot whose birth did not come is acked the second time only.
            unborn = {(row, boot) for (boot,) in house.db.connection.execute(_UNBORN, (row, row))}
            late = {key: mark for key, mark in again.acks.items() if key not in done.acks and key in unborn}
            if again.stored or again.missing or not again.acks.items() <= (done.acks | late).items():
                raise Broken("the same messages again are taken for new ones")
            if _state(house.db, row) != before:
                raise Broken("the same messages again have changed what is known of the boots")
            _check_times(house.db.connection, row)
            return done.stored

        def check_round() -> None:
            image = house.after_a_kill()
            with contextlib.closing(image):
                for number, data in enumerate(house.inputs, start=1):
                    row = house.registry[device_name(number)].id
                    seen, left = _state(house.db, row), _state(image, row)
                    if seen != left:
                        raise Broken(f"after a kill -9 a device has the state {left}, and before it {seen}", data)

        def parse(data: bytes) -> None:
            try:
                stored = take(data)
                if house.full:
                    check_round()
                    house.again()
            except BaseException:
                house.again()
                raise
            if not stored:
                raise Refused("nothing is stored")

        yield parse
        house.close()


def _frame(boot: int, seq: int, time_s: int | None, uptime_ms: int, *values: int) -> bytes:
    from tools import onboard

    frame: Any = onboard.load("frame")
    columns = frame.Columns(2, 8)
    for value in values:
        columns.add((value, value // 2))
    payload: bytes = frame.Framer(2, 8).columns(boot, seq, time_s, uptime_ms, 10_000, columns)
    return payload


def seeds() -> Iterator[bytes]:
    """Batches of a board's life."""
    import cbor2

    from tools import onboard

    frame: Any = onboard.load("frame")
    channels = [["temp", "Cel", 1, 16, 0, "temperature"], ["mass", "kg", 1, 1000, 0, "use"]]
    channels.append(["boil", "/", 1, 1, 3, "use"])
    births = [cbor2.dumps([1, boot, "kettle", "kettle-sim", "0.1.0", "Kettle", channels]) for boot in (7, 8)]
    time_s = 1_780_000_000
    rows = [_frame(7, seq, time_s + 60 * seq, 60_000 * seq, 70, 71, 72, 71) for seq in (1, 2, 3)]
    timeless = [_frame(7, seq, None, 60_000 * seq, 70, 71) for seq in (1, 2)]
    event: bytes = frame.events_frame(7, 4, time_s + 200, 200_000, [(2, 0, 1), (2, 1500, 0)])
    gap: bytes = frame.gap_frame(8, 1, time_s + 900, 1000, 7, 2, 5)
    state = [cbor2.dumps([1, 7, 1]), cbor2.dumps([1, 7, 0])]
    stray = b"hg/1/{device}/up\n" + bytes.fromhex(vectors.load()["envelopes"][0]["sealed"])
    join = fuzz_mutate.join
    yield join([(1, births[0]), (2, state[0]), *((0, row) for row in rows), (0, event)])
    yield join([(0, rows[0]), (0, rows[2]), (1, births[0]), (0, rows[1]), (0, rows[1])])
    yield join([(1, births[0]), *((0, row) for row in timeless), (0, rows[2]), (2, state[1])])
    yield join([(1, births[0]), (0, rows[0]), (1, births[1]), (0, gap), (0, event)])
    yield join([(0, gap), (0, rows[0]), (3, stray), (3, b"hg/1/ffffffffffff/up\nx"), (3, b"\xff\nx"), (0, b"\1\7\5\0")])
    yield join([(0, _frame(7, 1, time_s - 10**7, 0, 5)), (0, _frame(7, 2, time_s + 10**7, 60_000, 5)), (0, rows[2])])


def examined(db: Any) -> list[Any]:
    """A birth and some frames of the device 5e0000000001, whose key is 32 zeros, ready to be committed."""
    from gateway.app.examine import examine
    from gateway.store import devices
    from gateway.wire.cose import seal

    first = next(seeds())
    registry = devices.registry(db)
    messages = [(kind, content) for kind, content in fuzz_mutate.split(first) if kind < 2]
    return [
        examine(f"hg/1/{device_name(1)}/{_ROLES[kind]}", seal(bytes(32), _ROLES[kind], content), registry, NOW_MS)
        for kind, content in messages
    ]


TARGETS = (
    Target(
        "store", "batches of sealed messages, committed to a database", _store, seeds, fuzz_mutate.batch,
        share=80, cost_us=2500, max_bytes=1024,
    ),
)  # fmt: skip
