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


class Kettle:
    """A kettle's world: the port where it listens, and who stands beside it."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = port
        self._process = process

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip()


@pytest.fixture
def kettle(tmp_path: Path, micropython: str) -> Iterator[Kettle]:
    """A kettle's world."""
    for source in (*(BOARDS / "sim").glob("*.py"), *(BOARDS / "kettle-sim").glob("*.py")):
        shutil.copy(source, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [micropython, "sim_world.py", "kettle_sim", str(port), "7", str(SPEED)]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    world = Kettle(port, process)
    assert "ready" in world.hear()
    yield world
    process.kill()
    process.communicate()


def test_it_names_what_a_board_can_read_and_set(kettle: Kettle) -> None:
    board = Board(kettle.port)
    sensors, inputs, actuators = board.ask("?")
    assert sensors.split() == ["water_temp", "water_mass", "power"]
    assert inputs.split() == ["base=1", "button=0"]
    assert actuators.split() == ["heater", "led"]
    board.close()


def test_a_look_tells_what_is_due_what_is_measured_and_what_happened(kettle: Kettle) -> None:
    board = Board(kettle.port)
    head, edges = board.ask("0")
    assert head.split()[0] == "15000"
    assert edges == " "
    _, edges = board.ask("15000")
    assert edges == " ", "sensors are read; nobody has looked at the inputs"
    _, edges = board.ask("15000 !")
    assert edges.split() == ["button=1"]
    board.close()


def test_an_actuator_is_obeyed(kettle: Kettle) -> None:
    board = Board(kettle.port)
    cold = board.sensors("1000 heater=1")["water_temp"]
    assert board.sensors("3000")["power"] > 1500
    assert board.sensors("61000")["water_temp"] > cold + 16 * 15
    board.close()


def test_it_goes_on_while_the_board_is_dead(kettle: Kettle) -> None:
    board = Board(kettle.port)
    board.ask("1000 heater=1")
    hot = board.sensors("121000 heater=0")["water_temp"]
    board.close()
    time.sleep(2)  # 200 s in the household: the kettle cools a little, and does not begin anew
    board = Board(kettle.port)
    again = board.sensors("0")["water_temp"]
    assert hot - 16 * 15 < again < hot
    board.close()


def test_a_line_without_end_is_refused_and_the_next_board_is_served(kettle: Kettle) -> None:
    board = Board(kettle.port)
    board._socket.sendall(b"1" * 2000)
    with contextlib.suppress(ConnectionResetError):  # closed with bytes of ours unread
        assert board._lines.readline() == ""
    board.close()
    board = Board(kettle.port)
    assert board.sensors("0")["water_mass"] > 0
    board.close()


def test_a_finger_holds_a_button_from_when_the_board_sees_it(kettle: Kettle) -> None:
    board = Board(kettle.port)
    board.ask("1000 !")
    kettle.say("press button 4")
    kettle.say("press nothing 4")
    kettle.say("press button")
    deadline = time.monotonic() + 10
    now_ms, edges = 1000, ""
    while "button" not in edges:
        assert time.monotonic() < deadline
        now_ms += 10
        head, edges = board.ask(f"{now_ms} !")
    assert edges.split() == ["button=1"]
    assert head.split()[0] == str(now_ms + 4000)
    assert board.ask(f"{now_ms + 3999} !")[1] == " "
    assert board.ask(f"{now_ms + 4000} !")[1].split() == ["button=0"]
    board.close()


def test_it_tells_who_stands_beside_when_the_led_goes_on_and_off(kettle: Kettle) -> None:
    board = Board(kettle.port)
    board.ask("1000 led=1")
    board.ask("2000 heater=1 led=0")
    assert [kettle.hear(), kettle.hear()] == ["led 1", "led 0"]
    board.close()
