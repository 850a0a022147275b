"""Manifests, pieces of files, and what boards say of them: the payloads of `update` and `want` (wire/frame.cddl).

A manifest follows SUIT's information model (RFC 9124): vendor id, class id, sequence number, the components with digest
and size, and one directive, the slot to write. It depends on nothing, and has no condition but these. It is not SUIT's
envelope: that is CBOR with maps and a signature, and stock MicroPython can check no signature. It is sealed as every
message is, under the board's own key, in a role of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import cbor2

from gateway.wire.errors import FrameError
from gateway.wire.item import read

__all__ = [
    "AUTHORITY",
    "CHUNK_BYTES",
    "LAST",
    "MAX_FILES",
    "Component",
    "Manifest",
    "Said",
    "Want",
    "components",
    "decode_want",
    "encode_ask",
    "encode_chunk",
    "encode_manifest",
]

VENDOR: Final = b"hearthgate"
CHUNK_BYTES: Final = 1024
"""Of a file in one message: a board has 28 KiB of memory to spare."""

MAX_FILES: Final = 64  # these bounds are those of firmware/update.py
MAX_BYTES: Final = 262_144
MAX_SEQUENCE: Final = (1 << 36) - 1
LAST: Final = "manifest.json"
"""A slot without it is half written."""
AUTHORITY: Final = "ca.mpy"
"""In a slot whose link has TLS: whom the board trusts, in PEM, as the `data` of a module. So it comes over the air, and
under a name that boards with older firmware take too."""

_VERSION: Final = 1
_ASK, _MANIFEST, _CHUNK = 0, 1, 2
_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_.]*\.(mpy|py)")
_MOST_NAME: Final = 48


@dataclass(frozen=True, slots=True)
class Component:
    """One file of a slot."""

    name: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """An update for boards of the class `klass` ("BOARD MPY" or "BOARD+LINK MPY": the board's name, its link where that
    is not MQTT, and what its MicroPython says of .mpy files), to be written into `slot`."""

    sequence: int
    klass: str
    slot: str
    components: tuple[Component, ...]


class Said(IntEnum):
    """What a board says of an update."""

    HAS = 0
    WANTS = 1
    WAITS = 2
    STARTS = 3
    ON_TRIAL = 4
    STAYS = 5
    ROLLED_BACK = 6
    REFUSED = 7


@dataclass(frozen=True, slots=True)
class Want:
    """A board's word. `sequence` is that of the manifest that it speaks of; of HAS, that of its newest update.

    klass, slot, digest: of HAS, what it takes updates for, the slot that runs, and the digest of that one's last file.
    index, offset: of WANTS, the piece that is wanted. why: of WAITS, ROLLED_BACK and REFUSED, a word.
    """

    said: Said
    sequence: int
    klass: str = ""
    slot: str = ""
    digest: bytes = b""
    index: int = 0
    offset: int = 0
    why: str = ""


def components(files: Mapping[str, bytes]) -> tuple[Component, ...]:
    """The components of a slot with these files (name -> bytes), LAST as the last. Raises FrameError."""
    names = [*sorted(set(files) - {LAST}), LAST]
    if LAST not in files or not 2 <= len(names) <= MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise FrameError(f"a slot has 2 to {MAX_FILES} files of {MAX_BYTES} bytes in all, one of them {LAST}")
    for name in names[:-1]:
        if not _NAME.fullmatch(name) or len(name) > _MOST_NAME:
            raise FrameError(f"{name!r:.60} is no name of a file in a slot")
    return tuple(Component(name, len(files[name]), hashlib.sha256(files[name]).digest()) for name in names)


def encode_ask() -> bytes:
    """Asks a board what it has."""
    return cbor2.dumps([_VERSION, _ASK])


def encode_manifest(manifest: Manifest) -> bytes:
    """A CBOR sequence: the manifest's own items, then one array for each file."""
    m = manifest
    if not 1 <= m.sequence <= MAX_SEQUENCE or m.slot not in ("a", "b"):
        raise FrameError("a manifest has a sequence number, and a slot a or b")
    head = [_VERSION, _MANIFEST, m.sequence, VENDOR, m.klass.encode(), m.slot, len(m.components)]
    return b"".join(map(cbor2.dumps, [head, *([c.name, c.size, c.digest] for c in m.components)]))


def encode_chunk(sequence: int, index: int, offset: int, data: bytes) -> bytes:
    """A piece of the file at `index` among the manifest's, from `offset` on: CHUNK_BYTES, less only at the end."""
    return cbor2.dumps([_VERSION, _CHUNK, sequence, index, offset, data[offset : offset + CHUNK_BYTES]])


def decode_want(payload: bytes) -> Want:
    """What a board says in a payload that verified. Raises FrameError."""
    item = read(payload, FrameError)
    if not isinstance(item, list) or len(item) < 4 or item[0] != _VERSION:
        raise FrameError("not [1, what, sequence, …]")
    try:
        said = Said(_number(item[1]))
    except ValueError:
        raise FrameError(f"no such word: {item[1]!r:.20}") from None
    sequence = _number(item[2])
    rest = item[3:]
    if said is Said.HAS and len(rest) == 3:
        klass, slot, digest = rest
        if isinstance(klass, bytes) and slot in ("a", "b") and isinstance(digest, bytes) and len(digest) == 32:
            return Want(said, sequence, klass=_text(klass), slot=str(slot), digest=digest)
    elif said is Said.WANTS and len(rest) == 2:
        return Want(said, sequence, index=_number(rest[0]), offset=_number(rest[1]))
    elif said not in (Said.HAS, Said.WANTS) and len(rest) == 1 and isinstance(rest[0], str) and len(rest[0]) <= 32:
        return Want(said, sequence, why=rest[0])
    raise FrameError(f"{said.name}: other items than it has")


def _number(item: Any) -> int:
    if type(item) is not int or not 0 <= item <= MAX_SEQUENCE:
        raise FrameError("a number that is none, or too large")
    return item


def _text(data: bytes) -> str:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}(\+[a-z]{1,15})? \d{1,6}", text):
        raise FrameError("a class that is none")
    return text
