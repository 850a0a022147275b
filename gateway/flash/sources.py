"""Where the boards' own code lies: beside the package in a checkout, inside it where it was installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.errors import HearthgateError
from gateway.flash import boardfile
from gateway.flash.boardfile import Board

__all__ = ["BOARDS", "FIRMWARE", "HOUSEHOLD", "LINKS", "find_board", "own_modules"]

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_INSTALLED: Final = Path(__file__).resolve().parent / "_data"
_ROOT: Final = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT

FIRMWARE: Final = _ROOT / "firmware"
BOARDS: Final = _ROOT / "boards"

HOUSEHOLD: Final = Path("boards")
"""A household's own boards, where its hearthgate.toml is: what is installed goes with the next version, and two boards
of a kind have two calibrations."""

_KINDS: Final = ("fridge", "kettle")
"""Modules of which a board has the one that it is."""

LINKS: Final = {
    "mqtt": ("mqtt", "mqtt_packet", "mqtt_socket", "mqtt_text", "mqtt_tls", "wifi"),
    "serial": ("cobs", "serial_config", "serial_link", "serial_port"),
}
"""What board.json calls a link -> the modules that only boards with that one have."""


def find_board(name: str, household: Path = HOUSEHOLD) -> Board:
    """The board of that name: the household's own, else the one that came with the gateway. Raises HearthgateError,
    BoardFileError."""
    known = {path.parent.name: path.parent for folder in (BOARDS, household) for path in folder.glob("*/board.toml")}
    if name not in known:
        raise HearthgateError(f"{name!r:.40} is not a board that is known here; use one of {', '.join(sorted(known))}.")
    return boardfile.load(known[name], BOARDS)


def own_modules(board: Board, link: str = "mqtt") -> list[Path]:
    """Every module that goes into a slot of the board, linked by one of LINKS: the firmware's that it needs, and its
    drivers."""
    others = {kind for kind in _KINDS if kind != board.board.kind}
    others |= {name for other, names in LINKS.items() if other != link for name in names}
    firmware = [path for path in sorted(FIRMWARE.glob("*.py")) if path.stem not in others]
    return [*firmware, *board.driver_files()]
