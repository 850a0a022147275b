"""Which firmware is kept from a board unless a person insists: one older than what it runs, one that it went back from.

Versions are ordered as in Semantic Versioning (semver.org, precedence), with as many numbers as there are.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

__all__ = ["Anyway", "older", "refusal"]

_VERSION: Final = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,5})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?", re.ASCII)

_Part = tuple[int, int, str]


class Anyway(StrEnum):
    """What a person insists on."""

    AGAIN = "again"  # also what a board went back from
    DOWNGRADE = "downgrade"  # that, and what is older than what it runs


def refusal(runs: str | None, firmware: str, anyway: Anyway | None, *, went_back: bool) -> str | None:
    """Why a board is not given `firmware`, as a sentence without its full stop; None: it is.

    runs: the version that it says it has; went_back: it rolled back from this very image before.
    """
    if anyway is not Anyway.DOWNGRADE and runs is not None and older(firmware, runs):
        return f"it runs {runs}, and {firmware} is older: `hearthgate update --downgrade` puts that on it all the same"
    if anyway is None and went_back:
        return "it went back from this very firmware before: `hearthgate update --again` tries it once more"
    return None


def older(this: str, other: str) -> bool:
    """Whether `this` is a version before `other`. Of what is no version nobody can say that: False."""
    mine, theirs = _key(this), _key(other)
    return mine is not None and theirs is not None and mine < theirs


def _key(text: str) -> tuple[list[int], bool, list[_Part]] | None:
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and not numbers[-1]:  # 1.0 is 1.0.0
        del numbers[-1]
    # One that leads to a version is before it; there a number is before a word.
    leading = [] if found[2] is None else [_part(part) for part in found[2].split(".")]
    return numbers, found[2] is None, leading


def _part(text: str) -> _Part:
    return (0, int(text), "") if text.isascii() and text.isdigit() else (1, 0, text)
