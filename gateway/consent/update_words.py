"""What a row of the ledger says of an update, in plain words: for the page and for the command. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ["VERBS", "told"]

VERBS = {
    "update_order": "ordered",
    "update_yes": "said yes to",
    "update_no": "said no to",
    "update_stop": "stopped the update to",
}
"""By kind of row."""

_WAYS = {"console": " in the console", "command line": " on the command line", "api": " through the API"}
_ANYWAY = {
    "again": ", also where it did not last before",
    "downgrade": ", also in place of a newer one",
}
_NAMED = 12  # more of them are a number


def told(kind: str, said: Mapping[str, Any], who: str, names: Mapping[str, str]) -> str:
    """A row of one of these kinds as a sentence without its full stop. `who` decided it; `names`: what the household
    calls the boards. A row that somebody spoilt is told as far as it goes."""
    version = f"software version {said['firmware']}" if said.get("firmware") else "new software"
    way = _WAYS.get(str(said.get("way")), "")
    asked = "; the household is asked first" if said.get("asks") is True else ""
    anyway = _ANYWAY.get(str(said.get("anyway")), "")
    return f"{who} {VERBS[kind]} {version}{way}{anyway}, for {_boards(said.get('boards'), names)}{asked}"


def _boards(said: object, names: Mapping[str, str]) -> str:
    """`Kitchen fridge and Kitchen kettle`."""
    boards = [str(board) for board in said] if isinstance(said, list) else []
    known = [names[board] for board in boards if board in names]
    parts = known[:_NAMED]
    if more := len(known) - len(parts):
        parts.append(f"{more} more")
    if gone := len(boards) - len(known):
        parts.append("one that is no longer here" if gone == 1 else f"{gone} that are no longer here")
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))) or "nothing"
