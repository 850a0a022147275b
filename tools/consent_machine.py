"""The acts of consent_model: one household's life as hypothesis drives it, each act done to both sides."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.consent import pseudonym, register
from gateway.consent.vocabulary import Granularity, Vocabulary
from tools import consent_draws as draw
from tools.consent_house import fast_disk
from tools.consent_life import ALL, DAY_MS, SINKS, Life, hours_of
from tools.consent_reference import Given, Hours

__all__ = ["ConsentModel"]

_HOUR_MS = 3_600_000
_WORDS = Vocabulary.standard().extended({"granularities": {"5min": "lowest, mean and highest of five minutes"}})


class ConsentModel(RuleBasedStateMachine):
    """One household's life."""

    steps = delivered = 0

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(dir=fast_disk())
        self._life: Life | None = None

    @property
    def life(self) -> Life:
        """The household on both sides."""
        assert self._life is not None  # noqa: S101 - `begin` comes first
        return self._life

    @initialize(
        begins_s=st.sampled_from(draw.BEGINS_S),
        first=st.lists(st.tuples(draw.names, draw.which, draw.categories, draw.granularities), min_size=2, max_size=8),
    )
    def begin(self, begins_s: int, first: list[tuple[str, int, str, str]]) -> None:
        """Each recipient has a grant that nothing is measured for: a sink whose recipient has none reads again after a
        crash what it had decided on."""
        self._life = Life(Path(self._folder.name), begins_s * 1000)
        for recipient, purpose in (("manufacturer", "service"), ("brand", "marketing")):
            self.life.give(recipient, purpose, "energy", ("*",), "raw", None, 0, None, 40 * DAY_MS)
        for name, which, category, granularity in first:
            recipient, purposes = SINKS[name]
            why = purposes[which % len(purposes)]
            self.life.give(recipient, why, category, ("*",), granularity, None, 0, 0, 30 * DAY_MS)

    @rule(
        sink=draw.names, purpose=draw.which, category=draw.categories, devices=draw.devices, hours=draw.hours,
        granularity=draw.granularities, starts_in_ms=draw.starts_ms, since_ago_ms=draw.since_ms,
        lasts_ms=draw.expiries_ms,
    )  # fmt: skip
    def give(self, sink: str, purpose: int, **fields: Any) -> None:
        """A grant is given."""
        recipient, purposes = SINKS[sink]
        fields["hours"] = draw.soon(fields["hours"], self.life.now_ms)
        self.life.give(recipient, purposes[purpose % len(purposes)], **fields)

    @precondition(lambda self: self.life.alive())
    @rule(
        which=draw.which, granularity=st.none() | draw.granularities, hours=st.none() | st.tuples(draw.hours),
        devices=st.none() | draw.devices, lasts_ms=st.none() | draw.expiries_ms,
        starts_in_ms=st.none() | draw.starts_ms, since_ago_ms=draw.since_ms,
    )  # fmt: skip
    def change(
        self, which: int, granularity: str | None, hours: tuple[Hours | None] | None,
        devices: tuple[str, ...] | None, lasts_ms: int | None, starts_in_ms: int | None, since_ago_ms: int | None,
    ) -> None:  # fmt: skip
        """Where other data would leave it counts from now on, but not before it was to start; unless it says from
        when."""
        given, now_ms = self._one(which), self.life.now_ms
        before = given.granularity, given.hours, given.devices
        fields: dict[str, Any] = {}
        if granularity is not None:
            fields["granularity"], given.granularity = Granularity(granularity), granularity
        if hours is not None:
            given.hours = draw.soon(hours[0], now_ms)
            fields["hours"] = hours_of(given.hours)
        if devices is not None:
            fields["devices"] = given.devices = devices
        other = before != (given.granularity, given.hours, given.devices)
        if other:
            given.start_ms, given.since_ms = max(now_ms, given.start_ms), None
        if starts_in_ms is not None:
            fields["start_ms"] = given.start_ms = now_ms + starts_in_ms
        if lasts_ms is not None or given.expiry_ms <= given.start_ms:
            fields["expiry_ms"] = given.expiry_ms = given.start_ms + (lasts_ms or _HOUR_MS)
        if since_ago_ms is not None or (given.since_ms or 0) > given.start_ms:
            fields["since_ms"] = given.since_ms = given.start_ms - (since_ago_ms or 0)
        register.change(self.life.house.db, given.id, now_ms, _WORDS, text="I agree anew.", **fields)
        given.version += 1
        if other:
            self.life.drop(given)

    @precondition(lambda self: self.life.alive())
    @rule(which=draw.which)
    def pause(self, which: int) -> None:
        """A grant is to rest."""
        self._pause(self._one(which))

    @precondition(lambda self: any(given.paused for given in self.life.alive()))
    @rule(which=draw.which)
    def resume(self, which: int) -> None:
        """It works again, for what is measured from now on."""
        resting = [given for given in self.life.alive() if given.paused]
        self._resume(resting[which % len(resting)])

    @precondition(lambda self: self.life.alive())
    @rule(which=draw.which)
    def revoke(self, which: int) -> None:
        """A grant is taken back."""
        given = self._one(which)
        register.take_back(self.life.house.db, given.id, self.life.now_ms)
        given.revoked = True
        self.life.drop(given)

    @rule(recipient=st.sampled_from(["manufacturer", "brand"]))
    def rotate(self, recipient: str) -> None:
        """What is queued from now on carries new names."""
        pseudonym.rotate(self.life.house.db, recipient, self.life.now_ms)
        self.life.epochs[recipient] += 1

    @rule(passes_ms=st.sampled_from([1, 1000, 10_000, 299_000, 900_000, _HOUR_MS, 5 * _HOUR_MS, DAY_MS]))
    def wait(self, passes_ms: int) -> None:
        """Time passes."""
        self.life.house.now_ms += passes_ms

    @rule(
        device=draw.board, n=st.integers(1, 24), step_s=st.sampled_from([7, 10, 60, 300]),
        each=st.sampled_from([1, 1, 1, 6]), missing=st.integers(0, 2**24), opened=st.booleans(),
    )  # fmt: skip
    def measure(self, device: str, n: int, step_s: int, each: int, missing: int, opened: bool) -> None:
        """Rows; while they are measured the door may open, and that is sealed before them."""
        living, began_ms = self.life.boards[device], self.life.now_ms
        step_ms = step_s * 1000 * each if n > 1 or each > 1 else 0
        rows = [self.life.row(each, missing >> i & 1 == 1) for i in range(n)]
        if opened and step_ms:
            self.life.value += 6
            events = [(3, 0, self.life.value), (3, step_ms // 4, self.life.value + 1)]
            living.measured(began_ms + step_ms * n // 2, events=events)
        living.measured(began_ms, step_ms=step_ms, each=each, rows=rows)
        self.life.house.now_ms += max(step_ms, 1000) * n

    @rule(
        days=st.lists(st.tuples(draw.board, st.integers(6, 24), st.sampled_from([10, 60, 300])), min_size=1, max_size=6)
    )
    def live(self, days: list[tuple[str, int, int]]) -> None:
        """What is measured arrives, and is decided on."""
        for device, n, step_s in days:
            self.measure(device, n, step_s, each=1, missing=0, opened=True)
            self.arrive(device, most=12, shift=0, again=False)
        self.fill(set(SINKS))

    @precondition(lambda self: self.life.alive())
    @rule(which=draw.which, device=draw.board, n=st.integers(2, 24), works_again=st.booleans())
    def rest(self, which: int, device: str, n: int, works_again: bool) -> None:
        """A grant rests while a board without a link measures on; then, perhaps, it works again, and the board is
        back."""
        given = self._one(which)
        self.measure(device, 2, 60, each=1, missing=0, opened=False)
        if given in self.life.alive():
            self._pause(given)
        self.measure(device, n, 10, each=1, missing=0, opened=True)
        if works_again and given in self.life.alive():
            self._resume(given)
        self.measure(device, 3, 60, each=1, missing=0, opened=False)
        self.arrive(device, most=12, shift=0, again=False)
        self.fill(set(SINKS))

    @rule(device=draw.board)
    def lose_or_find_clock(self, device: str) -> None:
        """From now on its frames say the time, or do not."""
        self.life.boards[device].clocked ^= True

    @rule(device=draw.board)
    def restart(self, device: str) -> None:
        """A new boot. What the board has not sent yet it sends before."""
        living = self.life.boards[device]
        self.life.arrive(living, len(living.held))
        self.life.house.now_ms += 2000
        living.restart(self.life.now_ms)
        self.life.house.receive([living.board.birth(living.boot)])

    @rule(device=draw.board, most=st.integers(1, 12), shift=st.integers(0, 5), again=st.booleans())
    def arrive(self, device: str, most: int, shift: int, again: bool) -> None:
        """Some of what it holds, perhaps not in order; perhaps twice."""
        living = self.life.boards[device]
        at = shift % max(1, len(living.held))
        living.held = living.held[at:] + living.held[:at]
        self.life.arrive(living, most, again=again)

    @rule(names=st.sets(draw.names, min_size=1))
    def fill(self, names: set[str]) -> None:
        """Sinks decide."""
        for name in sorted(names):
            self.life.fill(name)

    @rule(name=draw.names, most=st.sampled_from([1, 3, ALL]))
    def take(self, name: str, most: int) -> None:
        """A batch is taken."""
        self.life.take(name, most)

    @rule(names=st.sets(draw.names, min_size=1))
    def send(self, names: set[str]) -> None:
        """All that may leave is delivered."""
        for name in sorted(names):
            self.life.fill(name)
            self.life.take(name, ALL)
            if name in self.life.taken:
                self.life.end(name, "delivered")

    @precondition(lambda self: self.life.taken)
    @rule(which=draw.which, fate=st.sampled_from(["delivered", "delivered", "refused", "ended"]))
    def end(self, which: int, fate: str) -> None:
        """What becomes of it."""
        self.life.end(sorted(self.life.taken)[which % len(self.life.taken)], fate)

    @rule()
    def crash(self) -> None:
        """Power fails."""
        self.life.house.crash()
        self.life.taken.clear()
        self.life.open_queues()

    @rule()
    def owe(self) -> None:
        """Erasure notices are made."""
        self.life.owe()

    @invariant()
    def nothing_differs(self) -> None:
        """After every step."""
        if self._life is not None:
            ConsentModel.steps += 1
            self.life.compare()

    def teardown(self) -> None:
        """In the end all aggregates are closed, and everything is sent."""
        try:
            if self._life is not None and sys.exc_info()[0] is None:
                self.life.house.now_ms += 2 * DAY_MS
                self.send(set(SINKS))
                self.life.owe()
                self.life.compare()
                self.life.verify()
                ConsentModel.delivered += self.life.delivered
        finally:
            if self._life is not None:
                self.life.house.close()
            self._folder.cleanup()

    def _pause(self, given: Given) -> None:
        register.pause(self.life.house.db, given.id, self.life.now_ms)
        given.paused = True
        self.life.drop(given)

    def _resume(self, given: Given) -> None:
        register.resume(self.life.house.db, given.id, self.life.now_ms, _WORDS)
        given.paused, given.resumed_ms = False, self.life.now_ms

    def _one(self, which: int) -> Given:
        alive = self.life.alive()
        return alive[which % len(alive)]
