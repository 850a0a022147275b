"""Somebody opens the console: a real board, which reports every minute, does it every second as long as they look.

Alone: pytest tests/emulated/test_watching.py (about half a minute).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tools.update_house import House, house

BOARD = "5e00000000c1"
PATIENCE_S = 60.0


async def frames(home: House) -> int:
    ((count,),) = await home.select("SELECT count(*) FROM frame")
    return int(count)


def test_while_somebody_looks_readings_are_new_every_second(tmp_path: Path) -> None:
    async def played() -> None:
        async with house(tmp_path) as home:
            board = await home.board(BOARD)
            try:
                board.switch_on()
                await home.online(BOARD, PATIENCE_S)
                async with asyncio.timeout(PATIENCE_S):
                    while not await frames(home):  # the first one goes out at once; its ack tells the board the time
                        home.gateway.ingest.looked()
                        await asyncio.sleep(0.2)
                    before = await frames(home)
                    while await frames(home) < before + 8:
                        home.gateway.ingest.looked()
                        home.gateway.watching.looked()
                        await asyncio.sleep(0.2)
                rows = await home.select("SELECT seq, received_ms FROM frame ORDER BY id")
                assert rows[-1][1] - rows[-6][1] < 15_000, rows
            finally:
                board.close()

    asyncio.run(played())
