"""What is wrong with the settings, in sentences that name its place: a line of the file, or a variable. Pure."""

import re
from collections.abc import Iterable, Sequence

from pydantic_core import ErrorDetails, PydanticCustomError

PREFIX = "HEARTHGATE_"
"""Of the environment variables that win over the file."""
NESTED = "__"
"""Between the parts of a key in a variable's name."""

Key = Sequence[str | int]
"""A setting, such as ["sinks", 1, "url"]: tables and settings by name, members of a list by number (from 0)."""


def deeper(where: Key, text: str) -> PydanticCustomError:
    """An error at a key below the field that was checked."""
    return PydanticCustomError("deeper", "{text}", {"text": text, "where": where})


def unknown(name: str) -> ErrorDetails:
    """The error of a name that is no setting."""
    return ErrorDetails(type="extra_forbidden", loc=(name,), msg="", input=None)


def explain(error: ErrorDetails, text: str, place: str, variables: Iterable[str]) -> str:
    """A sentence on one of pydantic's errors. `text` is the file's, `place` how it is called, `variables` the names
    of all that the environment sets."""
    where = [*error["loc"], *error.get("ctx", {}).get("where", [])]
    key = ".".join(str(part) for part in where) or "settings"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "no such setting; check its spelling, or remove it"
    elif error["type"] == "missing":
        message = "must be set"
    elif error["type"] == "string_pattern_mismatch":
        message = "must be a lower-case word (letters, digits and -), up to 32 long"
    if variable := _variable(where, variables):
        return f"environment variable {variable}: {key}: {message}"
    line = line_of(text, where)
    return f"{place}{f', line {line}' if line else ''}: {key}: {message}"


def _variable(where: Key, variables: Iterable[str]) -> str | None:
    """The environment variable that sets this key, or what holds it, if there is one."""
    known = {name.upper() for name in variables}
    for n in range(len(where), 0, -1):
        name = PREFIX + NESTED.join(str(part) for part in where[:n]).upper()
        if name in known:
            return name
    return None


def line_of(text: str, where: Key) -> int | None:
    """The line (from 1) where a key stands in TOML text, or the nearest that holds it; None where there is none."""
    table = [str(part) for part in where if not isinstance(part, int)]
    index = next((part for part in where if isinstance(part, int)), 0)
    seen = -1
    inside: list[str] = []
    found: int | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        header = re.match(r"\[\[?\s*([\w.\-]+)\s*\]\]?", line)
        if header:
            inside = header[1].split(".")
            if line.startswith("[[") and inside == table[: len(inside)]:
                seen += 1
            if inside == table[: len(inside)] and (not line.startswith("[[") or seen == index):
                found = number
            continue
        name = re.match(r"([\w.\-]+)\s*=", line)
        named = [*inside, *name[1].split(".")] if name else []
        if named and named == table[: len(named)] and (seen in (-1, index) or inside == []):
            return number
    return found
