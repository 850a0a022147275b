"""gateway.flash.boards and parts: a board's parts, channels and modules fit together, or it is said how they do not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gateway.flash.boardfile import BoardFileError, list_boards, load, to_board_json

ROOT = Path(__file__).resolve().parents[2]
REAL = ("fridge-esp32c3", "fridge-esp32s3", "kettle-esp32")


def rows(name: str) -> list[list[object]]:
    table = to_board_json(
        load(ROOT / "boards" / name), device=None, key_hex="00" * 32, name=None, mqtt={"host": "x"}, wifi=None, sim=None
    )
    found: list[list[object]] = table["parts"]
    return found


@pytest.fixture
def kettle(tmp_path: Path) -> Path:
    """The board.toml of a copy of the real kettle, to break."""
    shutil.copytree(ROOT / "boards" / "kettle-esp32", tmp_path / "boards" / "kettle-esp32")
    shutil.copytree(ROOT / "firmware" / "drivers", tmp_path / "firmware" / "drivers")
    return tmp_path / "boards" / "kettle-esp32" / "board.toml"


def test_the_real_boards_are_sound_and_so_are_the_emulated_ones() -> None:
    boards = {board.name: board for board in list_boards(ROOT / "boards")}
    assert set(REAL) <= set(boards)
    for name, board in boards.items():
        assert bool(board.parts) == (name in REAL)


def test_a_real_board_measures_what_its_emulated_one_does_except_power() -> None:
    for real, emulated in (("kettle-esp32", "kettle-sim"), ("fridge-esp32c3", "fridge-sim")):
        theirs = [channel for channel in load(ROOT / "boards" / emulated).channels if channel.name != "power"]
        assert list(load(ROOT / "boards" / real).channels) == theirs


def test_board_json_has_a_row_for_each_part_relays_first() -> None:
    found = rows("kettle-esp32")
    assert found[:2] == [
        ["relay", "heater", {"control": 26, "on": 1}],
        ["ds18b20", "water_temp", {"data": 32, "offset_16ths": 0}],
    ]
    assert ["contact", "button", {"contact": 22, "closed": 1}] in found
    assert rows("fridge-esp32s3")[0] == ["sht3x", "fridge_temp", {"scl": 4, "sda": 5, "offset_16ths": 0, "address": 68}]


def test_drivers_come_from_the_firmwares_folder_and_no_more_than_are_needed() -> None:
    for name in REAL:
        board = load(ROOT / "boards" / name)
        modules = {module for part in board.parts for module in part.modules()} | {"parts"}
        assert {file.stem for file in board.driver_files()} == modules
        assert all(file.parent == ROOT / "firmware" / "drivers" for file in board.driver_files())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("control = 26", "control = 34", "parts.heater.pins.control: GPIO34 is an input only; use one of "),
        ("control = 26", "control = 25", "parts.heater.pins.control: GPIO25 is used by water_mass already (data)"),
        ("control = 26", "control = 12", "parts.heater.pins.control: GPIO12 is a strapping pin"),
        (
            '"ESP32-DevKitC-V4"',
            '"ESP32-DevKit"',
            "board.devkit: ESP32-DevKit is not known; use one of ESP32-",
        ),
        (
            '"ESP32-DevKitC-V4"',
            '"ESP32-S3-DevKitC-1"',
            "board.chip: is esp32, but the ESP32-S3-DevKitC-1 has an ESP",
        ),
        ('devkit = "ESP32-DevKitC-V4"\n', "", "board.devkit: goes with parts"),
        ('name = "base"\ntitle = "R', 'name = "heater"\ntitle = "R', "parts.heater.name: is used twice"),
        ('name = "base"\ntitle = "R', 'name = "tasks"\ntitle = "R', "parts.tasks.name: has another meaning"),
        ('driver = "water_mass"', 'driver = "mass"', "channels.water_mass.driver: no part is named mass; use one of "),
        ('    "../../firmware/drivers/sensor.py",\n', "", "has no sensor.py, which water_temp needs"),
        ("per_kg = 429497", "per_kg = 0", "a kilogram must change the count"),
        ("on = 1", "on = 2", "parts.2.relay.on"),
        ("closed = 1", "", "parts.3.reed.closed: Field required"),
        ('driver = "reed"', 'driver = "read"', "parts.3"),
        ("offset_16ths = 0", "offset = 0", "parts.0.ds18b20.offset: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_names_board_and_key_and_what_to_use(kettle: Path, old: str, new: str, sentence: str) -> None:
    text = kettle.read_text()
    assert old in text
    kettle.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardFileError) as caught:
        load(kettle)
    assert sentence in str(caught.value)
    assert "kettle-esp32" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "control = 26 }\non = 1",
            "control = 26 }\non = 0",
            "parts.heater.on: is 0, so whatever holds its wire low heats",
        ),
        (
            "closed = 1",
            "closed = 0",
            "parts.base.closed: is 0, so a cut wire would read as standing on the base; use 1",
        ),
        ('driver = "reed"\nname = "base"', 'driver = "reed"\nname = "foot"', "without one named base; use a reed"),
        (
            'driver = "reed"\nname = "base"\ntitle = "Reed switch of the base"\npins = { contact = 23 }\nclosed = 1',
            'driver = "button"\nname = "base"\ntitle = "x"\npins = { contact = 23 }',
            "parts.base.driver: is button; of a kettle use a reed",
        ),
        ('driver = "heater"', 'driver = "base"', "channels.heating.driver: is base; of a kettle use heater"),
        (
            'driver = "water_temp"',
            'driver = "water_mass"',
            "channels.water_temp.driver: is water_mass; of a kettle use",
        ),
        ('kind = "kettle"', 'kind = "toaster"', "board.kind: Input should be 'fridge' or 'kettle'"),
        ('unit = "Cel"', 'unit = "grad"', "channels.0.unit: Value error, 'grad' is no unit of SenML"),
        ('unit = "Cel"', 'unit = "cel"', "degrees Celsius are Cel"),
    ],
)
def test_what_could_not_work_or_would_heat_by_itself_is_refused(
    kettle: Path, old: str, new: str, sentence: str
) -> None:
    text = kettle.read_text()
    assert old in text
    kettle.write_text(text.replace(old, new, 1))
    with pytest.raises(BoardFileError, match=re.escape(sentence)):
        load(kettle)


def test_a_second_hygrometer_shares_the_bus_of_the_first(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "boards" / "fridge-esp32s3", tmp_path / "boards" / "fridge-esp32s3")
    shutil.copytree(ROOT / "firmware" / "drivers", tmp_path / "firmware" / "drivers")
    board = tmp_path / "boards" / "fridge-esp32s3" / "board.toml"
    text = board.read_text()
    part = '[[parts]]\ndriver = "sht3x"\nname = "air"\ntitle = "Air"\npins = { scl = %d, sda = %d }\naddress = %d\n\n'
    for scl, sda, address, wrong in (
        (4, 5, 0x45, None),
        (10, 11, 0x44, "parts.air.pins: the board's one I2C is that of fridge_temp; use its pins too (scl 4, sda 5)"),
        (10, 5, 0x45, "parts.air.pins: the board's one I2C is that of fridge_temp"),
        (4, 5, 0x44, "which has the same address"),
    ):
        board.write_text(text.replace("[[channels]]", part % (scl, sda, address) + "[[channels]]", 1))
        if wrong is None:
            assert len(load(board).parts) == 8
            continue
        with pytest.raises(BoardFileError, match=re.escape(wrong)):
            load(board)


def test_a_board_with_a_driver_module_of_its_own_needs_no_parts(kettle: Path) -> None:
    text = kettle.read_text()
    head, channels = text[: text.index("[[parts]]")], text[text.index("[[channels]]") :]
    kettle.write_text(head.replace('devkit = "ESP32-DevKitC-V4"\n', "") + channels)
    board = load(kettle)
    assert board.parts == ()
