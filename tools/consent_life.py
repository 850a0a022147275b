"""One household twice: the gateway's own code, and the reference of consent_reference; every act is done to both.

consent_model says what is done. Where the two sides say something different, `Differ` is raised.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.consent import audit, register
from gateway.consent.grants import Grant
from gateway.consent.grants import Hours as GrantHours
from gateway.consent.pseudonym import Pseudonyms
from gateway.consent.vocabulary import Granularity
from gateway.forward import notices
from gateway.forward.batch import Batch
from tools.consent_house import House
from tools.consent_living import Living
from tools.consent_reference import Cell, Frame, Given, Hours, Said, Sink, may_leave

__all__ = ["ALL", "DAY_MS", "DEVICES", "SINKS", "Differ", "Life", "hours_of"]

DAY_MS = 86_400_000
DEVICES = ("a0b1c2d3e4f5", "a0b1c2d3e4f6")
SINKS = {
    "maker": ("manufacturer", ("product-improvement", "service")),
    "repair": ("manufacturer", ("service",)),
    "shop": ("brand", ("marketing",)),
}
ALL = 10_000
"""So many are taken where all are meant."""

_Key = tuple[str, int, int]  # device, boot, number


class Differ(AssertionError):
    """The two sides say something different; the text says what."""


class Life:
    """The household on both sides."""

    def __init__(self, folder: Path, now_ms: int) -> None:
        self.house = House(folder, now_ms)
        self.given: dict[str, Given] = {}
        self.boards = {device: Living(self.house.board(device), now_ms) for device in DEVICES}
        self.epochs: Counter[str] = Counter()
        self.sinks = {name: Sink(to, purposes, self._namer(to)) for name, (to, purposes) in SINKS.items()}
        self.taken: dict[str, Batch] = {}
        self._frames: dict[_Key, Frame] = {}
        self._decided: dict[str, set[_Key]] = {name: set() for name in SINKS}
        self._ids: dict[tuple[str, str], str] = {}
        self._done: set[tuple[str, str]] = set()
        self.value = 0
        self.delivered = 0
        self._looked: set[tuple[str, str, int | None, int]] = set()
        self.open_queues()
        for living in self.boards.values():
            self.house.receive([living.board.birth(living.boot)])

    @property
    def now_ms(self) -> int:
        """The household's clock."""
        return self.house.now_ms

    def open_queues(self) -> None:
        """As a gateway that starts does."""
        self.queues = {name: self.house.queue(name, to, purposes) for name, (to, purposes) in SINKS.items()}

    def give(
        self, recipient: str, purpose: str, category: str, devices: tuple[str, ...], granularity: str,
        hours: Hours | None, starts_in_ms: int, since_ago_ms: int | None, lasts_ms: int,
    ) -> None:  # fmt: skip
        """Give a grant."""
        start_ms = self.now_ms + starts_in_ms
        since_ms = None if since_ago_ms is None else start_ms - since_ago_ms
        given = Given(
            f"g-{len(self.given):016x}", recipient, purpose, category, devices, granularity, hours, start_ms, since_ms,
            start_ms + lasts_ms,
        )  # fmt: skip
        grant = Grant(
            id=given.id, subject="Robin", devices=devices, category=category, recipient=recipient, purpose=purpose,
            granularity=Granularity(granularity), hours=hours_of(hours), start_ms=start_ms,
            expiry_ms=given.expiry_ms, text="I agree.", language="en", created_ms=self.now_ms, since_ms=since_ms,
        )  # fmt: skip
        register.give(self.house.db, grant)
        self.given[given.id] = given

    def alive(self) -> list[Given]:
        """The grants that can still be changed."""
        return [given for given in self.given.values() if not given.revoked and self.now_ms < given.expiry_ms]

    def drop(self, given: Given) -> None:
        """What waits under it goes, at every sink."""
        for sink in self.sinks.values():
            sink.drop(given)

    def row(self, each: int, missing: bool) -> list[Cell | None]:
        """A row whose values no other has."""
        self.value += 6
        value = self.value
        cells: list[Cell | None] = [(value, value, value), (value + 1,) * 3, (value + 2,) * 3]
        if each > 1:
            cells = [(value - 2, value, value + 2), (value - 1, value + 1, value + 3), None]
        if missing:
            cells[value % 3] = None
        return cells

    def arrive(self, living: Living, most: int, *, again: bool = False) -> None:
        """The gateway gets the first of what a board holds."""
        came, living.held = living.held[:most], living.held[most:]
        messages = [living.message(frame) for frame in came]
        for frame in came:
            frame.received_ms = self.now_ms
            self._frames[frame.device, frame.boot, frame.seq] = frame
        self.house.receive(messages + messages[:1] if again else messages)

    def fill(self, name: str) -> None:
        """Let a sink decide on all that it can decide on."""
        queue, sink = self.queues[name], self.sinks[name]
        self._look_back(name)
        for _ in range(1000):
            if not queue.fill():
                break
        else:
            raise Differ(f"{name}: fill never ends")
        # Which frames it has got to is its own affair (it waits where its outbox is full); what it decided is not.
        undecided = self._undecided(name)
        given = list(self.given.values())
        for key in sorted(self._frames.keys() - self._decided[name]):
            if key in undecided:
                continue
            self._decided[name].add(key)
            frame = self._frames[key]
            if self._time_known(frame):
                sink.read(frame, given, self.now_ms, placed=not frame.clocked)
            elif frame.received_ms is None or self.now_ms < frame.received_ms + DAY_MS:
                raise Differ(f"{name}: decided on {key}, and its time may still become known")
        sink.close(self.given, self.now_ms)

    def _look_back(self, name: str) -> None:
        """A grant that begins to hold, and says from when, reaches back to what was decided on without it."""
        sink, given = self.sinks[name], list(self.given.values())
        for back in given:
            key = name, back.id, back.since_ms, back.start_ms
            if back.recipient != sink.recipient or back.revoked or back.since_ms is None or key in self._looked:
                continue
            if back.since_ms < back.start_ms <= self.now_ms < back.expiry_ms:
                self._looked.add(key)
                for frame in (self._frames[key] for key in sorted(self._decided[name])):
                    if self._time_known(frame):
                        sink.look_back(frame, given, back, self.now_ms, placed=not frame.clocked)

    def take(self, name: str, most: int) -> None:
        """What leaves is what may, and the ledger says so first."""
        sink = self.sinks[name]
        may = Counter(waiting.said for waiting in sink.waiting if may_leave(waiting, self.now_ms))
        batch = self.queues[name].take(most)
        leaves = Counter(_said(event.body) for event in batch)
        self.same(name, "leaves", leaves, may if most == ALL else leaves & may)
        kept = Counter(self.outbox(name))
        # What was asked about and may not leave any more is gone for good.
        for waiting in list(sink.waiting):
            if kept[waiting.said]:
                kept[waiting.said] -= 1
            elif may_leave(waiting, self.now_ms):
                raise Differ(f"{name}: dropped, and it may leave: {waiting.said}")
            else:
                sink.waiting.remove(waiting)
        self.taken.pop(name, None)
        if batch:
            self.taken[name] = batch
            self._told(name, batch)

    def end(self, name: str, fate: str) -> None:
        """A batch that was taken comes to its end: delivered, refused or ended, whatever was changed meanwhile."""
        batch, queue, sink = self.taken.pop(name), self.queues[name], self.sinks[name]
        left = Counter(waiting.said for waiting in sink.waiting if may_leave(waiting, self.now_ms))
        allowed = not Counter(_said(event.body) for event in batch) - left
        if bool(queue.allowed_until(batch)) != allowed:
            raise Differ(f"{name}: a batch under way may go on: {not allowed}, and it is {allowed}")
        if fate == "ended":
            queue.aborted(batch)
            return
        (queue.delivered if fate == "delivered" else queue.rejected)(batch)
        self.delivered += len(batch)
        for event in batch:
            self._done.add((name, json.loads(event.body)["id"]))
            said = _said(event.body)
            sink.waiting = [waiting for waiting in sink.waiting if waiting.said != said]

    def outbox(self, name: str) -> list[Said]:
        """What waits at a sink, by the database."""
        rows = self.house.db.connection.execute("SELECT body FROM outbox WHERE sink = ?", (name,))
        return [_said(body) for (body,) in rows]

    def owe(self) -> None:
        """Whoever may have something under a grant that was taken back is asked to erase it; nobody else is."""
        sql = self.house.db.connection
        notices.owe(self.house.db, [(name, recipient) for name, (recipient, _) in SINKS.items()], self.now_ms)
        left = {row[0] for row in sql.execute("SELECT DISTINCT grant_id FROM disclosure")}
        told = Counter(row[0] for row in sql.execute("SELECT grant_id FROM notice"))
        self.same("notices", "are owed", told, Counter(left & {g.id for g in self.given.values() if g.revoked}))

    def compare(self) -> None:
        """What waits is the same on both sides."""
        for name, sink in self.sinks.items():
            self.same(name, "waits", Counter(self.outbox(name)), Counter(waiting.said for waiting in sink.waiting))

    def verify(self) -> None:
        """The ledger's chain is whole."""
        if faults := audit.verify(self.house.db).faults:
            raise Differ(f"the ledger: {faults[0]}")

    @staticmethod
    def same(where: str, what: str, is_: Counter[Any], should: Counter[Any]) -> None:
        """Raises Differ if they are not."""
        if is_ != should:
            raise Differ(f"{where}: {what}, and should not: {list(is_ - should)[:3]}; should: {list(should - is_)[:3]}")

    def _namer(self, recipient: str) -> Callable[[str], str]:
        def name(device: str) -> str:
            return Pseudonyms(self.house.db.secret, recipient, self.epochs[recipient]).device(device)

        return name

    def _undecided(self, name: str) -> set[_Key]:
        sql = self.house.db.connection
        (cursor,) = sql.execute("SELECT cursor FROM sink WHERE name = ?", (name,)).fetchone()
        rows: Sequence[_Key] = sql.execute(
            "SELECT device, boot, seq FROM frame JOIN device ON device.id = device_id "
            "WHERE frame.id > ? OR frame.id IN (SELECT frame_id FROM parked WHERE sink = ?)",
            (cursor, name),
        ).fetchall()
        return set(rows)

    def _time_known(self, frame: Frame) -> bool:
        """Whether some frame of its boot that has come, without a gap before it, says the time."""
        seq = 1
        while (other := self._frames.get((frame.device, frame.boot, seq))) is not None:
            if other.clocked:
                return True
            seq += 1
        return False

    def _told(self, name: str, batch: Batch) -> None:
        (row,) = [row for row in audit.rows(self.house.db, batch.sending) if row.n == batch.sending]
        said = json.loads(row.entry)
        digest = hashlib.sha256("\n".join(event.body for event in batch).encode()).hexdigest()
        if (row.kind, said["body_sha256"], said["events"]) != ("sending", digest, len(batch)):
            raise Differ(f"{name}: {len(batch)} events leave, and the ledger says {said}")
        if sum(grant["events"] for grant in said["grants"]) != len(batch):
            raise Differ(f"{name}: the ledger's sums are of other events: {said}")
        for event in batch:
            id_ = name, json.loads(event.body)["id"]
            if id_ in self._done or self._ids.setdefault(id_, event.body) != event.body:
                raise Differ(f"{name}: the id of an event that left before: {event.body} and {self._ids[id_]}")


def hours_of(hours: Hours | None) -> GrantHours | None:
    """The hours as a grant has them."""
    return None if hours is None else GrantHours(hours.start_min, hours.end_min, hours.zone, hours.days)


def _said(body: str) -> Said:
    """An event field by field, in the reference's order; the id is looked at elsewhere."""
    event = json.loads(body)
    if set(event) != _FIELDS or (event["specversion"], event["datacontenttype"]) != ("1.0", "application/json"):
        raise Differ(f"an event of another form: {body}")
    return (
        event["type"], event["source"], event["subject"], event["time"], event["consentgrant"],
        str(event["consentversion"]), event["consentpurpose"], event["consentgranularity"], event["consentexpiry"],
        event["consentrecipient"], json.dumps(event["data"], sort_keys=True),
    )  # fmt: skip


_FIELDS = {
    "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "consentgrant", "consentversion",
    "consentpurpose", "consentgranularity", "consentexpiry", "consentrecipient", "data",
}  # fmt: skip
