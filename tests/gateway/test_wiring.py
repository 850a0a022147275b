"""tools.wiring: the drawings and tables beside the boards are what board.toml says, and the same each time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gateway.flash.boardfile import Board, BoardFileError, list_boards, load
from tools.wiring import BEGIN, END, main, svg, table, with_table

ROOT = Path(__file__).resolve().parents[2]
BOARDS = [board for board in list_boards(ROOT / "boards") if board.parts]
SVG = "{http://www.w3.org/2000/svg}"

boards = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


@boards
def test_the_committed_drawing_and_table_are_current(board: Board) -> None:
    assert (board.path.parent / "wiring.svg").read_text(encoding="utf-8") == svg(board)
    readme = (board.path.parent / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, board) == readme
    assert "(wiring.svg)" in readme


def test_another_process_draws_the_same() -> None:
    script = "import sys; from pathlib import Path; from tools.wiring import svg\n"
    script += "from gateway.flash.boardfile import load\n"
    script += f"sys.stdout.write(svg(load(Path({str(BOARDS[0].path)!r}))))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == svg(BOARDS[0])


@boards
def test_every_wire_ends_at_its_pin(board: Board) -> None:
    drawing = ET.fromstring(svg(board))
    dots = [dot for dot in drawing.iter(f"{SVG}circle") if dot.get("fill") == "#111"]
    ends = {(int(d.rpartition("H")[2]), int(d.partition("V")[2].partition("H")[0])) for d in _wires(drawing)}
    wired = sum(len(part.pin_of()) for part in board.parts)
    assert len(dots) == wired
    at = {(int(dot.get("cx", "")), int(dot.get("cy", ""))) for dot in dots}
    assert all((x - 4, y) in at or (x + 4, y) in at for x, y in ends)
    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    for part in board.parts:
        assert any((text or "").startswith(part.title) for text in texts)
        assert all(any(f"GPIO{pin}" in (text or "") for text in texts) for pin in part.pin_of().values())


@boards
def test_no_two_wires_lie_on_each_other(board: Board) -> None:
    lanes = [int(d.partition("H")[2].partition("V")[0]) for d in _wires(ET.fromstring(svg(board)))]
    assert len(lanes) == len(set(lanes))


def _wires(drawing: ET.Element) -> list[str]:
    return [path.get("d", "") for path in drawing.iter(f"{SVG}path") if "V" in path.get("d", "")]


def test_the_table_has_a_line_for_each_part_with_its_pins() -> None:
    kettle = load(ROOT / "boards" / "kettle-esp32")
    lines = table(kettle).splitlines()[2:]
    assert len(lines) == len(kettle.parts)
    assert lines[2] == (
        "| SSR module of the heater | `heater` | IN+ to **GPIO26**, IN- to GND | 10 kΩ from IN+ to GND: "
        "off while the chip resets |"
    )


@pytest.mark.parametrize(
    ("on", "wires", "hint"),
    [
        (1, "IN+ to **GPIO2**, IN- to GND", "10 kΩ from IN+ to GND: off while the chip resets"),
        (0, "IN- to **GPIO2**, IN+ to 3V3", "10 kΩ from IN- to 3V3: off while the chip resets"),
    ],
)
def test_the_resistor_of_a_relay_pulls_towards_off(tmp_path: Path, on: int, wires: str, hint: str) -> None:
    folder = tmp_path / "boards" / "fridge-esp32s3"
    shutil.copytree(ROOT / "boards" / "fridge-esp32s3", folder)
    shutil.copytree(ROOT / "firmware" / "drivers", tmp_path / "firmware" / "drivers")
    file = folder / "board.toml"
    part = f'[[parts]]\ndriver = "relay"\nname = "fan"\ntitle = "Fan"\npins = {{ control = 2 }}\non = {on}\n\n'
    text = file.read_text().replace("[[channels]]", part + "[[channels]]", 1)
    file.write_text(text.replace("files = [", 'files = [\n    "../../firmware/drivers/relay.py",', 1))
    board = load(file)
    assert f"| Fan | `fan` | {wires} | {hint} |" in table(board)
    assert hint in svg(board)


def test_a_readme_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_table("# nothing\n", BOARDS[0])
    assert with_table(f"a\n{BEGIN}\nold\n{END}\nb\n", BOARDS[0]) == f"a\n{BEGIN}\n{table(BOARDS[0])}{END}\nb\n"


def test_only_a_board_with_parts_can_be_drawn() -> None:
    with pytest.raises(BoardFileError, match="only a board with parts"):
        svg(load(ROOT / "boards" / "fridge-sim"))


def test_the_command_checks_and_refuses_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert main(["--check", "toaster"]) == 2
    assert "toaster" in capsys.readouterr().err
