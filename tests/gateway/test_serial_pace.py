"""app/serial_pace.py: what is said on a USB line is read whole by a board that has 260 bytes of room and no hurry."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.app import serial_pace
from gateway.app.serial_pace import PAUSE_S, PIECE_BYTES, Pace
from gateway.wire.cable import CableFrame
from tests.gateway.test_serial_source import DEVICE, Board, line

ROOM_BYTES = 260  # stdin_ringbuf of MicroPython's ESP32 port (mphalport.c)
READ_BYTES_S = 3000  # an ESP32 that takes byte by byte in its loop: a third of what 115200 baud bring
PIECE_OF_UPDATE = bytes(range(256)) * 4 + bytes(21)


class SlowBoard(Board):
    """What does not fit into its room when it comes is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0
        self._filled = 0.0
        self._since_s = time.monotonic()
        feed = self._deframer.feed

        def arrive(data: bytes) -> list[CableFrame]:
            now_s = time.monotonic()
            self._filled = max(0.0, self._filled - (now_s - self._since_s) * READ_BYTES_S)
            self._since_s = now_s
            taken = data[: max(0, ROOM_BYTES - int(self._filled))]
            self._filled += len(taken)
            self.lost += len(data) - len(taken)
            return list(feed(taken))

        self._deframer.feed = arrive  # type: ignore[method-assign,assignment]


@pytest.mark.asyncio
@pytest.mark.parametrize("chip", [True, False], ids=["behind a chip", "not paced"])
async def test_a_piece_of_an_update_comes_through_whole(monkeypatch: pytest.MonkeyPatch, chip: bool) -> None:
    monkeypatch.setattr("tests.gateway.test_serial_source.Board", SlowBoard)
    monkeypatch.setattr(serial_pace, "_BY_CHIP", ("/dev/pts/",) if chip else ())
    async with line() as (board, source, _, _):
        assert isinstance(board, SlowBoard)
        await board.hello()
        said = asyncio.create_task(source.publish(f"hg/1/{DEVICE}/update", PIECE_OF_UPDATE, retain=False))
        if chip:
            assert (await board.hears("o", 1)).payload == PIECE_OF_UPDATE
            assert board.lost == 0
            board.say("k", 1)
            assert await said
        else:
            await asyncio.sleep(0.3)
            assert board.lost > 500, "it is as slow as the one that is paced"
            said.cancel()


def test_a_piece_goes_then_a_pause_and_the_patience_counts_the_pauses() -> None:
    now = [100.0]
    pace = Pace("/dev/ttyUSB0", lambda: now[0])
    assert pace.wait_s() == 0
    assert pace.piece(bytes(1000)) == bytes(PIECE_BYTES)
    pace.wrote(0)
    assert pace.wait_s() == 0, "the line took nothing"
    pace.wrote(PIECE_BYTES)
    assert pace.wait_s() == pytest.approx(PAUSE_S)
    now[0] += PAUSE_S
    assert pace.wait_s() == pytest.approx(0)
    assert pace.takes_s(10 * PIECE_BYTES) == pytest.approx(10 * PAUSE_S)


@pytest.mark.parametrize("place", ["socket://localhost:1", "/dev/pts/3", "/dev/ttyAMA0", "/dev/ttyS0"])
def test_other_lines_take_what_there_is(place: str) -> None:
    pace = Pace(place, lambda: 0.0)
    assert pace.piece(bytes(5000)) == bytes(5000)
    pace.wrote(5000)
    assert (pace.wait_s(), pace.takes_s(5000)) == (0, 0)
