"""Two recipients lay their copies side by side, and try to find out which devices are the same ones.

In every household all devices measure the same values at the same places of the common grid. What is left to join by
is then what should tell nothing: names, ids, grants, versions, expiries, sizes, the order in a batch and over batches,
what time fields say below the grid. What the devices of a real house measure, and when, is what was granted: two
recipients who were both given a device's raw readings can hold them against each other, and nothing here can help that.
The same goes for which events a batch holds together, and when it comes: that follows from the times of its events.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.consent import pseudonym, register
from gateway.consent.grants import Grant, expires
from gateway.consent.vocabulary import Granularity
from gateway.forward import notices
from gateway.forward.https_sink import HttpsSink
from gateway.forward.queue import SinkQueue
from tools.consent_house import House, fast_disk

RECIPIENTS = (("manufacturer", "service"), ("brand", "marketing"))
DEVICES = 4
ROUNDS = 4
HOUSEHOLDS = 16
STEP_MS = 60_000
NOW_MS = 1_780_000_020_000  # a full minute
CONTENT = {"values", "value", "step_ms", "time"}

Event = dict[str, Any]


@dataclass
class Copy:
    """What one recipient got of a household: batches of events in the order in which they came, and whose they are (by
    the name that stands in them: what the recipients do not know)."""

    batches: list[list[tuple[str, Event, int]]] = field(default_factory=list)
    device_of: dict[str, str] = field(default_factory=dict)
    notices: list[Event] = field(default_factory=list)

    def by_name(self) -> dict[str, list[tuple[int, int, Event, int]]]:
        """name -> (batch, place in it, event, bytes) in order."""
        found: dict[str, list[tuple[int, int, Event, int]]] = {name: [] for name in self.device_of}
        for number, batch in enumerate(self.batches):
            for place, (name, event, size) in enumerate(batch):
                found[name].append((number, place, event, size))
        return found


def live(folder: Path, seed: int, *, rotate: bool = False) -> list[Copy]:
    """A household's rounds: the devices speak one after the other, each some milliseconds into the minute."""
    rng = random.Random(seed)
    house = House(folder, NOW_MS - 3_600_000)
    queues = [house.queue(to, to, [why]) for to, why in RECIPIENTS]
    given = NOW_MS - 3_600_000 + rng.randrange(1_000_000)
    for n, (to, why) in enumerate(RECIPIENTS):
        for m, category in enumerate(("temperature", "door")):
            register.give(house.db, _grant(f"g-{seed:08x}{n:04x}{m:04x}", to, why, category, given))
    devices = [f"{rng.randrange(2**48):012x}" for _ in range(DEVICES)]
    boards = {device: house.board(device) for device in devices}
    boots = {device: rng.randrange(1, 1000) for device in devices}
    started_ms = {device: NOW_MS - rng.randrange(1_000, 3_000) * 1000 for device in devices}
    phases_ms = {device: rng.randrange(1, 9_500) for device in devices}
    speaks = rng.sample(devices, DEVICES)  # as the house's radio would have it
    house.receive(board.birth(boots[device]) for device, board in boards.items())
    copies = [Copy() for _ in RECIPIENTS]
    names = [{} for _ in RECIPIENTS]
    seqs = dict.fromkeys(devices, 0)
    for round_ in range(ROUNDS):
        if rotate and round_ == ROUNDS // 2:
            pseudonym.rotate(house.db, "manufacturer", house.now_ms)
        begin_ms = NOW_MS + round_ * 10 * STEP_MS
        house.now_ms = begin_ms + 10 * STEP_MS
        for device in speaks:
            at_ms = begin_ms + phases_ms[device]
            head = at_ms // 1000, at_ms - started_ms[device]
            seqs[device] += 2
            house.receive(
                [
                    boards[device].events(boots[device], seqs[device] - 1, *head, [(3, i * 60_000, 1) for i in (0, 2)]),
                    boards[device].rows(boots[device], seqs[device], *head, STEP_MS, [[320, 0, 0]] * 9),
                ]
            )
        for queue, copy, known in zip(queues, copies, names, strict=True):
            copy.batches.append(_sent(queue, copy, known))
    for grant in register.grants(house.db):
        register.take_back(house.db, grant.id, house.now_ms + rng.randrange(1000))
    notices.owe(house.db, [(to, to) for to, _ in RECIPIENTS], house.now_ms)
    for queue, copy in zip(queues, copies, strict=True):
        copy.notices = [json.loads(notice.body) for notice in queue.notices()]
    house.close()
    return copies


def _grant(id_: str, to: str, why: str, category: str, given_ms: int) -> Grant:
    return Grant(
        id=id_, subject="Robin", devices=("*",), category=category, recipient=to, purpose=why,
        granularity=Granularity.RAW, hours=None, start_ms=given_ms, expiry_ms=expires(given_ms, 30), text="I agree.",
        language="en", created_ms=given_ms,
    )  # fmt: skip


def _sent(queue: SinkQueue, copy: Copy, known: dict[str, str]) -> list[tuple[str, Event, int]]:
    while queue.fill():
        pass
    batch = queue.take(10_000, HttpsSink("http://127.0.0.1/").compose)
    queue.delivered(batch)
    events = json.loads(batch.body)
    for queued, event in zip(batch, events, strict=True):
        copy.device_of[event["source"]] = queued.device
    return [(event["source"], event, len(queued.body)) for queued, event in zip(batch, events, strict=True)]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Hashable]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


Seen = Sequence[tuple[int, int, Event, int]]
FEATURES: dict[str, Callable[[Seen], Hashable]] = {
    "name": lambda seen: seen[0][2]["source"],
    "ids": lambda seen: tuple(event["id"] for _, _, event, _ in seen),
    "ids' ends": lambda seen: tuple(event["id"][-2:] for _, _, event, _ in seen),
    "grants": lambda seen: tuple(event["consentgrant"] for _, _, event, _ in seen),
    "versions": lambda seen: tuple(event["consentversion"] for _, _, event, _ in seen),
    "expiries": lambda seen: tuple(event["consentexpiry"] for _, _, event, _ in seen),
    "all times": lambda seen: tuple(event["time"] for _, _, event, _ in seen),
    "labels": lambda seen: tuple(event["data"]["time_label"] for _, _, event, _ in seen),
    "sizes": lambda seen: tuple(size for *_, size in seen),
    "kinds in order": lambda seen: tuple(event["type"] for _, _, event, _ in seen),
    "first place": lambda seen: seen[0][1],
    "last place": lambda seen: seen[-1][1],
    "places in a batch": lambda seen: tuple(place for number, place, _, _ in seen if number == 0),
    "batches": lambda seen: tuple(number for number, *_ in seen),
}


def ranked(copy: Copy, of: Callable[[Seen], Any]) -> dict[str, Hashable]:
    """The devices' places when they are put in the order of something."""
    by_name = copy.by_name()
    return {name: place for place, name in enumerate(sorted(by_name, key=lambda name: of(by_name[name])))}


RANKINGS: dict[str, Callable[[Seen], Any]] = {
    "rank of the name": lambda seen: seen[0][2]["source"],
    "rank of the first id": lambda seen: seen[0][2]["id"],
    "rank of the lowest id": lambda seen: min(event["id"] for _, _, event, _ in seen),
    "rank of the first place": lambda seen: seen[0][1],
    "rank of the sum of places": lambda seen: sum(place for _, place, _, _ in seen),
}


def hits(a: Copy, b: Copy, guess_a: dict[str, Hashable], guess_b: dict[str, Hashable]) -> float:
    """How many devices are found by pairing equal features, in expectation: who has no candidate guesses."""
    found = 0.0
    for name, feature in guess_a.items():
        same = [other for other in guess_b if guess_b[other] == feature]
        right = [other for other in same or guess_b if b.device_of[other] == a.device_of[name]]
        found += len(right) / len(same or guess_b)
    return found


def attacks(pairs: Sequence[tuple[Copy, Copy]]) -> dict[str, float]:
    """Of each way to join, the part of the devices that it finds."""
    found: dict[str, float] = {}
    for what, of in FEATURES.items():
        features = [[{name: of(seen) for name, seen in copy.by_name().items()} for copy in pair] for pair in pairs]
        found[what] = sum(hits(*pair, *both) for pair, both in zip(pairs, features, strict=True))
    for what, of in RANKINGS.items():
        found[what] = sum(hits(*pair, *(ranked(copy, of) for copy in pair)) for pair in pairs)
    return {what: n / (DEVICES * len(pairs)) for what, n in found.items()}


def households(tmp_path: Path, n: int) -> list[tuple[Copy, Copy]]:
    made = []
    for seed in range(n):
        folder = (fast_disk() or tmp_path) / f"{tmp_path.name}-{seed}"
        folder.mkdir()
        a, b = live(folder, seed)
        folder.rmdir()
        made.append((a, b))
    return made


def test_no_field_and_no_order_finds_a_device_better_than_chance(tmp_path: Path):
    found = attacks(households(tmp_path, HOUSEHOLDS))
    chance, deviation = 1 / DEVICES, (3 / 16 / (HOUSEHOLDS * DEVICES)) ** 0.5
    assert {what: part for what, part in found.items() if part > chance + 4.5 * deviation} == {}


@pytest.mark.parametrize(
    ("what", "instead", "finds"),
    [
        ("gateway.forward.outbox.ordered", tuple, "rank of the first place"),
        ("gateway.forward.cloudevent.coarse", lambda time_ms, _step_ms=0: time_ms, "all times"),
    ],
)
def test_a_join_that_is_possible_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, instead: Any, finds: str
):
    """Attacks that never find anything would prove nothing."""
    monkeypatch.setattr(what, instead)
    assert attacks(households(tmp_path, 6))[finds] > 0.9


def test_nothing_in_the_events_of_a_household_is_in_both_copies_and_not_in_every_household(tmp_path: Path):
    """What both copies have and other households have not is a name of the household, whatever it is meant to be."""
    pairs = households(tmp_path, 2)
    shared = []
    for pair in pairs:
        sides = [
            {leaf for batch in copy.batches for _, event, _ in batch for leaf in leaves(event)}
            | {leaf for notice in copy.notices for leaf in leaves(notice)}
            for copy in pair
        ]
        shared.append({(path, value) for path, value in sides[0] & sides[1] if path.rsplit(".", 1)[-1] not in CONTENT})
    assert shared[0] == shared[1]
    assert {path for path, _ in shared[0]} >= {".specversion", ".data.unit", ".data.reason"}


def test_no_long_piece_of_an_id_or_key_is_in_both_copies(tmp_path: Path):
    ((a, b),) = households(tmp_path, 1)
    pieces = []
    for copy in (a, b):
        text = [
            event[key].rsplit(":", 1)[-1] for batch in copy.batches for _, event, _ in batch for key in ("id", "source")
        ]
        text += [notice["id"] for notice in copy.notices] + [notice["data"]["key"] for notice in copy.notices]
        assert len(copy.notices) == 2
        pieces.append({it[i : i + 10] for it in text for i in range(len(it) - 9)})
    assert pieces[0] & pieces[1] == set()


def test_ids_do_not_count(tmp_path: Path):
    ((a, _),) = households(tmp_path, 1)
    for seen in a.by_name().values():
        ids = [int(event["id"], 16) for _, _, event, _ in sorted(seen, key=lambda it: it[2]["time"])]
        rising = sum(x < y for x, y in pairwise(ids))
        assert 0 < rising < len(ids) - 1


def test_new_names_cannot_be_joined_with_the_old_ones(tmp_path: Path):
    """One recipient, before and after its names were made anew. (A grant that speaks of one device only still says
    which that is: the person gave it for that one.)"""
    pairs = []
    for seed in range(HOUSEHOLDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        whole, _ = live(folder, seed, rotate=True)
        half = len(whole.batches) // 2
        old, new = Copy(whole.batches[:half]), Copy(whole.batches[half:])
        for part in (old, new):
            part.device_of = {name: whole.device_of[name] for batch in part.batches for name, *_ in batch}
        assert not old.device_of.keys() & new.device_of.keys()
        assert len(old.device_of) == len(new.device_of) == DEVICES
        pairs.append((old, new))
    found = attacks(pairs)
    assert {
        what: part for what, part in found.items() if part > 0.25 + 4.5 * (3 / 16 / (HOUSEHOLDS * DEVICES)) ** 0.5
    } == {}


def test_a_recipient_cannot_mark_a_household_to_know_it_again():
    """A cookie would be a name that no rotation changes. (Over a host's name: of an address none is kept.)"""
    got: list[dict[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(dict(request.headers))
        await request.read()
        return web.Response(headers={"Set-Cookie": "household=17; Path=/"})

    async def twice() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "localhost", 0).start()
        sink = HttpsSink(f"http://localhost:{runner.addresses[0][1]}/")
        for _ in range(2):
            await sink.send(sink.compose(["{}"]))
        await sink.close()
        await runner.cleanup()

    asyncio.run(twice())
    assert got[0] == got[1]
    assert "Cookie" not in got[1]
    assert "User-Agent" not in got[1]
