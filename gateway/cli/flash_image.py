"""`hearthgate flash --image`: MicroPython onto a board, over what is there or after erasing it."""

import sys
from pathlib import Path

import typer
from rich.console import Console

from gateway.flash import held
from gateway.flash.image import Area, erases, look, write_image
from gateway.flash.remote import FlashError, Remote

_PATIENCE_S = 5.0
"""For a MicroPython that is there already; whoever does not answer by then is looked at in its flash."""


def put_image(console: Console, port: str, chip: str, image: Path, erase: bool | None) -> None:
    """Write it, as gateway.flash.image has it. erase: what was asked for. Raises FlashError, typer.Abort."""
    frames = _frames(port)
    area = look(port, chip, image)
    if erases(erase, answers=frames is not None, area=area):
        if frames or (frames is None and area is Area.FILES):
            _say_lost(console)
        console.print("First all that is on the board is erased.")
        write_image(port, chip, image, erase=True)
    else:
        if frames is None and area is Area.FILES:
            console.print(
                "No MicroPython answers, but its files are there, and readings that have not arrived may be among "
                "them: they stay. If it does not start with them, give --erase."
            )
        write_image(port, chip, image, erase=False)
    console.print("MicroPython is written. Whatever happens next, leave --image out the next time.")


def _frames(port: str) -> int | None:
    """How many files with frames of ours a board has; None where no MicroPython answers."""
    try:
        with Remote.open(port, _PATIENCE_S) as remote:
            return remote.count(held.FOLDER)
    except FlashError:
        return None


def _say_lost(console: Console) -> None:
    console.print("The board may hold readings that have not arrived yet. Erasing it loses them for ever.")
    if sys.stdin.isatty():
        typer.confirm("Erase all that is on the board?", abort=True)
