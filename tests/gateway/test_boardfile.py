"""board.toml and board.json: what a board is told, and how a mistake is reported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.flash.boardfile import Board, BoardFileError, list_boards, load, to_board_json

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "boards"
KEY = "0123456789abcdef" * 4
FRIDGE_CHANNELS = [
    "fridge_temp", "freezer_temp", "door", "top_shelf", "bottom_shelf", "power",
    "door_event", "door_ajar", "stock_event", "fault", "heap_free",
]  # fmt: skip
KETTLE_CHANNELS = [
    "water_temp", "water_mass", "power", "heating", "boil", "switch", "dry", "base", "fault", "heap_free",
]  # fmt: skip


def board_json(board: Board, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "device": "a0b1c2d3e4f5",
        "key_hex": KEY,
        "name": None,
        "mqtt": {"host": "127.0.0.1"},
        "wifi": None,
        "sim": None,
    }
    return to_board_json(board, **arguments | changes)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of boards/ to break; the path of its fridge's board.toml."""
    shutil.copytree(BOARDS, tmp_path / "boards")
    return tmp_path / "boards" / "fridge-sim" / "board.toml"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_both_emulated_boards_are_listed() -> None:
    boards = {board.name: board for board in list_boards(BOARDS)}
    assert {"fridge-sim", "kettle-sim"} <= set(boards)
    assert [c.name for c in boards["fridge-sim"].channels] == FRIDGE_CHANNELS
    assert [c.name for c in boards["kettle-sim"].channels] == KETTLE_CHANNELS
    assert all(c.title and c.title != c.name for board in boards.values() for c in board.channels)


def test_board_json_is_what_the_firmware_reads() -> None:
    out = board_json(load(BOARDS / "fridge-sim"), name="Fridge in the cellar", sim={"speed": 60, "epoch_ms": 123})
    assert json.loads(json.dumps(out)) == out
    assert list(out) == [
        "device", "name", "kind", "model", "key", "mqtt", "wifi", "step_ms", "report_s", "quiet_s", "live_s", "drivers",
        "channels", "sim",
    ]  # fmt: skip
    assert out["name"] == "Fridge in the cellar"
    assert (out["kind"], out["model"], out["drivers"]) == ("fridge", "fridge-sim", "fridge_sim")
    assert out["mqtt"] == {
        "host": "127.0.0.1", "port": 1883, "user": None, "password": None, "keepalive_s": 60, "tls": None,
    }  # fmt: skip
    assert (out["step_ms"], out["report_s"], out["quiet_s"], out["live_s"]) == (10_000, 60, 600, 1)
    assert out["channels"][0] == ["fridge_temp", "Cel", 1, 16, 0, "temperature", "fridge_temp"]
    assert out["channels"][2] == ["door", "/", 1, 1, 1, "door", "door"]
    assert out["channels"][8] == ["stock_event", "kg", 1, 1000, 3, "stock", None]
    assert out["sim"] == {"seed": 1, "speed": 60, "epoch_ms": 123}


def test_a_kettle_measures_faster_while_it_heats() -> None:
    out = board_json(load(BOARDS / "kettle-sim" / "board.toml"))
    assert (out["step_ms"], out["heating_step_ms"]) == (10_000, 1_000)
    assert out["name"] == "Kitchen kettle"
    assert out["channels"][3] == ["heating", "/", 1, 1, 1, "use", "heater"]


def test_a_journal_is_bounded_as_the_board_says_unless_it_is_told_otherwise(copy: Path) -> None:
    assert not {"journal_bytes", "flash_bytes", "durable"} & set(board_json(load(copy)))
    copy.write_text(copy.read_text() + "\n[journal]\nflash_bytes = 131072\ndurable = true\n")
    out = board_json(load(copy), journal={"flash_bytes": 0, "journal_bytes": 4096})
    assert (out["flash_bytes"], out["journal_bytes"], out["durable"]) == (0, 4096, True)
    with pytest.raises(BoardFileError, match=r"journal\.flash_bytes"):
        board_json(load(copy), journal={"flash_bytes": -1})


@pytest.mark.parametrize("name", ["fridge-sim", "kettle-sim"])
def test_the_firmware_accepts_board_json(name: str, tmp_path: Path, micropython: str) -> None:
    (tmp_path / "board.json").write_text(json.dumps(board_json(load(BOARDS / name))))
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'firmware')!r}); import config; print(config.load().model)"
    done = subprocess.run(
        [micropython, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == name + "\n", done.stdout + done.stderr


def test_a_board_may_use_its_own_id() -> None:
    assert "device" not in board_json(load(BOARDS / "fridge-sim"), device=None)


def test_tls_and_wifi_pass_through() -> None:
    mqtt = {"host": "pi.lan", "port": 8883, "tls": {"ca": "ca.der", "server_hostname": "pi.lan"}}
    wifi = {"ssid": "home", "password": "secret"}
    out = board_json(load(BOARDS / "fridge-sim"), mqtt=mqtt, wifi=wifi)
    assert out["mqtt"]["tls"] == mqtt["tls"]
    assert out["wifi"] == wifi


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"device": "A0B1C2D3E4F5"}, "device"),
        ({"key_hex": "00"}, "key"),
        ({"name": ""}, "name"),
        ({"mqtt": {}}, "mqtt.host"),
        ({"mqtt": {"host": "x", "port": "1883"}}, "mqtt.port"),
        ({"mqtt": {"host": "x", "tls": {"ca": "ca.der"}}}, "mqtt.tls.server_hostname"),
        ({"wifi": {"ssid": ""}}, "wifi.ssid"),
        ({"wifi": {"ssid": "ü" * 17, "password": ""}}, "wifi.ssid"),
        ({"sim": {"speed": 0}}, "sim.speed"),
        ({"sim": {"sped": 2}}, "sim.sped"),
    ],
)
def test_a_wrong_board_json_is_refused(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(BoardFileError, match=rf"board.json of fridge-sim: {re.escape(key)}: "):
        board_json(load(BOARDS / "fridge-sim"), **changes)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("step_ms = 10000", "step_ms = 0", "report.step_ms"),
        ("step_ms = 10000", 'step_ms = "10000"', "report.step_ms"),
        ("step_ms = 10000", "", "report.step_ms"),
        ("live_s = 1", "live_s = 1\nlife_s = 2", "report.life_s"),
        ('chip = "unix"', 'chip = "z80"', "board.chip"),
        ('name = "fridge-sim"', 'name = "frigde-sim"', "board.name"),
        ('kind = "gauge"', 'kind = "gage"', "channels.0.kind"),
        ('category = "temperature"', 'category = "Health"', "channels.0.category"),
        ('driver = "door"', "", "channels.2"),
        ('name = "freezer_temp"', 'name = "fridge_temp"', "channels"),
        ('module = "fridge_sim"', 'module = "fridge"', "drivers.module"),
        ('"fridge_sim.py"', '"fridge_sim.py", "gone.py"', "drivers.files"),
        ('"fridge_sim.py"', '"fridge_sim.py", "../../../x.py"', "drivers.files"),
        ('"fridge_sim.py"', '"fridge_sim.py", "../fridge-sim/fridge_sim.py"', "drivers.files"),
        ("[sim]\nseed = 1\nspeed = 1", "", "sim"),
        ("[sim]", "[simulation]", "simulation"),
        ("[sim]", "path = 1\n[sim]", "channels.10.path"),
    ],
)
def test_a_mistake_names_file_and_key(copy: Path, old: str, new: str, key: str) -> None:
    change(copy, old, new)
    with pytest.raises(BoardFileError, match=rf"{re.escape(str(copy))}: {re.escape(key)}: "):
        load(copy)


def test_a_file_cannot_say_where_it_lies(copy: Path) -> None:
    copy.write_text("path = 'x'\n" + copy.read_text())
    with pytest.raises(BoardFileError, match="path"):
        load(copy)


def test_a_broken_or_missing_file_is_named(copy: Path, tmp_path: Path) -> None:
    copy.write_text("[board\n")
    with pytest.raises(BoardFileError, match="fridge-sim"):
        load(copy)
    with pytest.raises(BoardFileError, match="nowhere"):
        load(tmp_path / "nowhere" / "board.toml")


def test_a_network_may_have_a_name_of_32_bytes() -> None:
    for ssid in ("x" * 32, "ü" * 16):
        out = board_json(load(BOARDS / "fridge-sim"), wifi={"ssid": ssid, "password": "secret"})
        assert out["wifi"]["ssid"] == ssid
    with pytest.raises(BoardFileError, match="has 33 bytes in UTF-8, and the name of a network at most 32"):
        board_json(load(BOARDS / "fridge-sim"), wifi={"ssid": "ü" * 16 + "x", "password": "secret"})


def test_a_real_board_has_no_household(copy: Path) -> None:
    change(copy, 'chip = "unix"', 'chip = "esp32"')
    change(copy, "[sim]\nseed = 1\nspeed = 1", "")
    board = load(copy)
    assert board_json(board)["sim"] is None
    with pytest.raises(BoardFileError, match="not emulated"):
        board_json(board, sim={"seed": 1})


def test_driver_files_exist_and_lie_flat() -> None:
    for board in list_boards(BOARDS):
        files = board.driver_files()
        assert all(file.is_file() for file in files)
        assert len({file.name for file in files}) == len(files)
