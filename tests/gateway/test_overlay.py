"""gateway.flash.overlay: a household's own board.toml says how it differs from one that came with the gateway."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import HearthgateError
from gateway.flash import contents
from gateway.flash.boardfile import Board, BoardFileError, to_board_json
from gateway.flash.compiling import MpyFormat
from gateway.flash.sources import BOARDS, find_board

OWN = """base = "kettle-esp32"

[parts.water_mass]
zero = 83211
per_kg = 430222

[parts.heater]
pins = { control = 27 }
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a household, in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(house: Path, name: str, text: str) -> Path:
    folder = house / "boards" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "board.toml").write_text(text)
    return folder / "board.toml"


def settings(board: Board, part: str) -> dict[str, Any]:
    table = to_board_json(board, device=None, key_hex="00" * 32, name=None, mqtt={"host": "x"}, wifi=None, sim=None)
    return next(row[2] for row in table["parts"] if row[1] == part)


def test_what_it_says_wins_and_all_else_is_its_bases(house: Path) -> None:
    write(house, "my-kettle", OWN)
    mine, base = find_board("my-kettle"), find_board("kettle-esp32")
    assert mine.name == "my-kettle"
    assert settings(mine, "water_mass") == settings(base, "water_mass") | {"zero": 83211, "per_kg": 430222}
    assert settings(mine, "heater") == {"control": 27, "on": 1}
    assert settings(mine, "water_temp") == settings(base, "water_temp")
    assert (mine.channels, mine.report, mine.board.model) == (base.channels, base.report, base.board.model)
    takes = MpyFormat(6, 3, "xtensawin")
    assert contents.slot_files(mine, takes) == contents.slot_files(base, takes), "the calibration is in board.json"


def test_two_boards_of_a_kind_have_two_calibrations(house: Path) -> None:
    write(house, "kitchen", OWN)
    write(house, "office", OWN.replace("83211", "79000"))
    assert [settings(find_board(name), "water_mass")["zero"] for name in ("kitchen", "office")] == [83211, 79000]


def test_a_folder_of_the_same_name_goes_before_the_board_that_came_with_the_gateway(house: Path) -> None:
    write(house, "kettle-esp32", OWN)
    assert settings(find_board("kettle-esp32"), "water_mass")["zero"] == 83211


def test_one_pin_of_several_and_a_channels_title_can_be_changed_alone(house: Path) -> None:
    text = 'base = "kettle-esp32"\n[parts.water_mass.pins]\nclock = 27\n[channels.boil]\ntitle = "Tea time"\n'
    write(house, "mine", text + "[report]\nreport_s = 120\n")
    mine = find_board("mine")
    assert {key: settings(mine, "water_mass")[key] for key in ("data", "clock")} == {"data": 25, "clock": 27}
    assert [channel.title for channel in mine.channels if channel.name == "boil"] == ["Tea time"]
    assert (mine.report.report_s, mine.report.quiet_s) == (120, 600)


def test_a_copy_of_a_whole_folder_finds_the_firmwares_drivers(house: Path) -> None:
    shutil.copytree(BOARDS / "kettle-esp32", house / "boards" / "mine")
    with pytest.raises(BoardFileError, match=r"board\.name: is kettle-esp32, but the folder is mine"):
        find_board("mine")
    file = house / "boards" / "mine" / "board.toml"
    file.write_text(file.read_text().replace('name = "kettle-esp32"', 'name = "mine"'))
    assert find_board("mine").driver_files() == find_board("kettle-esp32").driver_files()


def test_a_scale_as_it_is_shipped_is_warned_of_until_it_is_calibrated(house: Path) -> None:
    (warning,) = find_board("kettle-esp32").not_calibrated()
    assert "water_mass is not calibrated yet" in warning
    assert "the kettle does not heat" in warning
    assert len(find_board("fridge-esp32c3").not_calibrated()) == 2
    write(house, "mine", OWN)
    assert find_board("mine").not_calibrated() == []
    assert find_board("kettle-sim").not_calibrated() == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('base = "kettle-esp32"', 'base = "kettle"', "base: 'kettle' is not a board that came with this gateway; use"),
        ('base = "kettle-esp32"', "base = 3", "base: 3 is not a board"),
        ("[parts.water_mass]", "[[parts]]", "parts: over a base they go by name: write [parts.water_temp]"),
        (
            "[parts.heater]",
            "[parts.heating]",
            "parts.heating: kettle-esp32 has none of that name; use one of water_temp",
        ),
        ("[parts.heater]", "[heater]", "heater: over a base it cannot be changed"),
        ("[parts.heater]", "[drivers]\nmodule = 'x'\n[parts.heater]", "drivers: over a base it cannot be changed"),
        ("zero = 83211", "zeros = 83211", "parts.1.hx711.zeros: Extra inputs"),
        ("control = 27", "control = 34", "my-kettle: parts.heater.pins.control: GPIO34 is an input only"),
        (
            "[parts.heater]",
            "[board]\nname = 'other'\n[parts.heater]",
            "board.name: is other, but the folder is my-kettle",
        ),
        ("zero = 83211", "zero = ", "Invalid value"),
    ],
)
def test_a_mistake_is_named_with_the_households_own_file(house: Path, old: str, new: str, sentence: str) -> None:
    assert old in OWN
    path = write(house, "my-kettle", OWN.replace(old, new, 1))
    with pytest.raises(BoardFileError) as caught:
        find_board("my-kettle")
    assert sentence in str(caught.value)
    assert str(path.relative_to(house)) in str(caught.value)


def test_an_unknown_board_is_told_with_those_of_the_household(house: Path) -> None:
    write(house, "my-kettle", OWN)
    with pytest.raises(HearthgateError, match=r"use one of fridge-esp32c3, .*, my-kettle\."):
        find_board("toaster")
