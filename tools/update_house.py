"""A household whose boards are updated over the air: a gateway with its broker, and virtual boards that were flashed as
a person flashes them. For the tests of updates, and for the run that cuts the power in the midst of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.app.gateway import Gateway
from gateway.app.settings import Settings
from gateway.broker.access import mqtt_password
from gateway.flash import boardfile, contents
from gateway.flash.compiling import compile_module, find_compiler
from gateway.flash.remote import Remote
from gateway.flash.sources import find_board, own_modules
from gateway.store import devices, updates
from gateway.store.updates import Row
from gateway.update.version import Anyway
from tools.board_folder import find_micropython, takes
from tools.serial_board import HEAP_KIB, SerialBoard

__all__ = ["BOARD", "OLD", "House", "Sources", "house", "made"]

BOARD: Final = "fridge-sim"
OLD: Final = "0.0.1"
"""What the boards are flashed with."""

Sources = Mapping[str, str]
"""Module -> its source, in place of the firmware's own."""


def made(version: str, instead: Sources | None = None, tail: bytes = b"", link: str = "mqtt") -> dict[str, bytes]:
    """Name -> bytes of a slot of BOARD, of a firmware that calls itself `version`. tail: goes behind the code of every
    module, where MicroPython does not read it. link: one of sources.LINKS."""
    board = find_board(BOARD)
    wanted = takes(find_micropython())
    files = contents.slot_files(board, wanted, link)
    config = next(path for path in own_modules(board) if path.stem == "config").read_text(encoding="utf-8")
    sources = {"config": re.sub(r'^FIRMWARE = ".*"$', f'FIRMWARE = "{version}"', config, flags=re.MULTILINE)}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (sources | dict(instead or {})).items():
            path = Path(folder) / f"{name}.py"
            path.write_text(text, encoding="utf-8")
            code = compile_module(find_compiler(wanted), path, wanted.architecture)
            if code is None:
                raise ValueError(f"{name} cannot be precompiled")
            files[f"{name}.mpy"] = code
    files = {name: data + tail for name, data in files.items()}
    return {**files, contents.MANIFEST_NAME: contents.whole(board, files, {}, None, link=link)[contents.MANIFEST]}


class House:
    """The gateway, and boards on it."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder

    async def board(self, device: str, *, heap_kib: int = HEAP_KIB, **settings: Any) -> SerialBoard:
        """A board that was flashed with OLD and is enrolled, without power. settings: more keys of its board.json."""
        board = SerialBoard(self.folder / f"flash-{device}", chip_id=device, heap_kib=heap_kib)
        known = await self.gateway.store(
            devices.enrol, self.gateway.db, device, f"Fridge {device[-2:]}", time.time_ns() // 1_000_000
        )
        await asyncio.to_thread(self._flash, board, known, settings)
        return board

    async def order(
        self,
        files: Mapping[str, bytes],
        stages: Mapping[str, int],
        *,
        ask: bool = False,
        firmware: str = OLD,
        anyway: Anyway | None = Anyway.DOWNGRADE,
    ) -> None:
        """Let these boards be updated to these files, whatever firmware lies here. firmware: what it is said to be."""
        self.gateway.updating.order.build = lambda _: (firmware, dict(files))
        db, now_ms = self.gateway.db, time.time_ns() // 1_000_000
        await self.gateway.store(lambda: updates.order(db, stages, now_ms, ask=ask, anyway=anyway))
        self.gateway.updating.changed()

    async def rows(self) -> dict[str, Row]:
        """How far each board is."""
        return await self.gateway.store(updates.rows, self.gateway.db)

    async def select(self, query: str) -> list[Any]:
        """What the database answers, in its thread: in any other its connection may be closed in that moment."""
        return await self.gateway.store(lambda: self.gateway.db.connection.execute(query).fetchall())

    async def numbers(self) -> dict[int, tuple[int, int]]:
        """Boot -> how many frames are stored, and the highest number."""
        rows = await self.select("SELECT boot, count(*), max(seq) FROM frame GROUP BY boot ORDER BY boot")
        return {boot: (count, highest) for boot, count, highest in rows}

    async def until(self, condition: Callable[[dict[str, Row]], bool], limit_s: float) -> dict[str, Row]:
        """Wait until that holds of the rows. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while True:
                rows = await self.rows()
                if condition(rows):
                    return rows
                await asyncio.sleep(0.1)

    async def online(self, device: str, limit_s: float, before: int = 0) -> int:
        """Wait until a board is online in a boot beyond `before`; that boot's number. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while True:
                boot = await self.gateway.store(self._boot, device)
                if boot > before:
                    return boot
                self.gateway.ingest.looked()
                await asyncio.sleep(0.1)

    def _boot(self, device: str) -> int:
        known = devices.registry(self.gateway.db)[device]
        birth = devices.newest_birth(self.gateway.db, known.id)
        return birth.boot if birth is not None and known.online else 0

    async def firmware(self, device: str) -> str:
        """What the board last said that it runs."""

        def look() -> str:
            birth = devices.newest_birth(self.gateway.db, devices.registry(self.gateway.db)[device].id)
            return "" if birth is None else birth.firmware

        return await self.gateway.store(look)

    def _flash(self, board: SerialBoard, known: devices.Device, settings: Mapping[str, Any]) -> None:
        kind = find_board(BOARD)
        mqtt = {
            "host": "127.0.0.1",
            "port": self.gateway.broker_port,
            "user": known.device,
            "password": mqtt_password(known.key),
        }
        table = boardfile.to_board_json(
            kind, device=None, key_hex=known.key.hex(), name=known.name, mqtt=mqtt, wifi=None, sim=None
        )
        files = made(OLD)
        wanted = contents.whole(kind, {}, table | dict(settings), None)
        del wanted[contents.MANIFEST]
        wanted |= {contents.SLOT + name: data for name, data in files.items()}
        board.switch_on()
        with Remote.open(board.port, 10.0) as remote:
            remote.make_folder(contents.SLOT.rstrip("/"))
            for path, data in wanted.items():
                for _ in remote.write(path, data):
                    pass
        board.cut_power()


@contextlib.asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """A gateway that runs, with a broker of its own."""
    settings = Settings.model_validate(
        {"store": {"path": folder / "house.sqlite"}, "broker": {"builtin": True, "host": "127.0.0.1", "port": 0}}
    )
    gateway = Gateway(settings)
    await gateway.start()
    try:
        yield House(gateway, folder)
    finally:
        await gateway.close()
