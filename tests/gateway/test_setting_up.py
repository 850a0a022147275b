"""What tools/test does where the emulated 32-bit board cannot be built."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
RELEASE = Path("/etc/os-release")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """tools/test with an environment that is set up, every program that it asks for, and a build that fails."""
    folder = tmp_path / "tools"
    folder.mkdir()
    shutil.copy(TOOLS / "test", folder)
    (folder / "setup").write_text(
        f'root={tmp_path}; cd "$root"; set -euo pipefail; PYTHON=echo; say() {{ printf "%s\\n" "$*" >&2; }}\n'
    )
    stubs = {"mosquitto": "", "chromium": "", "chromedriver": "", "apt-get": "", "sudo": ""}
    for name, does in (stubs | {"qemu_port": 'echo "no compiler" >&2; exit 3'}).items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    return folder


def run(tools: Path, ci: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "CI": ci}
    command = [tools / "test", "tests/qemu"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_elsewhere_its_tests_are_skipped_and_the_others_run(tools: Path) -> None:
    done = run(tools, "")
    assert done.returncode == 0, done.stderr
    assert "no compiler" in done.stderr
    assert "are skipped" in done.stderr
    assert done.stdout == "-m pytest tests/qemu\n"


@pytest.mark.skipif("ID=debian" not in RELEASE.read_text().splitlines(), reason="CI is a Debian")
def test_in_ci_the_run_fails_with_the_reason(tools: Path) -> None:
    done = run(tools, "true")
    assert done.returncode == 1
    assert "no compiler" in done.stderr
    assert "are not skipped" in done.stderr
    assert done.stdout == ""
