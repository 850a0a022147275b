"""The files that a board.toml names for its drivers: where they are, and whether they can go on a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["check", "find"]

_OURS: Final = "../../firmware/drivers/"


def find(file: str, beside: Path, firmware: Path) -> Path:
    """Where `file` is: `beside` that folder; or the firmware's own driver of that name, for a copy of a board in a
    household's folder still names it as the board that it was copied from."""
    name = file.removeprefix(_OURS)
    there = beside / file
    return (firmware / "drivers" / name if name != file and not there.exists() else there).resolve()


def check(files: Sequence[str], module: str, beside: Path, firmware: Path) -> str | None:
    """What is wrong first: "drivers.KEY: …"; None if nothing is. module: the one with open_drivers()."""
    root = beside.resolve().parent
    stems: set[str] = set()
    for file in files:
        source = find(file, beside, firmware)
        if not (source.is_relative_to(root) or source.is_relative_to(firmware / "drivers")):
            return f"drivers.files: {file} is outside {root.name}/ and firmware/drivers/"
        if not source.is_file() or source.suffix != ".py":
            return f"drivers.files: there is no module {file}"
        if source.stem in stems:
            return f"drivers.files: two are named {source.name}; on a board all lie in one folder"
        stems.add(source.stem)
    return None if module in stems else f"drivers.module: {module} is not among drivers.files"
