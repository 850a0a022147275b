"""What pip installs: the boards' code comes with it, and a household's own board.toml goes before it.

Built without the network by the hatchling of the tests' environment. Takes about three seconds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ASK = """
import json, sys
from gateway.flash import contents, sources
from gateway.flash.boardfile import list_boards
from gateway.flash.compiling import MpyFormat
from gateway.flash.sources import find_board
board = find_board("kettle-esp32")
print(json.dumps({
    "boards": str(sources.BOARDS),
    "names": [board.name for board in list_boards(sources.BOARDS)],
    "zero": {name: find_board(name).parts[1].zero for name in sys.argv[1:]},
    "modules": sorted(contents.slot_files(find_board(sys.argv[-1]), MpyFormat(6, 3, "xtensawin"))),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds what the wheel does."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("the wheel is built by hatchling, which is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", *build, str(ROOT)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("hearthgate-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_households_own_board_goes_before_the_installed_one(installed: Path, tmp_path: Path) -> None:
    for name, zero in (("kettle-esp32", 83211), ("my-kettle", 79000)):
        (tmp_path / "boards" / name).mkdir(parents=True)
        text = f'base = "kettle-esp32"\n[parts.water_mass]\nzero = {zero}\n'
        (tmp_path / "boards" / name / "board.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", ASK, "kettle-esp32", "my-kettle"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["boards"] == str(installed / "gateway" / "flash" / "_data" / "boards"), "it is the installed one"
    assert {"fridge-esp32c3", "fridge-sim", "kettle-esp32", "kettle-sim"} <= set(told["names"])
    assert told["zero"] == {"kettle-esp32": 83211, "my-kettle": 79000}
    assert {"kettle.mpy", "hx711.mpy", "relay.mpy", "main.mpy"} <= set(told["modules"])
