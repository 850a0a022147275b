"""Starting the stand-in cloud: as a command, and what it says where it cannot start."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tools.cloud import Cloud, CloudError, main

ROOT = Path(__file__).parents[2]


@pytest.mark.asyncio
async def test_it_listens_on_loopback_only_and_says_why_it_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="no login"):
        Cloud(tmp_path / "cloud.sqlite", "0.0.0.0")
    sqlite3.connect(tmp_path / "other.sqlite").execute("CREATE TABLE t (x)").connection.close()
    (tmp_path / "text").write_text("this is not a database, but it is long enough to be read as one" * 20)
    for name in ("other.sqlite", "text", "no/such/folder"):
        with pytest.raises(CloudError, match="Name another file"):
            await Cloud(tmp_path / name).start()
    with pytest.raises(CloudError, match="not running"):
        _ = Cloud(tmp_path / "cloud.sqlite").url


@pytest.mark.asyncio
async def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tools.cloud", "--db", str(tmp_path / "c.sqlite"), "--port")
    options: dict[str, Any] = {
        "cwd": ROOT,
        "stdout": asyncio.subprocess.PIPE,
        "stderr": asyncio.subprocess.PIPE,
    }
    served = await asyncio.create_subprocess_exec(*command, "0", "--mode", "throttle", **options)
    assert served.stdout is not None
    line = (await asyncio.wait_for(served.stdout.readline(), 20)).decode()
    url = next(word for word in line.split() if word.startswith("http"))
    async with aiohttp.ClientSession() as session, session.get(url + "control") as answer:
        assert (await answer.json())["mode"] == "throttle"
    served.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(served.communicate(), 20)
    assert (served.returncode, err) == (0, b"")
    assert b"0 leaked" in out
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        refused = await asyncio.create_subprocess_exec(*command, str(holder.getsockname()[1]), **options)
        _, err = await asyncio.wait_for(refused.communicate(), 20)
    assert refused.returncode == 2
    assert b"choose another port" in err


@pytest.mark.parametrize("option", [("--port", "70000"), ("--status", "200"), ("--mode", "explode")], ids=repr)
def test_an_option_that_makes_no_sense_is_explained(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(option)
    assert stopped.value.code == 2
    assert option[0].strip("-") in capsys.readouterr().err
