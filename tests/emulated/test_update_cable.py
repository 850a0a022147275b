"""An update over a cable: a virtual board that speaks to the gateway on the line of its prompt takes all of a new slot,
proves itself and keeps it. Real MicroPython with its own flash and loader, a real gateway, and nothing but the cable.

Alone: pytest tests/emulated/test_update_cable.py (about half a minute).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.app.settings import Settings
from gateway.flash import flashing
from gateway.flash.configuring import Cable, table
from gateway.flash.remote import Remote
from gateway.flash.sources import find_board
from gateway.store import devices
from gateway.update.rollout import State
from tests.conftest import _free_port
from tools.serial_board import SerialBoard
from tools.update_house import BOARD, House, made

DEVICE = "5e00000000c1"
KEY = bytes(range(32))
PATIENCE_S = 90.0


def flash(port: str) -> None:
    """As `hearthgate flash --cable usb` does, without its gateway."""
    kind = find_board(BOARD)
    values = table(kind, device=DEVICE, key=KEY, name="Fridge", broker=Cable(), wifi=None)
    with Remote.open(port) as remote:
        flashing.put(remote, kind, remote.facts(), values, None)
        remote.reset()


@contextlib.asynccontextmanager
async def house(folder: Path, port: str) -> AsyncIterator[House]:
    """A gateway that listens to that port, and whose broker is not there."""
    settings = {
        "store": {"path": folder / "house.sqlite"},
        "broker": {"host": "127.0.0.1", "port": _free_port()},
        "serial": [{"url": f"serial:{port}"}],
    }
    gateway = Gateway(Settings.model_validate(settings))
    await gateway.store(devices.enrol, gateway.db, DEVICE, "Fridge", time.time_ns() // 1_000_000, KEY)
    await gateway.start()
    try:
        yield House(gateway, folder)
    finally:
        await gateway.close()


def test_a_board_on_a_cable_takes_an_update_over_it_and_runs_it(tmp_path: Path) -> None:
    async def scene(board: SerialBoard) -> None:
        async with house(tmp_path, board.port) as home:
            first = await home.online(DEVICE, PATIENCE_S)
            old = await home.firmware(DEVICE)
            # Every file differs: all of the slot passes over the cable.
            files = made("0.9.0", tail=b"x", link="serial")
            await home.order(files, {DEVICE: 0})
            row = (await home.until(lambda rows: rows[DEVICE].over, PATIENCE_S))[DEVICE]
            assert row.state is State.UPDATED, (row, list(board.console)[-12:])
            assert old != await home.firmware(DEVICE) == "0.9.0"
            assert board.resets == 2, "one of flashing, one of the update"
            # Another start finds it, and an order for the same is none.
            board.cut_power()
            board.switch_on()
            assert await home.online(DEVICE, PATIENCE_S, before=first + 1) == first + 2
            assert await home.firmware(DEVICE) == "0.9.0"
            await home.order(files, {DEVICE: 0})
            assert (await home.until(lambda rows: rows[DEVICE].over, PATIENCE_S))[DEVICE].state is State.CURRENT
            numbers = (await home.numbers()).values()
            assert all(count == highest for count, highest in numbers), "no frame was lost on the way"
            assert sum(line.noise for line in home.gateway.serial) < len(files), "no frames but prints"

    with SerialBoard(tmp_path / "flash", chip_id=DEVICE) as board:
        flash(board.port)
        asyncio.run(scene(board))
