"""The firmware's readers of what comes from outside (tools/mpy/board_parsers.py), run under CPython as on a board."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from tools import onboard
from tools.fuzz_target import scratch

__all__ = ["board_module", "like_micropython", "read"]

_HERE = Path(__file__).resolve().parent
_IMPORTED_LATE = ("upkeep", "mqtt_text")


class _Later(MetaPathFinder, Loader):
    """Finds the modules that the firmware imports only when it needs them, and forgets again."""

    def __init__(self, names: Iterable[str]) -> None:
        self._modules = {name: onboard.load(name) for name in names}

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """The place of a module; it is in memory already."""
        return ModuleSpec(fullname, self) if fullname in self._modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The very module that onboard has loaded."""
        return self._modules[spec.name]

    def exec_module(self, _module: ModuleType) -> None:
        """Nothing: it was run when it was loaded."""


@contextmanager
def like_micropython() -> Iterator[None]:
    """The few names of MicroPython's standard library that CPython's lacks and the readers need, and no console."""
    names: list[tuple[Any, str, Callable[..., Any]]] = [
        (os, "ilistdir", lambda folder=".": ((entry.name, 0x8000, 0) for entry in os.scandir(folder))),
        (time, "ticks_ms", lambda: time.monotonic_ns() // 1_000_000),
        (time, "ticks_add", lambda ticks, delta: ticks + delta),
        (time, "ticks_diff", lambda end, start: end - start),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, function in names:
            stack.enter_context(mock.patch.object(owner, name, function, create=True))
        stack.enter_context(mock.patch.object(sys, "meta_path", [*sys.meta_path, _Later(_IMPORTED_LATE)]))
        stack.enter_context(contextlib.redirect_stdout(None))
        yield


def board_module(name: str) -> Any:
    """A module that also runs on MicroPython, where its folder is on the path."""
    with mock.patch.object(sys, "path", [str(_HERE / "mpy"), *sys.path]):
        return importlib.import_module(name)


@contextmanager
def read(name: str) -> Iterator[Callable[[bytes], str]]:
    """The board's reader of this name, in a folder of its own."""
    with scratch() as folder, contextlib.chdir(folder), like_micropython():
        yield board_module("board_parsers").parser(name, onboard.load)
