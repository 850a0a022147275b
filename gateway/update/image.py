"""What a slot is to hold, for a class of boards: made from the firmware that lies here, as flashing makes it."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import HearthgateError
from gateway.flash import contents
from gateway.flash.compiling import MpyFormat
from gateway.flash.sources import HOUSEHOLD, LINKS, find_board
from gateway.update.manifest import LAST

__all__ = ["build"]


def build(klass: str, ca: bytes | None = None, household: Path = HOUSEHOLD) -> dict[str, bytes]:
    """Name -> bytes of each file of a slot, LAST among them. The same for the same sources.

    klass: as a board says it (`Manifest`); ca: as of slot_files; household: of find_board. Raises HearthgateError: no
    such board here, or nothing that compiles for it.
    """
    slot, _, mpy = klass.partition(" ")
    name, _, link = slot.partition("+")
    board, link = find_board(name, household), link or "mqtt"
    if link not in LINKS:
        raise HearthgateError(f"{slot!r:.80} is linked in a way that is not known here.")
    modules = contents.slot_files(board, MpyFormat.of(int(mpy)), link, ca=ca)
    return {**modules, LAST: contents.whole(board, modules, {}, None, link=link)[contents.MANIFEST]}
