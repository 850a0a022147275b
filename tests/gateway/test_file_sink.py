"""The file sink: one event a line, rotated, and never a half line that the next batch is written behind."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.forward.file_sink import FileSink
from gateway.forward.sink import Retry


def send(sink: FileSink, events: list[str]) -> None:
    asyncio.run(sink.send(sink.compose(events)))


def event(n: int, size: int = 40) -> str:
    return json.dumps({"specversion": "1.0", "id": n, "pad": "ü" * size}, ensure_ascii=False, separators=(",", ":"))


def ids(path: Path) -> list[int]:
    return [json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_event_is_a_line_in_order(tmp_path: Path):
    sink = FileSink(tmp_path / "new" / "folder" / "events.jsonl")
    send(sink, [event(1), event(2)])
    send(sink, [event(3)])
    asyncio.run(sink.close())
    path = tmp_path / "new" / "folder" / "events.jsonl"
    assert path.read_text(encoding="utf-8") == f"{event(1)}\n{event(2)}\n{event(3)}\n"
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_there_is_continued(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    send(FileSink(path), [event(1)])
    send(FileSink(path), [event(2)])
    assert ids(path) == [1, 2]


def test_files_are_rotated_by_size_and_the_oldest_go(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    line = len(event(1).encode()) + 1
    sink = FileSink(path, max_bytes=2 * line, keep=3)
    for n in range(1, 10):
        send(sink, [event(n)])
        assert path.stat().st_size <= 2 * line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.jsonl", *(f"events.jsonl.{i}" for i in (1, 2, 3))]
    assert [ids(tmp_path / name) for name in ("events.jsonl.3", "events.jsonl.2", "events.jsonl.1")] == [
        [3, 4],
        [5, 6],
        [7, 8],
    ]
    assert ids(path) == [9]


def test_what_counts_as_delivered_is_on_the_disk_and_so_is_a_new_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[str] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    folder = tmp_path / "sink"
    sink = FileSink(folder / "events.jsonl", max_bytes=300)
    for n in range(2):
        send(sink, [event(n)])
    assert synced == ["events.jsonl", "sink", "events.jsonl"]
    synced.clear()
    send(sink, [event(n) for n in range(3)])
    assert (folder / "events.jsonl.1").exists()
    assert synced == ["events.jsonl", "sink"]


def test_a_batch_larger_than_a_file_is_written_whole(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    sink = FileSink(path, max_bytes=10, keep=1)
    send(sink, [event(1), event(2)])
    send(sink, [event(3)])
    assert ids(tmp_path / "events.jsonl.1") == [1, 2]
    assert ids(path) == [3]


def test_a_disk_that_is_full_in_the_middle_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    send(sink, [event(1)])
    write, written = os.write, []

    def full(fd: int, data: Any) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(write(fd, bytes(data)[:70]))
        return written[0]

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Retry, match=r"No space left.*free space"):
        send(sink, [event(2), event(3)])
    assert written == [70]
    assert ids(path) == [1]
    monkeypatch.undo()
    send(sink, [event(2), event(3)])
    assert ids(path) == [1, 2, 3]


def test_a_real_limit_on_the_files_size_leaves_no_half_line(tmp_path: Path):
    """The kernel itself cuts a write short, in a process of its own whose files may have 1,000 bytes."""
    path = tmp_path / "events.jsonl"
    script = (
        "import asyncio, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from gateway.forward.file_sink import FileSink\n"
        "from gateway.forward.sink import Retry\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sink = FileSink(Path(sys.argv[1]))\n"
        "asyncio.run(sink.send(sink.compose(['x' * 599])))\n"
        "try:\n"
        "    asyncio.run(sink.send(sink.compose(['y' * 99] * 9)))\n"
        "except Retry as why:\n"
        "    print(why)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in done.stdout
    assert path.read_bytes() == b"x" * 599 + b"\n"


def test_a_half_line_that_a_power_cut_left_is_taken_away_before_the_next_batch(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text(f"{event(1)}\n{event(2)[:35]}", encoding="utf-8")
    send(FileSink(path), [event(2), event(3)])
    assert ids(path) == [1, 2, 3]


def test_a_file_that_is_one_half_line_begins_again(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text(event(1, 50_000)[:-5], encoding="utf-8")
    send(FileSink(path), [event(1)])
    assert ids(path) == [1]


@pytest.mark.parametrize("half", ["{", '{"spec', '{"specversion":"1.0","id"'])
def test_a_half_line_is_known_however_short_it_is(tmp_path: Path, half: str):
    path = tmp_path / "events.jsonl"
    path.write_text(f"{event(1)}\n{half}", encoding="utf-8")
    send(FileSink(path), [event(2)])
    assert ids(path) == [1, 2]


def test_what_somebody_else_wrote_there_is_kept(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_text("shopping: milk", encoding="utf-8")
    send(FileSink(path), [event(1)])
    assert path.read_text(encoding="utf-8") == f"shopping: milk\n{event(1)}\n"


def test_a_path_that_cannot_be_written_is_a_retry_that_says_what_to_do(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Retry, match="mend the path in the settings"):
        send(FileSink(tmp_path / "file" / "events.jsonl"), [event(1)])
    with pytest.raises(Retry, match="directory"):
        send(FileSink(tmp_path), [event(1)])
