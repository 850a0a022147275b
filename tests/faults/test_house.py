"""Every fault of a chaos run says whether it had an effect, and where it had none it is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tools.chaos_gateway import seen_offset
from tools.chaos_house import RECIPIENT, House
from tools.chaos_schedule import CLOUD_MODES, Fault

PATIENCE_S = 30.0
NOW_MS = 1_780_000_000_000


@pytest_asyncio.fixture
async def home(tmp_path: Path):
    """A house in which nothing runs yet."""
    made = House(tmp_path, 1, "mosquitto", NOW_MS, lambda _: None)
    yield made
    for part in made.parts:
        await part.kill()
    for board in made.boards.values():
        await board.close()


def fault(kind: str, target: str, seconds: float = 0.0, value: int = 0) -> Fault:
    return Fault(0.0, kind, target, seconds, value)


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.05)


async def answer(home: House) -> int | None:
    """What the cloud says to a batch of nothing; None where it says nothing."""
    url = f"http://127.0.0.1:{home.cloud.port}/v1/recipients/{RECIPIENT}/events"
    token = (home.folder / "cloud.token").read_text(encoding="ascii")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents-batch+json"}
    try:
        async with aiohttp.ClientSession() as session, session.post(url, data=b"[]", headers=headers) as got:
            return got.status
    except aiohttp.ClientError:
        return None


@pytest.mark.asyncio
async def test_the_cloud_takes_on_the_manners_that_it_is_told(home: House):
    assert not await home.cloud_mode("fail")  # nobody is there
    await home.cloud.start()
    await home.cloud.ready()
    for mode, status in (("fail", 503), ("throttle", 429), ("lose_answers", None), ("ok", 200)):
        assert await home.cloud_mode(mode)
        assert await answer(home) == status
    assert not await home.cloud_mode("rude")
    for mode in CLOUD_MODES:
        assert await home.cloud_mode(mode)


@pytest.mark.asyncio
async def test_what_finds_nothing_to_strike_is_missed(home: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tools.chaos_house._SOON_S", 0.2)
    faults = [
        fault("cloud_fail", "cloud"),
        fault("disk_full", "gateway", value=4096),
        fault("gateway_clock", "gateway", value=600),
        fault("repeat", "gateway-broker", value=3),
        fault("board_clock", "fridge", value=-30),
    ]
    for each in faults:
        await home.strike(each)
    home.settle()
    assert home.struck == +home.missed == {each.kind: 1 for each in faults}


@pytest.mark.asyncio
async def test_the_gateway_sees_its_clock_step(home: House):
    await asyncio.to_thread(home.furnish)
    await home.gateway.start()
    await home.strike(fault("gateway_clock", "gateway", value=-45))
    assert seen_offset(home.gateway.clock) == -45
    assert not home.missed["gateway_clock"]


@pytest.mark.asyncio
async def test_a_board_obeys_and_says_so(home: House):
    fridge = home.boards["fridge"]
    await fridge.start()
    await fridge.ready()
    for each in (
        fault("board_clock", "fridge", value=-900),
        fault("board_power_cut", "fridge", seconds=PATIENCE_S, value=7),
        fault("board_power_cut_starting", "fridge", value=90),
    ):
        await home.strike(each)
        await until(lambda kind=each.kind: fridge.took_effect()[kind])
    home.settle()
    assert home.struck.total() == 3
    assert home.missed.total() == 0
    assert fridge.lives >= 3
    assert fridge.problems == []


@pytest.mark.asyncio
async def test_a_board_without_a_clock_cannot_have_a_wrong_one(home: House):
    cellar = home.boards["cellar"]
    await cellar.start()
    await cellar.ready()
    await home.strike(fault("board_clock", "cellar", value=1200))
    await until(lambda: not (home.folder / "cellar" / "orders.txt").exists())
    await asyncio.sleep(0.2)
    home.settle()
    assert home.missed["board_clock"] == 1


@pytest.mark.asyncio
async def test_who_is_killed_by_nobody_we_know_is_told(home: House):
    fridge = home.boards["fridge"]
    await fridge.start()
    await fridge.ready()
    assert fridge.virtual._process is not None
    fridge.virtual._process.kill()
    await until(lambda: fridge.problems)
    assert "ended with status -9" in fridge.problems[0]
