"""What lies on a board's flash, as paths and bytes, and what has to be written for that. Pure but for the compiler.

  /main.py      the loader: finds the firmware in its slot (firmware/loader); an update never writes it
  /board.json   what the board is, its key, its broker, its Wi-Fi; the same whatever slot runs
  /ca.pem       whom it trusts, where the link has TLS and its slot does not say
  /a/           a slot: every module of the firmware precompiled, where the link has TLS a module `ca` with whom it
                trusts, and manifest.json, which is written last
  /slot         which slot runs, once an update over the air has taken /b (firmware/slots.py)
  /key          the key that followed that of board.json, and those before (firmware/rekey.py)

A cable always fills /a, and /a runs then. An update takes the slot that does not run. What the firmware itself keeps
(boot, command, frames/ …) lies at / and is never touched here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.flash.boardfile import Board
from gateway.flash.compiling import INTERPRETED, MpyFormat, compile_module, compile_text, find_compiler
from gateway.flash.remote import HALF_WRITTEN
from gateway.flash.sources import FIRMWARE, own_modules
from gateway.update.manifest import AUTHORITY

__all__ = [
    "BOARD_JSON",
    "CA",
    "CHOICE",
    "KEY",
    "MANIFEST",
    "MANIFEST_NAME",
    "OURS",
    "SLOT",
    "Plan",
    "choose_first",
    "digest",
    "firmware_version",
    "plan",
    "slot_files",
    "variant",
    "whole",
]

SLOT: Final = "/a/"
MANIFEST_NAME: Final = "manifest.json"
MANIFEST: Final = SLOT + MANIFEST_NAME
BOARD_JSON: Final = "/board.json"
CA: Final = "/ca.pem"
_LOADER: Final = "/main.py"

CHOICE: Final = "/slot"
KEY: Final = "/key"
_FILES: Final = (_LOADER, BOARD_JSON, CA, CHOICE, KEY)
OURS: Final = (*_FILES, *(path + HALF_WRITTEN for path in _FILES))
"""Every path at / that flashing may have made; all else there is the firmware's, or a person's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`remove` first, then `write`, both in order. Nothing of either: the board is as it should be."""

    remove: tuple[str, ...]
    write: tuple[str, ...]


def firmware_version() -> str:
    """The version of the firmware that lies here."""
    found = re.search(r'^FIRMWARE = "([^"]+)"$', (FIRMWARE / "config.py").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "?"


def variant(board: str, link: str) -> str:
    """What a slot says it is for: the board's name, and how it is linked if that is not MQTT."""
    return board if link == "mqtt" else f"{board}+{link}"


def slot_files(
    board: Board, takes: MpyFormat, link: str = "mqtt", *, ca: bytes | None = None, lines: bool = False
) -> dict[str, bytes]:
    """Name -> bytes of each module in a slot of that board. The same for the same sources. ca: PEM, of whom it trusts
    where the link has TLS. lines: tracebacks then name lines, which takes a fifteenth more. Raises CompileError."""
    compiler = find_compiler(takes)
    files = {}
    for source in own_modules(board, link):
        if source.stem == INTERPRETED and takes.architecture:
            continue
        code = compile_module(compiler, source, takes.architecture, lines=lines)
        name = source.name if code is None else f"{source.stem}.mpy"
        files[name] = source.read_bytes() if code is None else code
    if ca is not None and link == "mqtt":
        files[AUTHORITY] = compile_text(compiler, AUTHORITY.partition(".")[0], f"data = {ca!r}\n")
    return files


def choose_first(choice: bytes | None) -> bytes | None:
    """What /slot is to hold so that /a runs, after `choice`; None where there is none, and none is needed.

    The number of the newest update stays: an older one is still refused.
    """
    if choice is None:
        return None
    words = choice.decode("ascii", "replace").split()
    number = words[1] if len(words) == 4 and words[1].isdecimal() else "0"
    return choice if len(words) == 4 and words[0] == "a" and words[2] == "0" else f"a {number} 0 0\n".encode()


def whole(
    board: Board,
    modules: Mapping[str, bytes],
    table: Mapping[str, Any],
    ca: bytes | None,
    choice: bytes | None = None,
    link: str = "mqtt",
    key: bytes | None = None,
) -> dict[str, bytes]:
    """Path -> bytes of everything on the board. modules: slot_files() for that link; table: board.json; ca: PEM, or
    None; choice: of /slot, or None; key: of /key, or None."""
    manifest = {
        "board": variant(board.name, link),
        "firmware": firmware_version(),
        "files": {name: digest(data) for name, data in sorted(modules.items())},
    }
    return {
        **{SLOT + name: data for name, data in sorted(modules.items())},
        **({} if ca is None else {CA: ca}),
        **({} if choice is None else {CHOICE: choice}),
        **({} if key is None else {KEY: key}),
        BOARD_JSON: json.dumps(table, ensure_ascii=False).encode(),
        _LOADER: (FIRMWARE / "loader" / "main.py").read_bytes(),
        MANIFEST: json.dumps(manifest).encode(),
    }


def plan(wanted: Mapping[str, bytes], found: Mapping[str, str]) -> Plan:
    """How a board that has these files (path -> SHA-256 in hex) comes to have the wanted ones.

    A slot that changes loses its manifest first and gets it last: until then it does not run. So whenever the power
    goes, the board runs what it ran, or nothing until it is flashed again; never a mixture.
    """
    write = [path for path, data in wanted.items() if found.get(path) != digest(data)]
    stray = [path for path in found if path not in wanted and (path.startswith(SLOT) or path in OURS)]
    touched = any(path.startswith(SLOT) for path in (*write, *stray))
    if touched and MANIFEST not in write:
        write.append(MANIFEST)
    first = [MANIFEST] if touched and MANIFEST in found else []
    write.sort(key=lambda path: path == MANIFEST)
    return Plan((*first, *(path for path in stray if path != MANIFEST)), tuple(write))


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()
