"""A board whose firmware crashes at every start: three tries, then safe mode at the prompt; mended, it tells why.

MicroPython runs the firmware as on a chip: with a reset, and a cause of the last one (boards/sim/chip/machine.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import aiomqtt
import cbor2

from gateway.wire import cose, crash, topics
from tests.conftest import BrokerFactory
from tools.board_folder import ROOT, flash

KEY = bytes(range(32))
DEVICE = "5e0000000009"
POWER_ON, HARD, WATCHDOG = 1, 2, 3
HEAP_KIB = 192
"""Its world is in it too."""
RESET = -signal.SIGUSR1
PATIENCE_S = 30.0


class Chip:
    """A fridge's flash, and one start of it at a time."""

    def __init__(self, folder: Path, micropython: str, port: int) -> None:
        self.flash = folder / "flash"
        self._micropython = micropython
        rom = folder / "rom"
        rom.mkdir()
        shutil.copy(ROOT / "boards" / "sim" / "chip" / "machine.py", rom)
        self._environment = {**os.environ, "MICROPYPATH": f"{rom}:.frozen", "CHIP_ID": DEVICE}
        flash(
            "fridge-sim", self.flash, device=DEVICE, key_hex=KEY.hex(), name="x", wifi=None,
            sim={"seed": 1, "speed": 1}, mqtt={"host": "127.0.0.1", "port": port},
        )  # fmt: skip
        drivers = next(self.flash.glob("fridge_sim.*py"))
        self._drivers, self._good = drivers, drivers.read_bytes()

    def break_it(self, how: str) -> None:
        self._drivers.unlink()
        self._drivers.with_suffix(".py").write_text(how, encoding="utf-8")

    def mend_it(self) -> None:
        self._drivers.with_suffix(".py").unlink()
        self._drivers.write_bytes(self._good)

    def _command(self, cause: int) -> tuple[list[str], dict[str, str]]:
        command = [self._micropython, "-X", f"heapsize={HEAP_KIB}k", "main.py"]
        return command, self._environment | {"CHIP_CAUSE": str(cause)}

    def start(self, cause: int) -> tuple[int, str]:
        """One start, until the board resets itself or is at its prompt: the status of its process, and what it said."""
        command, environment = self._command(cause)
        done = subprocess.run(
            command, env=environment, cwd=self.flash, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    async def run(self, cause: int) -> asyncio.subprocess.Process:
        """A start that lasts."""
        command, environment = self._command(cause)
        return await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=self.flash, stdout=asyncio.subprocess.PIPE
        )


def test_three_crashes_at_start_lead_to_safe_mode_and_a_mended_board_tells_why(
    mosquitto: BrokerFactory, micropython: str, tmp_path: Path
) -> None:
    port = mosquitto().port
    chip = Chip(tmp_path, micropython, port)
    chip.break_it("def open_drivers(board, clock):\n    raise ValueError('the sensor is on fire')\n")
    assert [chip.start(cause)[0] for cause in (POWER_ON, HARD, HARD)] == [RESET] * 3
    code, said = chip.start(HARD)
    assert code == 0, "it is at its prompt"
    assert "safe mode" in said and "the sensor is on fire" in said
    assert [chip.start(HARD)[0] for _ in range(4)] == [RESET] * 3 + [0], "a reset is a way out of safe mode"
    chip.mend_it()

    async def told() -> list[crash.Crash]:
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe(topics.topic(DEVICE, "crash"), qos=1)
            board = await chip.run(WATCHDOG)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    reports = []
                    async for message in client.messages:
                        assert isinstance(message.payload, bytes)
                        reports.append(crash.decode_crash(cose.open_sealed(KEY, "crash", message.payload)))
                        if len(reports) == 2:
                            break
                    while (chip.flash / "crash").exists():  # noqa: ASYNC110 - the board is another process
                        await asyncio.sleep(0.05)
                    return reports
            finally:
                with contextlib.suppress(ProcessLookupError):
                    board.kill()
                print((await board.communicate())[0].decode())

    first, newest = asyncio.run(told())
    assert first.headline == "ValueError: the sensor is on fire"
    assert (first.cause, first.nth) == (POWER_ON, 1)
    assert (newest.cause_word, newest.nth, newest.text) == ("watchdog", 7, "")
    assert newest.starts == (0, 1, 7, 1, 0, 0, 0)


def test_what_only_a_person_can_mend_is_no_crash(micropython: str, tmp_path: Path) -> None:
    chip = Chip(tmp_path, micropython, 1)
    (chip.flash / "board.json").write_bytes(b"{}")
    for _ in range(6):
        code, said = chip.start(HARD)
        assert code == 0 and "board.json: kind" in said and "safe mode" not in said


def test_the_reports_of_a_board_are_what_the_gateway_reads(micropython: str, tmp_path: Path) -> None:
    chip = Chip(tmp_path, micropython, 1)
    chip.break_it("raise RuntimeError('\\xff\\x1b[31m' + 'long ' * 1000)\n")
    chip.start(POWER_ON)
    ((_, *report),) = ([1, *item] for item in cbor2.loads((chip.flash / "crash").read_bytes()))
    read = crash.decode_crash(crash.encode_crash(*report))
    assert len(read.text) <= crash.MAX_TEXT_BYTES
    assert read.text.replace("\n", "").isprintable()
