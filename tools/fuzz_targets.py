"""Every fuzz target, and the ways to name them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from tools import fuzz_board, fuzz_cloud, fuzz_consent, fuzz_forward, fuzz_http, fuzz_store, fuzz_text, fuzz_wire
from tools.fuzz_target import Target

__all__ = ["TARGETS", "Target", "UnknownTargetError", "find", "named"]

TARGETS: tuple[Target, ...] = (
    *fuzz_wire.TARGETS,
    *fuzz_store.TARGETS,
    *fuzz_forward.TARGETS,
    *fuzz_consent.TARGETS,
    *fuzz_board.TARGETS,
    *fuzz_text.TARGETS,
    *fuzz_http.TARGETS,
    *fuzz_cloud.TARGETS,
)


class UnknownTargetError(ValueError):
    """There is no such target; the text names those that there are."""


def find(name: str) -> Target:
    """The target of this name, or `package.module:ATTRIBUTE` of one that lives elsewhere. Raises UnknownTargetError."""
    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute) if attribute else None
    found = found or next((target for target in TARGETS if target.name == name), None)
    if not isinstance(found, Target):
        raise UnknownTargetError(f"no target {name!r}; there are: {', '.join(target.name for target in TARGETS)}")
    return found


def named(names: Iterable[str]) -> list[Target]:
    """The targets of these names; all, where none is named. Raises UnknownTargetError."""
    return [find(name) for name in names] or list(TARGETS)
