"""The `hearthgate` command in this process: what test_command.py runs as one of its own, without the second it takes
to start."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from gateway.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command wrote, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, says: str = "", **variables: str) -> Done:
    """`hearthgate arguments…` in a folder, with environment variables, for somebody who answers `says`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    status = 0
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, {"COLUMNS": "200", **variables}),
        mock.patch.object(sys, "argv", ["hearthgate", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO(says)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    written = []
    for stream in (out, err):
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        written.append(buffer.getvalue().decode())
    return Done(status, *written)
