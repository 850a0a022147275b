"""What a board.toml says; and where it names a base, what that says wherever it says nothing itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.errors import HearthgateError

__all__ = ["BoardFileError", "read"]

_TABLES: Final = ("board", "report", "journal", "sim")
_LISTS: Final = ("parts", "channels")
"""Arrays of tables with a name each: over a base, [parts.NAME] is the table of that name."""


class BoardFileError(HearthgateError, ValueError):
    """A board.toml, or what was to become a board.json, is wrong; says which file, which key and why."""


def read(path: Path, shipped: Path | None = None) -> tuple[dict[str, Any], Path]:
    """(content of the board.toml at `path`, the folder that its drivers.files are beside).

    With `base = "NAME"` it is the board of that name in `shipped`, with what this file says in the place of what that
    says: key by key, parts and channels by their names, and under its own folder's name. Raises BoardFileError.
    """
    own = _parse(path)
    name = own.pop("base", None)
    if name is None:
        return own, path.parent
    known = [] if shipped is None else sorted(found.parent.name for found in shipped.glob("*/board.toml"))
    if shipped is None or name not in known:
        raise BoardFileError(f"{path}: base: {name!r:.40} is not a board that came with this gateway; {_use(known)}")
    content = _parse(shipped / name / "board.toml")
    content["board"]["name"] = path.resolve().parent.name
    for key, value in own.items():
        if key in _TABLES:
            content[key] = _over(content.get(key, {}), value)
        elif key in _LISTS:
            content[key] = _over_named(content.get(key, []), value, f"{path}: {key}", name)
        else:
            raise BoardFileError(
                f"{path}: {key}: over a base it cannot be changed: copy the whole folder of {name} for that"
            )
    return content, shipped / name


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:  # also a number of thousands of digits, and brackets without end
        raise BoardFileError(f"{path}: {e}") from None


def _over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: _over(below.get(key), value) for key, value in above.items()}


def _over_named(below: list[Mapping[str, Any]], above: Any, where: str, base: str) -> list[Any]:
    """`above` is {name: table}."""
    names = [str(table["name"]) for table in below]
    if not isinstance(above, dict):
        word = where.rpartition(" ")[2]
        raise BoardFileError(f"{where}: over a base they go by name: write [{word}.{names[0]}], and what is different")
    for name in above:
        if name not in names:
            raise BoardFileError(f"{where}.{name}: {base} has none of that name; {_use(names)}")
    return [_over(dict(table), above.get(table["name"], {})) for table in below]


def _use(names: list[str]) -> str:
    return f"use one of {', '.join(names)}"
