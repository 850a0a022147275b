"""The file sink: JSON Lines, rotated by size."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from gateway.forward.sink import Retry

_TAIL_BYTES = 65_536
_BEGINNING = b'{"specversion":"1.0"'  # of every event that cloudevent.py builds


class FileSink:
    """Appends one event a line to `path`; beyond `max_bytes` the file becomes path.1, path.2 … up to `keep`."""

    def __init__(self, path: Path, *, max_bytes: int = 64 * 1024 * 1024, keep: int = 10) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._writing: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Nothing is needed before the first batch; see Sink."""

    def compose(self, events: Sequence[str]) -> bytes:
        """Lines; see Sink."""
        return "".join(event + "\n" for event in events).encode()

    async def send(self, body: bytes) -> None:
        """Append and fsync; see Sink."""
        # Held here too: whoever waits for it may be cancelled, and the thread goes on to its end all the same.
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._append, body))
        try:
            await asyncio.shield(self._writing)
        except OSError as why:
            raise Retry(f"{self._path}: {why.strerror or why}; free space or mend the path in the settings") from why

    async def notify(self, notice: str) -> None:
        """A notice is a line among the others; see Sink."""
        await self.send(self.compose([notice]))

    async def abort(self) -> None:
        """A write that has begun is whole in a moment; see Sink."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def close(self) -> None:
        """Nothing is held open between batches."""

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        size = self._path.stat().st_size if self._path.exists() else 0
        new = not size or size + len(data) > self._max_bytes
        if size and new:
            self._rotate()
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            before = _drop_half_line(fd)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fsync(fd)
                if new:
                    _sync_folder(self._path.parent)
            except OSError:
                os.ftruncate(fd, before)  # a full disk leaves no half line behind
                raise
        finally:
            os.close(fd)

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)


def _sync_folder(folder: Path) -> None:
    """A file's name is on the disk when its folder is."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _drop_half_line(fd: int) -> int:
    """Cut off half an event that a power cut left at the end (it was not confirmed, and is sent again); return the
    file's size. What is not ours is not cut: it gets the end of line that it lacks."""
    size = start = os.lseek(fd, 0, os.SEEK_END)
    tail = b""
    while start > 0 and b"\n" not in tail:
        end, start = start, max(0, start - _TAIL_BYTES)
        tail = os.pread(fd, end - start, start) + tail
    half = tail[tail.rfind(b"\n") + 1 :]
    if not half:
        return size
    if half.startswith(_BEGINNING[: len(half)]):
        os.ftruncate(fd, size - len(half))
        return size - len(half)
    return size + os.write(fd, b"\n")
