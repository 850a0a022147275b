"""The first 100 bytes of an SQLite file (https://www.sqlite.org/fileformat.html, section 1.3), read without SQLite."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_MAGIC = b"SQLite format 3\x00"
_SIZE = 100
_OURS = b"CREATE TABLE consent_grant"
_LOOK_BYTES = 1 << 20
_PAGE_SIZES = (1024, 4096, 2048, 8192, 512, 16_384, 32_768)


def was_ours(path: Path) -> bool:
    """Whether a file that is no database any more was one of ours: it holds our schema, or nothing but zeros where a
    disk lost its beginning."""
    with path.open("rb") as file:
        start = file.read(_LOOK_BYTES)
    return _OURS in start or not any(start[:_SIZE])


def restore(path: Path) -> None:
    """Give a file of ours that lost its header one with which its tables can be read, if it is only that."""
    with path.open("rb") as file:
        old = file.read(_SIZE)
    if old.startswith(_MAGIC):
        return
    size = path.stat().st_size
    for page in _PAGE_SIZES:
        _write(path, _header(page, size // page))
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as db:
                # the newest schema's table tells which schema it is
                newest = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'window'").fetchone()[0]
        except sqlite3.DatabaseError:
            continue
        _write(path, _header(page, size // page, version=1 + newest))
        return
    _write(path, old)


def _header(page: int, pages: int, version: int = 0) -> bytes:
    fields = (1, pages, 0, 0, 1, 4, 0, 0, 1, version, 0, 0x48474154, 0, 0, 0, 0, 0, 1, sqlite3.sqlite_version_info[0])
    made = (
        _MAGIC + page.to_bytes(2, "big") + bytes((2, 2, 0, 64, 32, 32)) + b"".join(n.to_bytes(4, "big") for n in fields)
    )
    return made.ljust(_SIZE, b"\x00")


def _write(path: Path, header: bytes) -> None:
    with path.open("r+b") as file:
        file.write(header)
        file.flush()
        os.fsync(file.fileno())
