"""A household with a real database, its gateway and console in a thread, and a real Chromium that looks at them."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver

from gateway.app.examine import examine
from gateway.app.gateway import Gateway
from gateway.app.now import real_now_ms
from gateway.app.settings import Broker, Settings, SinkSettings, Store
from gateway.store import devices, frames
from gateway.store.frames import Committed, DeadLetter, StateChange
from gateway.web.console import Console
from gateway.wire.birth import Birth, Channel, ValueKind, encode_birth
from gateway.wire.cose import seal
from gateway.wire.topics import topic
from tools import onboard
from tools.simrows import rows

T = TypeVar("T")

STEP_MS = 10_000
ROWS = 60
FRIDGE = "a0b1c2d3e4f5"
KETTLE = "a0b1c2d3e4f6"
HOSTILE = "a0b1c2d3e4f7"
HALL = "a0b1c2d3e4f8"
HOSTILE_NAME = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"

_GAUGE, _STATE, _EVENT = ValueKind.GAUGE, ValueKind.STATE, ValueKind.EVENT
FRIDGE_CHANNELS = (
    Channel("fridge_temp", "Cel", 1, 16, _GAUGE, "temperature"),
    Channel("freezer_temp", "Cel", 1, 16, _GAUGE, "temperature"),
    Channel("door", "/", 1, 1, _STATE, "door"),
    Channel("top_shelf", "kg", 1, 1000, _GAUGE, "stock"),
    Channel("bottom_shelf", "kg", 1, 1000, _GAUGE, "stock"),
    Channel("power", "W", 1, 1, _GAUGE, "energy"),
    Channel("door_event", "/", 1, 1, _EVENT, "door"),
    Channel("stock_event", "kg", 1, 1000, _EVENT, "stock"),
)
KETTLE_CHANNELS = (
    Channel("water_temp", "Cel", 1, 16, _GAUGE, "temperature"),
    Channel("water_mass", "kg", 1, 1000, _GAUGE, "use"),
    Channel("power", "W", 1, 1, _GAUGE, "energy"),
    Channel("heating", "/", 1, 1, _STATE, "use"),
    Channel("boil", "/", 1, 1, _EVENT, "use"),
    Channel("switch", "/", 1, 1, _EVENT, "use"),
)
HALL_CHANNELS = (Channel("somebody", "/", 1, 1, _STATE, "presence"),)
HOSTILE_CHANNELS = (Channel("speed", "<b onmouseover=alert(1)>", 1, 1, _GAUGE, "use"),)


class Board:
    """A board without hardware: the firmware's encoder, and the gateway's commit."""

    def __init__(self, gateway: Gateway, device: str, name: str, kind: str, channels: tuple[Channel, ...]) -> None:
        self.gateway = gateway
        self.device = device
        self.known = devices.enrol(gateway.db, device, name, real_now_ms())
        series = sum(c.kind is not _EVENT for c in channels)
        self._frame = onboard.load("frame")
        self._framer = self._frame.Framer(series, ROWS)
        self._columns = self._frame.Columns(series, ROWS)
        self._seq = 0
        self._boot_s = real_now_ms() // 1000 - 8 * 3600
        birth = Birth(1, kind, f"{kind}-sim", "0.1.0", name[:64], channels)
        self._deliver("birth", encode_birth(birth))
        self.online()

    def online(self, *, online: bool = True) -> None:
        frames.commit(self.gateway.db, [StateChange(self.known.id, 2**32 - 1, online, real_now_ms())])

    def measured(self, time_ms: int, table: list[list[int | None]]) -> Committed:
        """One frame of columns, whose first row is of `time_ms`."""
        self._columns.clear()
        for row in table:
            self._columns.add(row)
        time_s, uptime_ms = divmod(time_ms, 1000)
        self._seq += 1
        uptime_ms += (time_s - self._boot_s) * 1000
        columns = self._framer.columns(1, self._seq, time_s, uptime_ms, STEP_MS, self._columns)
        return self._deliver("up", bytes(columns))

    def happened(self, time_ms: int, channel: int, value: int) -> Committed:
        """One event."""
        time_s, uptime_ms = divmod(time_ms, 1000)
        self._seq += 1
        events = [(channel, 0, value)]
        uptime_ms += (time_s - self._boot_s) * 1000
        return self._deliver("up", self._frame.events_frame(1, self._seq, time_s, uptime_ms, events))

    def _deliver(self, what: str, payload: bytes) -> Committed:
        message = seal(self.known.key, what, payload)
        registry = devices.registry(self.gateway.db)
        return frames.commit(self.gateway.db, [examine(topic(self.device, what), message, registry, real_now_ms())])


class Household:
    """A gateway with its console that runs in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.gateway: Gateway
        self.console: Console
        self.boards: dict[str, Board] = {}
        self._folder = folder
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="household")

    @property
    def url(self) -> str:
        return self.console.url

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60)
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        if self._failed is None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the console did not stop"

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the household's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stored(self, function: Any, *args: Any) -> Any:
        """Run something in the store's thread; the pages hear of it like of a commit."""

        async def work() -> Any:
            done = await self.gateway.store(function, *args)
            self.gateway._committed(done if isinstance(done, Committed) else Committed())
            return done

        return self.call(work())

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as why:  # noqa: BLE001  # it is raised where the test waits
            self._failed = why
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.gateway = Gateway(settings(self._folder))
        self.console = Console(self.gateway, "127.0.0.1", 0)
        try:
            await self.gateway.store(self._fill)
            await self.gateway.start()
            await asyncio.wait_for(self.gateway.source.connected.wait(), 20)
            await self.console.start()
            self._ready.set()
            await self._stop.wait()
        finally:
            await self.console.close()
            await self.gateway.close()

    def _fill(self) -> None:
        self.boards = fill(self.gateway)


def settings(folder: Path) -> Settings:
    """A broker inside, and two recipients whose events go to files."""
    return Settings(
        timezone="Europe/Berlin",
        store=Store(path=folder / "gateway.sqlite", commit_window_ms=20),
        broker=Broker(host="127.0.0.1", port=0, builtin=True),
        sinks=tuple(
            SinkSettings(name=name, kind="file", recipient=name, path=folder / f"{name}.jsonl", purposes=purposes)
            for name, purposes in (
                ("manufacturer", ("service", "product-improvement", "marketing")),
                ("university", ("research",)),
            )
        ),
    )


def fill(gateway: Gateway) -> dict[str, Board]:
    """Seven hours of a fridge's physics, a kettle that has boiled, a device that means harm, one that sees people."""
    now_ms = real_now_ms()
    fridge = Board(gateway, FRIDGE, "Kitchen fridge", "fridge", FRIDGE_CHANNELS)
    table: list[list[int | None]] = [list(row) for row in rows(seed=3, hours=7, step_ms=STEP_MS)]
    start_ms = now_ms - len(table) * STEP_MS
    for at in range(0, len(table), ROWS):
        fridge.measured(start_ms + at * STEP_MS, table[at : at + ROWS])
    fridge.happened(now_ms - 1_500_000, 6, 1)
    fridge.happened(now_ms - 1_480_000, 7, -312)
    fridge.happened(now_ms - 1_470_000, 6, 0)
    kettle = Board(gateway, KETTLE, "Kitchen kettle", "kettle", KETTLE_CHANNELS)
    kettle.measured(now_ms - ROWS * STEP_MS, [[336 + i // 9, 820, 0, 0] for i in range(ROWS)])
    kettle.happened(now_ms - 5_400_000, 5, 1)
    kettle.happened(now_ms - 5_220_000, 4, 1)
    kettle.happened(now_ms - 5_219_000, 5, 0)
    hostile = Board(gateway, HOSTILE, HOSTILE_NAME, "toaster", HOSTILE_CHANNELS)
    hostile.measured(now_ms - 20_000, [[7], [8]])
    hall = Board(gateway, HALL, "Hall sensor", "sensor", HALL_CHANNELS)
    hall.measured(now_ms - ROWS * STEP_MS, [[i % 2] for i in range(ROWS)])
    strange = DeadLetter("hg/1/<img src=x onerror=alert(1)>/up", b"?", "unknown_topic", "<b>no</b>", now_ms - 60_000)
    frames.commit(gateway.db, [strange])
    return {FRIDGE: fridge, KETTLE: kettle, HOSTILE: hostile, HALL: hall}


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    home = Household(tmp_path_factory.mktemp("household"))
    home.start()
    yield home
    home.close()


def _program(what: str, *names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(
        f"{what} is not installed: `sudo apt install chromium chromium-driver` (tools/test does it where it may)"
    )


def chromium(profile: Path, width: int = 1200, height: int = 900, *, dark: bool = False) -> webdriver.Chrome:
    """A real Chromium without a window; it may speak to loopback only because nothing tells it of anything else."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program("Chromium", "chromium", "chromium-browser", "google-chrome")
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", f"--window-size={width},{height}", "--lang=en-US", "--force-color-profile=srgb",
        *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []),
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=_program("Chromium's driver", "chromedriver"))
    return webdriver.Chrome(options=options, service=service)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()
