"""The command around a chaos run. The runs themselves are files of their own, test_chaos_*.py, one for each seed that
ever failed, so that two of them run at a time. `tools/chaos --faults 1000 --seed N` is the long form.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import chaos

ROOT = Path(__file__).parents[2]


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


def result(lost: Sequence[str] = (), **missed: int) -> chaos.Result:
    store = chaos.AtStore(accepted=30, lost=list(lost))
    held = chaos.Store([], [], Counter(), {}, {})
    struck = Counter(reorder=2, disk_full=3)
    return chaos.Result(9, "amqtt", struck, Counter(missed), store, chaos.AtCloud(), held, [], 1.5)


def test_what_is_broken_is_told_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    sentences = [f"board 5e0000000001, boot 1, seq {seq} is not in the store" for seq in range(30)]
    for lost, status in (([], 0), (sentences, 1)):

        async def run(*_: object, lost: list[str] = lost) -> chaos.Result:
            return result(lost)

        monkeypatch.setattr(chaos, "run", run)
        assert chaos.main(["--faults", "2", "--json", "--seed", "9"]) == status
        out, err = capsys.readouterr()
        figures = json.loads(out.splitlines()[-1])
        assert (figures["lost"], figures["broker"]) == (len(lost), "amqtt")
        assert figures["by_kind"] == {"disk_full": 3, "reorder": 2}
        assert ("BROKEN: lost: board 5e0000000001, boot 1, seq 0" in err) == bool(lost)
        assert ("and 10 more" in err) == bool(lost)


def test_a_kind_of_fault_that_never_had_any_effect_is_told_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    told = "BROKEN: proven too little: none of 3 faults of the kind disk_full had any effect\n"
    for missed, status in (({"disk_full": 3}, 1), ({"disk_full": 2}, 0), ({"reorder": 2}, 0)):

        async def run(*_: object, missed: dict[str, int] = missed) -> chaos.Result:
            return result(**missed)

        monkeypatch.setattr(chaos, "run", run)
        assert chaos.main(["--faults", "5"]) == status
        assert (told in capsys.readouterr().err) == bool(status)
