"""Options of the tests on emulated processors, and a place for what they measure.

Where the user has Espressif's QEMU, they run on an ESP32 too:
tools/test tests/qemu --esp32-qemu PATH --esp32-image PATH
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

Report = Callable[[str], None]

_LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("esp32", "an ESP32 in Espressif's QEMU (only if tests/qemu is named on the command line)")
    group.addoption("--esp32-qemu", metavar="PATH", help="Espressif's qemu-system-xtensa, or -riscv32 for a C3")
    group.addoption("--esp32-image", metavar="PATH", help="MicroPython for that chip, as it is downloaded: a .bin file")


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Prints a line at the end of the run, whether the test passes or not."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("time and heap on emulated processors")
    for line in lines:
        terminalreporter.write_line(line)
