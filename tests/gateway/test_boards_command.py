"""`hearthgate boards`, where a port cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path

from tests.gateway.commands import run


def test_why_a_port_cannot_be_asked_stands_below_the_table(tmp_path: Path) -> None:
    done = run(tmp_path, "boards", "--port", "/dev/nowhere", "--port", "/dev/neither")
    assert done.returncode == 1, "it was named"
    table, *notes = done.stdout.split("\n\n")
    assert [line.split()[:4] for line in table.splitlines() if "/dev/" in line] == [
        ["│", "/dev/nowhere", "│", "?"],
        ["│", "/dev/neither", "│", "?"],
    ]
    assert [note.partition(": ")[0] for note in notes] == ["/dev/nowhere", "/dev/neither"]
    assert all("there is no such port" in note for note in notes)


def test_json_has_the_reason_and_the_same_exit_status(tmp_path: Path) -> None:
    done = run(tmp_path, "boards", "--port", "/dev/nowhere", "--json")
    (one,) = json.loads(done.stdout)
    assert (done.returncode, one["port"], one["chip"]) == (1, "/dev/nowhere", None)
    assert "there is no such port" in one["trouble"]
