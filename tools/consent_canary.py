"""Searches every byte that sinks wrote for values that were never granted to their recipient: there must be none.

    python -m tools.consent_canary [--events 1000000] [--json]

Three boards live through days; two recipients get what they were granted, one in a file, one over HTTPS (here without
TLS, on loopback). Every reading carries a number that says who may have it (`_MARKS`): nobody, the one, the other, or
both. Nobody may have what is of another device or category, outside of the hours, measured in a pause, before the grant
or after its end, or in an aggregate that the grant cuts short; boards are sometimes away, and bring it later. What each
recipient got (bodies unpacked, headers, request lines, erasure notices) is searched for the numbers of all others, for
the devices' ids, boots and frame numbers, and for the names that the household has for people and devices.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from gateway.consent import register
from gateway.consent.grants import Grant, Hours
from gateway.consent.vocabulary import Granularity
from gateway.forward import notices
from gateway.forward.file_sink import FileSink
from gateway.forward.forwarder import Forwarder
from gateway.forward.https_sink import HttpsSink
from gateway.store.thread import StoreThread
from tools import onboard
from tools.consent_house import NAME, Board, House, Message, fast_disk

__all__ = ["main", "measure"]

PERSON = "Robin Ferrystone"
_HOUR_MS = 3_600_000
_BEGINS_MS = 1_780_012_800_000  # a midnight
_DEVICES = ("a0b1c2d3e4f5", "a0b1c2d3e4f6", "a0b1c2d3e4f7")  # the second is in no grant
_CHANNELS = (
    ("fridge_temp", "Cel", 1, 1000, 0, "temperature"),
    ("top_shelf", "kg", 1, 1, 0, "stock"),
    ("kitchen", "/", 1, 1, 0, "use"),
    ("door_event", "/", 1, 1, 3, "door"),
    ("somebody", "/", 1, 1, 3, "presence"),
)
_BOOT, _FIRST_SEQ = 1_987_654_321, 2_718_000_000
_FILE, _HTTPS, _BOTH, _NOBODY = "file", "https", "both", "nobody"
# Nine digits; the first five say who may have it. Digits of ids and times stand between other characters.
_MARKS = {_FILE: 27181, _HTTPS: 16180, _BOTH: 14142, _NOBODY: 31337}
_MARKED = re.compile(rb"(?<![0-9A-Za-z.])(27181|16180|14142|31337)\d[\d.]*+(?![0-9A-Za-z])")
_NAMED = re.compile(
    rb"(?<![0-9A-Za-z])(?:%d|2718\d{6})(?![0-9A-Za-z])|%s|%s|%s"
    % (_BOOT, b"|".join(d.encode() for d in _DEVICES), re.escape(NAME.split()[0]).encode(), PERSON.split()[1].encode()),
    re.IGNORECASE,
)
_TO_FILE, _OVER_HTTPS = ("manufacturer", "service"), ("brand", "marketing")
_EVENTS_A_FRAME, _FRAMES_AN_HOUR = 200, 4


class _Search:
    """What was found in what one recipient got."""

    def __init__(self, recipient: str) -> None:
        allowed = {recipient, _BOTH}
        self._not_theirs = {str(mark).encode() for who, mark in _MARKS.items() if who not in allowed}
        self.bytes = self.events = self.theirs = 0
        self.found: list[bytes] = []

    def search(self, data: bytes) -> None:
        """Look through some of it."""
        self.bytes += len(data)
        self.events += data.count(b'"specversion"')
        for it in _MARKED.finditer(data):
            self.theirs += it[1] not in self._not_theirs
            self.found += [it[0]] if it[1] in self._not_theirs else []
        self.found += _NAMED.findall(data)


class _Kitchen:
    """Three boards, hour by hour."""

    def __init__(self, house: House, seed: int) -> None:
        self._rng = random.Random(seed)
        self._numbers = itertools.cycle(range(10_000))
        self._boards: dict[str, Board] = {}
        self._seq = dict.fromkeys(_DEVICES, _FIRST_SEQ)
        self._held: dict[str, list[Message]] = {device: [] for device in _DEVICES}
        for device in _DEVICES:
            board = house.board(device)
            board.channels = _CHANNELS
            self._boards[device] = board
            # A board that lived long: its numbers are none that occur by chance.
            gap = onboard.load("frame").gap_frame(_BOOT, _FIRST_SEQ, None, 0, _BOOT, 1, _FIRST_SEQ - 1)
            house.receive([board.birth(_BOOT), board.say("up", gap)])

    def live(self, begin_ms: int, who: dict[str, str]) -> None:
        """An hour from then on; `who`: who may have a category's readings of a device that is in a grant."""
        time_s, uptime_ms = begin_ms // 1000, begin_ms - _BEGINS_MS + 10 * 24 * _HOUR_MS
        for device, board in self._boards.items():
            named = device != _DEVICES[1]
            of = {
                category: who.get(category, _NOBODY) if named else _NOBODY
                for category in ("temperature", "stock", "door")
            }
            if of["door"] == _BOTH and device != _DEVICES[0]:
                of["door"] = _FILE
            columns = [of["temperature"], of["stock"], _NOBODY]
            rows = [[self._number(mark) for mark in columns] for _ in range(60)]
            said = [board.rows(_BOOT, self._next(device), time_s, uptime_ms, 60_000, rows)]
            for _ in range(_FRAMES_AN_HOUR):
                at = sorted(self._rng.randrange(_HOUR_MS) for _ in range(_EVENTS_A_FRAME))
                marks = [(4, _NOBODY) if i % 10 == 0 else (3, of["door"]) for i in range(_EVENTS_A_FRAME)]
                events = [(channel, ms, self._number(mark)) for ms, (channel, mark) in zip(at, marks, strict=True)]
                said.append(board.events(_BOOT, self._next(device), time_s, uptime_ms, events))
            self._held[device] += said

    def arrive(self, house: House) -> None:
        """What the boards hold, but for those that are away."""
        for held in self._held.values():
            if self._rng.random() < 0.8:
                house.receive(held)
                held.clear()

    def _next(self, device: str) -> int:
        self._seq[device] += 1
        return self._seq[device]

    def _number(self, who: str) -> int:
        return _MARKS[who] * 10_000 + next(self._numbers)


@asynccontextmanager
async def _cloud(search: _Search) -> AsyncIterator[int]:
    """A server that searches all that it gets; its port."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        packed = request.headers.get("Content-Encoding") == "gzip"
        search.search(gzip.decompress(body) if packed else body)
        search.search(f"{request.method} {request.path_qs}".encode() + b"\n".join(map(b": ".join, request.raw_headers)))
        return web.Response(status=202)

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class _Life:
    """The household's days: what is given, at rest, taken back; what is measured; what leaves."""

    def __init__(self, folder: Path, searches: dict[str, _Search], port: int, seed: int) -> None:
        self._house = House(folder, _BEGINS_MS - 3 * _HOUR_MS)
        self._searches = searches
        self._path = folder / "out.jsonl"
        self._store = StoreThread()
        self._numbers = itertools.count(1)
        self._kitchen = _Kitchen(self._house, seed)
        self._given: list[str] = []
        sinks = (
            (_FILE, *_TO_FILE, FileSink(self._path, max_bytes=2**30)),
            (_HTTPS, *_OVER_HTTPS, HttpsSink(f"http://127.0.0.1:{port}/v1/events", token="canary")),  # noqa: S106
        )
        self._sinks = [sink for *_, sink in sinks]
        self._ways = [Forwarder(self._house.queue(name, to, [why]), sink, self._store) for name, to, why, sink in sinks]

    async def day(self, day: int) -> None:
        """Twenty-four hours. Of the first, nothing was granted before it began."""
        begin_ms = _BEGINS_MS + day * 24 * _HOUR_MS
        if day == 0:
            for hour in (-3, -2, -1):
                self._kitchen.live(begin_ms + hour * _HOUR_MS, {})
            self._house.now_ms = begin_ms
            self._give("door", _TO_FILE, "event", begin_ms, begin_ms + 3650 * 24 * _HOUR_MS)
            self._give("door", _OVER_HTTPS, "raw", begin_ms, begin_ms + 3650 * 24 * _HOUR_MS, _DEVICES[:1])
        resting = ""
        for hour in range(24):
            now_ms = begin_ms + hour * _HOUR_MS
            if hour == 1:  # in half an hour, and until half an hour
                half_ms = _HOUR_MS // 2
                self._give("stock", _OVER_HTTPS, "hour", now_ms + half_ms, begin_ms + 17 * _HOUR_MS + half_ms)
            elif hour == 6:
                hours = Hours(8 * 60, 20 * 60, "UTC")
                resting = self._give("temperature", _TO_FILE, "raw", now_ms, begin_ms + 19 * _HOUR_MS, hours=hours)
            elif hour == 12:
                register.pause(self._house.db, resting, now_ms)
            elif hour == 13:
                register.resume(self._house.db, resting, now_ms)
            self._kitchen.live(
                now_ms,
                {
                    "temperature": _FILE if 8 <= hour < 19 and hour != 12 else _NOBODY,
                    "stock": _HTTPS if 2 <= hour < 17 else _NOBODY,
                    "door": _BOTH,
                },
            )
            await self._hour_ends(now_ms + _HOUR_MS)

    async def end(self, day: int) -> None:
        """All is taken back, and the household lives on for two hours."""
        begin_ms = _BEGINS_MS + day * 24 * _HOUR_MS
        for id_ in self._given:
            register.take_back(self._house.db, id_, begin_ms)
        notices.owe(self._house.db, [(_FILE, _TO_FILE[0]), (_HTTPS, _OVER_HTTPS[0])], begin_ms)
        for hour in (1, 2):
            self._kitchen.live(begin_ms + (hour - 1) * _HOUR_MS, {})
            await self._hour_ends(begin_ms + hour * _HOUR_MS)
        for sink in self._sinks:
            await sink.close()
        self._store.close()
        self._house.close()

    async def _hour_ends(self, now_ms: int) -> None:
        self._house.now_ms = now_ms
        self._kitchen.arrive(self._house)
        for way in self._ways:
            while await way.step() or way.queue.depth():
                if way.trouble:
                    raise RuntimeError(way.trouble)
        if self._path.exists():
            self._searches[_FILE].search(self._path.read_bytes())
            self._path.unlink()

    def _give(
        self, category: str, to: tuple[str, str], how: str, begin_ms: int, end_ms: int,
        devices: tuple[str, ...] = (_DEVICES[0], _DEVICES[2]), hours: Hours | None = None,
    ) -> str:  # fmt: skip
        id_ = f"g-{next(self._numbers):016x}"
        grant = Grant(
            id=id_, subject=PERSON, devices=devices, category=category, recipient=to[0], purpose=to[1],
            granularity=Granularity(how), hours=hours, start_ms=begin_ms, expiry_ms=end_ms, language="en",
            text=f"I, {PERSON}, agree.", created_ms=self._house.now_ms,
        )  # fmt: skip
        register.give(self._house.db, grant)
        self._given.append(id_)
        return id_


async def measure(events: int, seed: int = 1) -> dict[str, _Search]:
    """Live for whole days until so many events were sent: what was searched of each recipient's."""
    searches = {_FILE: _Search(_FILE), _HTTPS: _Search(_HTTPS)}
    with tempfile.TemporaryDirectory(dir=fast_disk()) as folder:
        async with _cloud(searches[_HTTPS]) as port:
            life = _Life(Path(folder), searches, port, seed)
            day = 0
            while day == 0 or sum(search.events for search in searches.values()) < events:
                await life.day(day)
                day += 1
                print(f"\r  {day} days, {sum(s.events for s in searches.values()):,} events …", end="", file=sys.stderr)
            await life.end(day)
    print(file=sys.stderr)
    return searches


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tools.consent_canary", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="at least so many are sent (1000000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    searches = asyncio.run(measure(options.events, options.seed))
    found = [it for search in searches.values() for it in search.found]
    said = {
        "events": sum(search.events for search in searches.values()),
        "bytes": sum(search.bytes for search in searches.values()),
        "granted_values": {name: search.theirs for name, search in searches.items()},
        "found": len(found),
        "first": [it.decode() for it in found[:3]],
        "seconds": round(time.monotonic() - began),
    }
    if options.json:
        print(json.dumps(said))
    else:
        print(
            f"{said['events']:,} events of {said['bytes']:,} bytes, with {searches[_FILE].theirs:,} and "
            f"{searches[_HTTPS].theirs:,} values that were granted: {len(found)} that were not ({said['seconds']} s)"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
