"""The virtual board, on whose port pytest-embedded's `serial` and `dut` are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded import FIXTURES
from tools.serial_board import SerialBoard

globals().update(FIXTURES)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[SerialBoard]:
    """It has power, and nothing on its flash."""
    with SerialBoard(tmp_path / "flash") as board:
        yield board


@pytest.fixture
def embedded_services() -> str:
    return "serial"


@pytest.fixture
def port(board: SerialBoard) -> str:
    """Where pytest-embedded finds it."""
    return board.port
