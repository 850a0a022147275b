"""Draws how the parts of a board are wired: boards/<name>/wiring.svg, and the table in its README.

    python -m tools.wiring [--check] [BOARD …]

Both are made from board.toml alone and are the same for the same file. --check changes nothing, and fails if one of
them is not what it would be made to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from gateway.flash.boardfile import Board, BoardFileError, list_boards
from gateway.flash.chips import DevKit, find_devkit
from gateway.flash.parts import Part
from tools.board_folder import ROOT

__all__ = ["main", "svg", "table", "with_table"]

BEGIN: Final = "<!-- made from board.toml by python -m tools.wiring -->"
END: Final = "<!-- up to here -->"

_PITCH, _TOP = 24, 64
_BOX, _GAP, _LANES, _LANE = 250, 18, 134, 9
_KIT: Final = 190
_LEFT_KIT: Final = 20 + _BOX + _LANES
_WIDTH: Final = 2 * _LEFT_KIT + _KIT
_COLOURS: Final = ("#0b62a4", "#b1470f", "#1a7a3c", "#7a3ca0", "#8a6d00", "#0a7d7d", "#a31545", "#4d5d1a")
_RAILS: Final = {"3V3": "#c0392b", "5V": "#c0392b", "GND": "#222222"}


@dataclass(frozen=True)
class _Box:
    """A part in the drawing: `lines` are its terminals from top to bottom, each with its GPIO or its rail."""

    part: Part
    y: int
    lines: tuple[tuple[str, int | str], ...]

    @property
    def height(self) -> int:
        return 30 + 18 * len(self.lines) + (20 if self.part.hint else 6)

    def line_y(self, index: int) -> int:
        return self.y + 40 + 18 * index


def _kit(board: Board) -> DevKit:
    kit = find_devkit(board.board.devkit or "")
    if kit is None:
        raise BoardFileError(f"{board.path}: board.devkit: only a board with parts on a kit can be drawn")
    return kit


def _fitted(kit: DevKit, part: Part) -> bool:
    return any(pin in kit.fitted for pin in part.pin_of().values())


def table(board: Board) -> str:
    """The wiring as a Markdown table, a part a line."""
    kit = _kit(board)
    lines = ["| part | name | wires | also |", "|---|---|---|---|"]
    for part in board.parts:
        pins = part.pin_of()
        if _fitted(kit, part):
            wires = "on the kit: " + ", ".join(f"GPIO{pin}" for pin in pins.values())
            hint = ""
        else:
            wires = ", ".join(
                [f"{part.terminal(role)} to **GPIO{pin}**" for role, pin in pins.items()]
                + [f"{terminal} to {rail}" for terminal, rail in part.supply]
            )
            hint = part.hint
        lines.append(f"| {part.title} | `{part.name}` | {wires} | {hint} |")
    return "\n".join(lines) + "\n"


def with_table(readme: str, board: Board) -> str:
    """That README with the board's table between its two marks. Raises ValueError if it has none."""
    before, mark, rest = readme.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{board.name}: README.md has no place for the table, between {BEGIN} and {END}")
    return before + mark + table(board) + end + after


def _boxes(board: Board, side: Sequence[int | str]) -> list[_Box]:
    """The parts that are wired to that header, in the order of its pins, below each other."""
    place = {pin: index for index, pin in enumerate(side) if isinstance(pin, int)}
    kit = _kit(board)
    wired = [part for part in board.parts if not _fitted(kit, part) and next(iter(part.pin_of().values())) in place]
    boxes: list[_Box] = []
    y = _TOP
    for part in sorted(wired, key=lambda part: min(place.get(pin, 99) for pin in part.pin_of().values())):
        signals = sorted(part.pin_of().items(), key=lambda item: place.get(item[1], 99))
        lines = [(part.terminal(role), pin) for role, pin in signals]
        box = _Box(part, y, (*lines, *part.supply))
        boxes.append(box)
        y += box.height + _GAP
    return boxes


def _text(x: int, y: int, words: str, *, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def _draw_kit(board: Board, kit: DevKit, used: set[int]) -> Iterator[str]:
    rows = max(len(kit.left), len(kit.right))
    x, height = _LEFT_KIT, rows * _PITCH + 20
    yield f'<rect x="{x}" y="{_TOP - 14}" width="{_KIT}" height="{height}" rx="8" fill="#eef2f5" stroke="#456"/>'
    yield _text(x + _KIT // 2, _TOP - 24, kit.name, anchor="middle", style=' font-weight="bold"')
    for side, edge, label, anchor in ((kit.left, x, x + 12, "start"), (kit.right, x + _KIT, x + _KIT - 12, "end")):
        for index, pin in enumerate(side):
            y = _TOP + index * _PITCH + 4
            wired = pin in used
            colour = "#111" if wired else _RAILS.get(str(pin), "#99a")
            yield f'<circle cx="{edge}" cy="{y}" r="4" fill="{colour if wired else "#fff"}" stroke="{colour}"/>'
            style = f' fill="{colour}"' + (' font-weight="bold"' if wired else "")
            yield _text(label, y + 4, f"GPIO{pin}" if isinstance(pin, int) else pin, anchor=anchor, style=style)
    middle = [f"{part.title}: GPIO{next(iter(part.pin_of().values()))}" for part in board.parts if _fitted(kit, part)]
    for index, words in enumerate(middle):
        y = _TOP + height + 10 + 18 * index
        yield _text(x + _KIT // 2, y, words, anchor="middle")


def _draw_side(boxes: list[_Box], side: Sequence[int | str], *, left: bool, colour: int) -> Iterator[str]:
    """The parts of one side with their wires; `colour` counts the wires that have one already."""
    edge = 20 + _BOX if left else _WIDTH - 20 - _BOX
    pin_x = _LEFT_KIT if left else _LEFT_KIT + _KIT
    out = 1 if left else -1
    wires = [
        (box.line_y(index), _TOP + side.index(target) * _PITCH + 4)
        for box in boxes
        for index, (_, target) in enumerate(box.lines)
        if isinstance(target, int) and target in side
    ]
    # No two wires cross where those that rise take lanes outwards in their order, and those that fall inwards.
    rising = [wire for wire in wires if wire[1] <= wire[0]]
    falling = [wire for wire in reversed(wires) if wire[1] > wire[0]]
    lanes = {wire: 44 + _LANE * index for index, wire in enumerate([*falling, *rising])}
    for index, (from_y, to_y) in enumerate(wires):
        lane = edge + out * lanes[from_y, to_y]
        line = f"M{edge} {from_y}H{lane}V{to_y}H{pin_x - out * 4}"
        yield f'<path d="{line}" fill="none" stroke="{_COLOURS[(colour + index) % len(_COLOURS)]}" stroke-width="2"/>'
    for box in boxes:
        x = 20 if left else edge
        yield f'<rect x="{x}" y="{box.y}" width="{_BOX}" height="{box.height}" rx="6" fill="#fffbe9" stroke="#a86"/>'
        yield _text(x + 10, box.y + 18, box.part.title, style=' font-weight="bold"')
        if box.part.hint:
            y = box.y + box.height - 8
            yield _text(x + 10, y, box.part.hint, style=' font-size="10" fill="#555"')
        for index, (terminal, target) in enumerate(box.lines):
            y = box.line_y(index)
            inside, anchor = (edge - 8, "end") if left else (edge + 8, "start")
            yield _text(inside, y + 4, terminal, anchor=anchor)
            if not (isinstance(target, int) and target in side):
                # Power is drawn as a name, and so is a pin of the other header.
                words = f"GPIO{target}" if isinstance(target, int) else target
                style = f' fill="{_RAILS.get(words, "#111")}" font-size="11"'
                yield f'<path d="M{edge} {y}h{out * 8}" stroke="{_RAILS.get(words, "#111")}" stroke-width="2"/>'
                yield _text(edge + out * 11, y + 4, words, anchor="start" if left else "end", style=style)


def svg(board: Board) -> str:
    """The drawing, as the text of an SVG file."""
    kit = _kit(board)
    left, right = _boxes(board, kit.left), _boxes(board, kit.right)
    used = {pin for part in board.parts for pin in part.pin_of().values()}
    rows = max(len(kit.left), len(kit.right))
    lowest = [box.y + box.height for box in (*left, *right)]
    height = max(_TOP + rows * _PITCH + 20 + 18 * len(board.parts), *lowest) + 20
    wires = sum(isinstance(target, int) for box in left for _, target in box.lines)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(f'Wiring of {board.name}')}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        *_draw_kit(board, kit, used),
        *_draw_side(left, kit.left, left=True, colour=0),
        *_draw_side(right, kit.right, left=False, colour=wires),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes, or checks, the drawings and tables of the boards that are named, or of all. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.wiring", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is not up to date")
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="names of boards; without one, all that have parts")
    options = parser.parse_args(arguments)
    try:
        boards = [board for board in list_boards(ROOT / "boards") if board.parts]
    except BoardFileError as e:
        print(e, file=sys.stderr)
        return 1
    unknown = set(options.boards) - {board.name for board in boards}
    if unknown:
        print(f"no board with parts is named {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    stale = 0
    for board in boards:
        if options.boards and board.name not in options.boards:
            continue
        readme = board.path.parent / "README.md"
        for path, text in (
            (board.path.parent / "wiring.svg", svg(board)),
            (readme, with_table(readme.read_text(encoding="utf-8"), board)),
        ):
            if path.is_file() and path.read_text(encoding="utf-8") == text:
                continue
            shown = path.relative_to(ROOT)
            if options.check:
                print(f"{shown}: is not what board.toml says; run python -m tools.wiring", file=sys.stderr)
                stale = 1
            else:
                Path(path).write_text(text, encoding="utf-8")
                print(shown)
    return stale


if __name__ == "__main__":
    raise SystemExit(main())
