"""What a slot is to hold, for a class of boards: made from the firmware that lies here, as flashing makes it."""

from __future__ import annotations

from gateway.flash import contents
from gateway.flash.compiling import MpyFormat
from gateway.flash.sources import find_board
from gateway.update.manifest import LAST

__all__ = ["build"]


def build(klass: str) -> dict[str, bytes]:
    """Name -> bytes of each file of a slot, LAST among them. The same for the same sources.

    klass: as a board says it (`Manifest`). Raises HearthgateError: no such board here, or nothing that compiles for it.
    """
    name, _, mpy = klass.partition(" ")
    board = find_board(name)
    modules = contents.slot_files(board, MpyFormat.of(int(mpy)))
    return {**modules, LAST: contents.whole(board, modules, {}, None)[contents.MANIFEST]}
