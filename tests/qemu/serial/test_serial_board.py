"""The virtual board on its port, as pytest-embedded sees a board: prompt, raw REPL, resets, Ctrl-C, power."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pytest_embedded_serial import SerialDut

from tools import serial_chip
from tools.board_folder import BoardError
from tools.serial_board import CHIP_ID, SerialBoard

PROMPT = ">>> "


def press(dut: SerialDut, keys: bytes) -> None:
    """Exactly these: `dut.write` ends a line too."""
    dut.serial.proc.write(keys)


def ask(dut: SerialDut, code: str) -> None:
    press(dut, code.encode() + b"\r")


def test_a_new_board_comes_up_at_its_prompt(dut: SerialDut) -> None:
    press(dut, b"\r\n")
    dut.expect_exact(PROMPT)
    ask(dut, "import machine; print(machine.unique_id().hex(), machine.reset_cause())")
    dut.expect_exact(f"{CHIP_ID} {1}")


def test_its_flash_is_a_littlefs_and_outlives_a_power_cut(dut: SerialDut, board: SerialBoard) -> None:
    ask(dut, "f = open('note', 'w'); f.write('kept'); f.close(); import os; print('free', os.statvfs('/')[3] > 400)")
    dut.expect_exact("free True")
    board.cut_power()
    board.switch_on()
    dut.expect_exact(PROMPT)
    ask(dut, "print(open('note').read() * 2)")
    dut.expect_exact("keptkept")


def test_main_runs_after_a_soft_reset_and_not_at_the_raw_repl(dut: SerialDut) -> None:
    ask(dut, "f = open('main.py', 'w'); f.write('print(6 * 7)'); f.close()")
    press(dut, b"\x04")
    dut.expect_exact("MPY: soft reboot")
    dut.expect_exact("42")
    dut.expect_exact(PROMPT)
    press(dut, b"\x01")
    dut.expect_exact("raw REPL; CTRL-B to exit")
    press(dut, b"\x04")
    dut.expect_exact("MPY: soft reboot")
    said = dut.expect(r"(?s)(.*)raw REPL; CTRL-B to exit")
    assert b"42" not in said.group(1)


def test_ctrl_c_stops_what_runs(dut: SerialDut) -> None:
    press(dut, b"\r\n")  # what it said before the port was opened is not heard
    dut.expect_exact(PROMPT)
    ask(dut, r"""exec("print(6 * 7)\nwhile True: pass")""")
    dut.expect_exact("42")
    press(dut, b"\x03")
    dut.expect_exact("KeyboardInterrupt")
    dut.expect_exact(PROMPT)


def test_a_reset_starts_it_anew(dut: SerialDut, board: SerialBoard) -> None:
    ask(dut, "left = 1; import machine; machine.reset()")
    dut.expect_exact(PROMPT)
    ask(dut, "import machine; print('cause', machine.reset_cause(), 'left' in globals())")
    dut.expect_exact("cause 2 False")
    assert board.resets == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_board_that_cannot_start_says_why_and_leaves_no_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = SerialBoard(tmp_path / "flash")
    monkeypatch.setattr(serial_chip, "find_micropython", lambda: str(tmp_path / "none"))
    began = time.monotonic()
    with pytest.raises(BoardError, match="none"), board:
        pass
    with pytest.raises(BoardError):
        board.switch_on()
    assert time.monotonic() - began < 5
    assert not Path(board.port).exists()
