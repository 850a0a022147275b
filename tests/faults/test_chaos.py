"""Whole chaos runs: real boards, broker, gateway and cloud, and fifty faults.

Alone: pytest tests/faults (about two minutes). HEARTHGATE_CHAOS=all runs every seed that ever failed (about a minute
each); `tools/chaos --faults 1000 --seed N` is the long form.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import chaos

ROOT = Path(__file__).parents[2]

REGRESSION_SEEDS = [
    # seed, faults, broker; what went wrong
    (1, 50, "mosquitto-volatile"),  # a board died before its birth was heard: its frames were never shared
    (102, 200, "amqtt"),  # a full flash gave up the last frames of a boot, which nothing behind them could miss
    (0, 50, "mosquitto"),  # the cloud refused every frame of a single row
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "faults", "broker"), REGRESSION_SEEDS)
def test_nothing_is_lost_and_nothing_comes_twice(seed: int, faults: int, broker: str, tmp_path: Path):
    if os.environ.get("HEARTHGATE_CHAOS") != "all" and (seed, faults, broker) != REGRESSION_SEEDS[0]:
        pytest.skip("HEARTHGATE_CHAOS=all runs it")
    result = asyncio.run(chaos.run(seed, faults, broker, tmp_path))
    figures = result.to_json()
    assert result.broken() == [], figures
    assert figures["faults"] == faults
    assert figures["accepted"] > faults
    assert figures["stored"] + figures["dropped"] >= figures["accepted"]
    assert figures["shared"] > figures["stored"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_behind(number: signal.Signals, tmp_path: Path):
    command = [sys.executable, "-m", "tools.chaos", "--faults", "500", "--broker", "amqtt", "--keep", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "all of it in" in process.stderr.readline()
        time.sleep(2)
        assert len(running(tmp_path)) >= 6
        process.send_signal(number)
        assert process.wait(60) == 130
    assert running(tmp_path) == []


def running(folder: Path) -> list[str]:
    """The processes of a run: each has its folder, or that of a part of it, in its command or as its own."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = place.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            if (str(folder) in command or str(folder) in str(place.joinpath("cwd").readlink())) and place.name != str(
                os.getpid()
            ):
                found.append(command)
        except OSError:
            continue
    return found


def test_wrong_options_are_told(capsys: pytest.CaptureFixture[str]):
    for wrong in (["--faults", "0"], ["--seed", "-1"], ["--broker", "rabbit"]):
        with pytest.raises(SystemExit) as ended:
            chaos.main(wrong)
        assert ended.value.code == 2
    assert "rabbit" in capsys.readouterr().err


def test_what_is_broken_is_told_and_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, capsys):
    def result(lost: list[str]) -> chaos.Result:
        store = chaos.AtStore(accepted=30, lost=lost)
        held = chaos.Store([], [], chaos.Counter(), {}, {})
        cloud = chaos.AtCloud()
        return chaos.Result(9, "amqtt", chaos.Counter(reorder=2), chaos.Counter(), store, cloud, held, [], 1.5)

    sentences = [f"board 5e0000000001, boot 1, seq {seq} is not in the store" for seq in range(30)]
    for lost, status in (([], 0), (sentences, 1)):

        async def run(*_: object, lost: list[str] = lost) -> chaos.Result:
            return result(lost)

        monkeypatch.setattr(chaos, "run", run)
        assert chaos.main(["--faults", "2", "--json", "--seed", "9"]) == status
        out, err = capsys.readouterr()
        figures = json.loads(out.splitlines()[-1])
        assert (figures["lost"], figures["by_kind"], figures["broker"]) == (len(lost), {"reorder": 2}, "amqtt")
        assert ("BROKEN: lost: board 5e0000000001, boot 1, seq 0" in err) == bool(lost)
        assert ("and 10 more" in err) == bool(lost)
