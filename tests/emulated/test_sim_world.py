"""A world as a process beside its board: the lines it speaks, and that it goes on while the board is dead."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

BOARDS = Path(__file__).resolve().parents[2] / "boards"
SPEED = 100


class Board:
    """The board's end of the line."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._lines = self._socket.makefile("r")

    def ask(self, line: str) -> list[str]:
        self._socket.sendall(f"{line}\n".encode())
        return self._lines.readline().rstrip("\n").split("|")

    def sensors(self, line: str) -> dict[str, int]:
        return {name: int(value) for name, value in (pair.split("=") for pair in self.ask(line)[0].split()[2:])}

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def kettle(tmp_path: Path, micropython: str) -> Iterator[int]:
    """A kettle's world; the port where it listens."""
    for source in (*(BOARDS / "sim").glob("*.py"), *(BOARDS / "kettle-sim").glob("*.py")):
        shutil.copy(source, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [micropython, "sim_world.py", "kettle_sim", str(port), "7", str(SPEED)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()
    yield port
    process.kill()
    process.wait()


def test_it_names_what_a_board_can_read_and_set(kettle: int) -> None:
    board = Board(kettle)
    sensors, inputs, actuators = board.ask("?")
    assert sensors.split() == ["water_temp", "water_mass", "power"]
    assert inputs.split() == ["base=1", "button=0"]
    assert actuators.split() == ["heater"]
    board.close()


def test_a_look_tells_what_is_due_what_is_measured_and_what_happened(kettle: int) -> None:
    board = Board(kettle)
    head, edges = board.ask("0")
    assert head.split()[0] == "15000"
    assert edges == " "
    _, edges = board.ask("15000")
    assert edges.split() == ["button=1"]
    board.close()


def test_an_actuator_is_obeyed(kettle: int) -> None:
    board = Board(kettle)
    cold = board.sensors("1000 heater=1")["water_temp"]
    assert board.sensors("3000")["power"] > 1500
    assert board.sensors("61000")["water_temp"] > cold + 16 * 15
    board.close()


def test_it_goes_on_while_the_board_is_dead(kettle: int) -> None:
    board = Board(kettle)
    board.ask("1000 heater=1")
    hot = board.sensors("121000 heater=0")["water_temp"]
    board.close()
    time.sleep(2)  # 200 s in the household: the kettle cools a little, and does not begin anew
    board = Board(kettle)
    again = board.sensors("0")["water_temp"]
    assert hot - 16 * 15 < again < hot
    board.close()


def test_a_line_without_end_is_refused_and_the_next_board_is_served(kettle: int) -> None:
    board = Board(kettle)
    board._socket.sendall(b"1" * 2000)
    with contextlib.suppress(ConnectionResetError):  # closed with bytes of ours unread
        assert board._lines.readline() == ""
    board.close()
    board = Board(kettle)
    assert board.sensors("0")["water_mass"] > 0
    board.close()
