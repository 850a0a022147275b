"""`hearthgate boards` where a gateway has the cable: it is told what is on it, the gateway has the port again at once,
and what the board has sealed is not lost.

Alone: pytest tests/emulated/test_boards_cable.py (about a minute).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app.inbox import Message
from gateway.app.ingest import Ingest
from gateway.cli.opened import opened_at
from gateway.store import devices
from tests.emulated.test_flash import BOARD, command
from tests.emulated.test_flash_cable import gateway
from tests.emulated.test_serial_link import DEVICE, KEY, PATIENCE_S, House, Noise, play
from tools.board_folder import flash
from tools.serial_board import CHIP_ID, SerialBoard

LISTENS_S = 60.0


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    with SerialBoard(tmp_path / "flash") as board:
        yield board


def listed(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = command(folder, "boards", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def numbers(folder: Path) -> dict[int, list[int]]:
    """Boot -> the numbers of the frames that the gateway has of it."""
    found: dict[int, list[int]] = {}
    with opened_at(folder / "hearthgate.sqlite") as db:
        assert devices.missing(db) == {}
        for boot, seq in db.connection.execute("SELECT boot, seq FROM frame ORDER BY boot, seq"):
            found.setdefault(boot, []).append(seq)
    return found


def until_heard(folder: Path, boot: int) -> None:
    until = time.monotonic() + LISTENS_S
    while boot not in numbers(folder):
        assert time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.2)


def test_a_board_on_the_gateways_cable_is_listed_and_heard_on(board: SerialBoard, tmp_path: Path) -> None:
    with gateway(tmp_path, f"serial:{board.port}"):
        while "frames are kept" not in (tmp_path / "log").read_text():
            time.sleep(0.1)
        (empty,) = listed(tmp_path)
        assert (empty["port"], empty["device"], empty["name"], empty["heard"]) == (board.port, CHIP_ID, None, [])
        flashed = command(tmp_path, "flash", "--port", board.port, "--board", BOARD, "--cable", "usb", "--name", "Mine")
        assert flashed.returncode == 0, (flashed.stdout, flashed.stderr, list(board.console))
        for boot in (2, 3):
            (one,) = listed(tmp_path)
            assert (one["device"], one["name"], one["heard"], one["trouble"]) == (CHIP_ID, "Mine", [CHIP_ID], None)
            assert (one["board"], one["firmware"], one["chip"]) == (BOARD, "0.1.0", "unix")
            until_heard(tmp_path, boot)
        table = command(tmp_path, "boards").stdout
        assert "Mine" in table
        assert "hears it" in table
        until_heard(tmp_path, 4)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers(tmp_path).values())
    (alone,) = listed(tmp_path)
    assert (alone["device"], alone["name"], alone["heard"]) == (CHIP_ID, "Mine", None)


def test_a_cable_without_a_prompt_is_told_by_what_its_board_told_the_gateway(
    board: SerialBoard, tmp_path: Path
) -> None:
    with gateway(tmp_path, f"serial:{board.port}"):
        flash = ("flash", "--port", board.port, "--board", BOARD, "--cable", "usb", "--name", "Mine")
        assert command(tmp_path, *flash).returncode == 0
        board.cut_power()  # it answers no more, as one of whose UARTs this is the cable
        (one,) = listed(tmp_path)
    assert (one["board"], one["firmware"], one["device"], one["heard"]) == (BOARD, "0.1.0", CHIP_ID, [CHIP_ID])
    assert "no answer of MicroPython" in one["trouble"]


@contextlib.asynccontextmanager
async def life(here: House, micropython: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A board whose prompt is on the cable, until Ctrl-C."""
    line = os.open(here.cable.board_path, os.O_RDWR | os.O_NOCTTY)
    arguments = [micropython, "-X", "heapsize=192k", "main.py"]
    process = await asyncio.create_subprocess_exec(*arguments, cwd=folder, stdin=line, stdout=line, stderr=line)
    os.close(line)
    try:
        yield process
        os.write(here.cable.board, b"\r\x03")
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def test_what_was_sealed_when_somebody_took_the_prompt_is_sent_in_the_next_life(
    micropython: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = [True]
    lost: set[bytes] = set()
    hear = Ingest.deliver

    async def deliver(self: Ingest, message: Message) -> None:
        if deaf[0] and message.topic.endswith("/up"):
            lost.add(message.payload)  # the cable has confirmed it, and the gateway does not get to store it
        else:
            await hear(self, message)

    monkeypatch.setattr(Ingest, "deliver", deliver)

    async def scene(here: House) -> None:
        folder = tmp_path / "usb"
        flash(
            "fridge-sim", folder, {"link": "serial", "serial": {"usb": True}, "report_s": 1, "step_ms": 1000},
            device=DEVICE, key_hex=KEY.hex(), name="x", wifi=None, mqtt={"host": "none", "port": 1},
            sim={"seed": 1, "speed": 1},
        )  # fmt: skip
        async with asyncio.timeout(2 * PATIENCE_S):
            async with life(here, micropython, folder):
                while len(lost) < 4:  # noqa: ASYNC110 - what the test itself counts
                    await asyncio.sleep(0.02)
            deaf[0] = False
            async with life(here, micropython, folder):
                while not {(1, seq) for seq in range(1, 5)} <= set(here.numbers()):
                    assert devices.missing(here.db) == {}
                    await asyncio.sleep(0.02)

    play(scene, tmp_path, Noise(1, 0))
