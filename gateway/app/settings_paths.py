"""Where paths of the settings file begin: at its folder, and not where the command is typed. Pure."""

from pathlib import Path
from typing import Any, TypeGuard, get_args

from pydantic import BaseModel


def beside(folder: Path, section: type[BaseModel], said: dict[str, Any]) -> dict[str, Any]:
    """What a file in `folder` says of a section, with its paths, and those that hold without a word, from there. What
    has not the section's form stays as it is: it is told when it is checked."""
    placed = dict(said)
    for name, field in section.model_fields.items():
        kind = field.annotation
        if kind in (Path, Path | None):
            told = said.get(name, field.default)
            placed |= {name: folder / told} if isinstance(told, str | Path) else {}
        elif _is_section(kind):
            told = said.get(name, {})
            placed[name] = beside(folder, kind, told) if isinstance(told, dict) else told
        elif _is_section(member := next(iter(get_args(kind)), None)) and isinstance(told := said.get(name), list):
            placed[name] = [beside(folder, member, one) if isinstance(one, dict) else one for one in told]
    return placed


def _is_section(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
