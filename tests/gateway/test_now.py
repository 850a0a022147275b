"""The clock is apart from the gateway: a command that needs no more of it starts sooner."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", ["audit", "consent", "erase", "household"])
def test_a_command_that_needs_the_time_loads_no_gateway(command: str):
    loaded = f"import sys, gateway.cli.main, gateway.cli.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {"gateway.app.gateway", "aiomqtt"} & set(done.stdout.split())
