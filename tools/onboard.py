"""Runs the firmware's own modules under CPython: the very encoder of the boards, for tests, benches and fleets.

`load("frame")` gives firmware/frame.py as a module. Firmware and CPython share one process without meeting: the
firmware folder is on sys.path, and its names are in sys.modules, only while one of its modules is being imported.
"""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import cast

__all__ = ["FIRMWARE", "load"]

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"

_loaded: dict[str, ModuleType] = {}
_lock = threading.Lock()


def load(name: str) -> ModuleType:
    """The firmware module `name`, imported once. Raises ImportError if it needs what only a board has.

    The native loops (bitpack) run as plain Python, by the way that packing.py takes on a port without a native emitter.
    """
    with _lock:
        if name not in _loaded:
            _import(name)
        return _loaded[name]


def _import(name: str) -> None:
    own = {path.stem for path in FIRMWARE.glob("*.py")}
    if name not in own:
        raise ImportError(f"there is no firmware module {name!r} in {FIRMWARE}")
    names = own | {"micropython"}
    aside = {n: sys.modules.pop(n) for n in names if n in sys.modules}
    no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(FIRMWARE))
    sys.modules.update(_loaded)
    sys.modules["micropython"] = _micropython()
    # None makes `import bitpack` an ImportError, as it is where there is no native emitter.
    cast("dict[str, ModuleType | None]", sys.modules)["bitpack"] = None
    try:
        importlib.import_module(name)
        _loaded.update({n: m for n in own if isinstance(m := sys.modules.get(n), ModuleType)})
    finally:
        sys.path.remove(str(FIRMWARE))
        sys.dont_write_bytecode = no_bytecode
        for n in names:
            sys.modules.pop(n, None)
        sys.modules.update(aside)


def _micropython() -> ModuleType:
    module = ModuleType("micropython", "What firmware asks of MicroPython's own module.")
    module.__dict__["const"] = lambda value: value
    return module
