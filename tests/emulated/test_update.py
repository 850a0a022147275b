"""Updates over the air, whole: real MicroPython with its own flash and loader, a real gateway, a real broker.

Alone: pytest tests/emulated/test_update.py (about two minutes).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.flash.sources import FIRMWARE
from gateway.store.updates import Row
from gateway.update.rollout import State
from tools import update_cuts
from tools.serial_board import SerialBoard
from tools.update_house import OLD, House, house, made

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "5e00000000c1", "5e00000000c2"
PATIENCE_S = 60.0

Scene = Callable[[House, SerialBoard], Awaitable[None]]


def play(folder: Path, scene: Scene, *, heap_kib: int = 192) -> None:
    """A gateway, and a board that was flashed and is switched on."""

    async def played() -> None:
        async with house(folder) as home:
            board = await home.board(FIRST, heap_kib=heap_kib)
            try:
                board.switch_on()
                await home.online(FIRST, PATIENCE_S)
                await scene(home, board)
            finally:
                board.close()

    asyncio.run(played())


def source(module: str, before: str = "", after: str = "") -> dict[str, str]:
    """A module of the firmware with one line changed."""
    text = (FIRMWARE / f"{module}.py").read_text(encoding="utf-8")
    assert text.count(before) == 1
    return {module: text.replace(before, after)}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a board tells nobody
            await asyncio.sleep(0.1)


async def ended(home: House, device: str = FIRST) -> Row:
    return (await home.until(lambda rows: rows[device].over, PATIENCE_S))[device]


def test_a_board_takes_an_update_proves_itself_and_keeps_it(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        assert await home.firmware(FIRST) == OLD
        await home.order(made("0.2.0"), {FIRST: 0})
        assert (await ended(home)).state is State.UPDATED
        assert await home.firmware(FIRST) == "0.2.0"
        # Nothing was lost by the restart: what the first life sealed came.
        numbers = await home.numbers()
        assert list(numbers) == [1, 2]
        assert all(count == highest for count, highest in numbers.values())
        # It outlives a power cut, and is not taken a second time.
        board.cut_power()
        board.switch_on()
        assert await home.online(FIRST, PATIENCE_S, before=2) == 3
        assert await home.firmware(FIRST) == "0.2.0"
        await home.order(made("0.2.0"), {FIRST: 0})
        assert (await ended(home)).state is State.CURRENT
        assert board.resets == 1

    play(tmp_path, scene)


def test_with_a_boards_memory_it_takes_an_update_too(tmp_path: Path) -> None:
    """The emulated household lives in this board's heap too: 152 KiB leave what a board of 128 KiB has left."""

    async def scene(home: House, board: SerialBoard) -> None:
        started = next(line for line in reversed(board.console) if "heap" in line)
        assert int(started.rpartition(" ")[2]) < 30 * 1024
        await home.order(made("0.2.0"), {FIRST: 0})
        assert (await ended(home)).state is State.UPDATED

    play(tmp_path, scene, heap_kib=152)


def test_firmware_that_does_not_start_is_rolled_back_and_no_other_board_gets_it(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        second = await home.board(SECOND)
        try:
            second.switch_on()
            await home.online(SECOND, PATIENCE_S)
            broken = {"starts": "raise ValueError('broken')\n"}
            await home.order(made("0.2.0", broken), {FIRST: 0, SECOND: 1})
            row = await ended(home)
            assert (row.state, row.detail) == (State.ROLLED_BACK, "its starts did not last")
            await home.online(FIRST, PATIENCE_S, before=1)
            assert await home.firmware(FIRST) == OLD
            assert (await home.rows())[SECOND].state is State.WAIT
            assert second.resets == 0
        finally:
            second.close()

    play(tmp_path, scene)


def test_firmware_that_hangs_is_rolled_back_after_two_starts(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        await home.order(made("0.2.0", {"starts": "while True:\n    pass\n"}), {FIRST: 0})
        await until(lambda: board.resets)
        # This port has no watchdog: a hand on the plug is one.
        for _ in range(2):
            await asyncio.sleep(1.5)
            board.cut_power()
            board.switch_on()
        assert (await ended(home)).state is State.ROLLED_BACK
        assert await home.firmware(FIRST) == OLD

    play(tmp_path, scene)


def test_firmware_that_does_not_pass_its_test_is_rolled_back(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        hasty = source("trial", "const(600000)", "const(3000)")
        deaf = source("appliance", "bits = 0", "bits = 1")
        await home.order(made("0.2.0", hasty | deaf), {FIRST: 0})
        row = await ended(home)
        assert row.state is State.ROLLED_BACK
        assert "sensors" in row.detail
        await home.online(FIRST, PATIENCE_S, before=2)
        assert await home.firmware(FIRST) == OLD
        # The same manifest again is refused, however often it comes; the next one is taken.
        await home.order(made("0.3.0"), {FIRST: 0})
        assert (await ended(home)).state is State.UPDATED
        assert await home.firmware(FIRST) == "0.3.0"

    play(tmp_path, scene)


def test_an_older_version_and_one_that_did_not_last_are_not_given_once_more(tmp_path: Path) -> None:
    async def scene(home: House, board: SerialBoard) -> None:
        async def ordered(version: str, instead: dict[str, str] | None = None) -> Row:
            await home.order(made(version, instead), {FIRST: 0}, firmware=version, anyway=None)
            return await ended(home)

        assert (await ordered("0.9.0")).state is State.UPDATED
        row = await ordered("0.3.0")
        assert (row.state, "it runs 0.9.0, and 0.3.0 is older" in row.detail) == (State.FAILED, True)
        broken = {"starts": "raise ValueError('broken')\n"}
        assert (await ordered("0.9.1", broken)).state is State.ROLLED_BACK
        resets = board.resets
        row = await ordered("0.9.1", broken)
        assert (row.state, "it went back from this very firmware" in row.detail) == (State.FAILED, True)
        assert await home.firmware(FIRST) == "0.9.0"
        assert board.resets == resets

    play(tmp_path, scene)


def test_the_command_updates_shows_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "hearthgate.toml").write_text(f'[store]\npath = "{tmp_path}/house.sqlite"\n')

    async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "gateway", *arguments],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    async def scene(home: House, board: SerialBoard) -> None:
        assert "No update was ordered" in (await command("update", "status")).stdout
        done = await command("update", "--board", "fridge")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 of 1 board(s) have the firmware" in done.stdout
        assert await home.firmware(FIRST) != OLD
        status = (await command("update", "status")).stdout
        assert "Fridge c1" in status
        assert "updated" in status
        wrong = await command("update", "--device", "5e00000000ff")
        assert wrong.returncode != 0
        assert "no such board" in wrong.stderr

    play(tmp_path, scene)


@pytest.mark.parametrize("seed", [7])
def test_power_cuts_in_the_midst_of_updates_lose_no_board_and_no_frame(tmp_path: Path, seed: int) -> None:
    """A few; `python -m tools.update_cuts` makes as many as one likes."""
    result = asyncio.run(update_cuts.run(seed, 8, tmp_path))
    assert result.broken() == []
    assert result.cuts == 8
