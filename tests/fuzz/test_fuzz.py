"""The fuzzer itself: it finds what was planted, says so, keeps the input, and ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import planted
from tools import fuzz, fuzz_corpus, fuzz_worker

ENGINES = ["builtin"] + (["atheris"] if fuzz_worker.engine() == "atheris" else [])


def run(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit status, the JSON on the last line, what was said) of one run."""
    status = fuzz.main([*arguments, "--json", "--jobs", "1", "--corpus", str(folder)])
    said = capsys.readouterr()
    return status, json.loads(said.out.splitlines()[-1]), said.err


def inputs(folder: Path) -> list[bytes]:
    return [fuzz_corpus.decoded(path) for path in folder.rglob("finding-*")]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sound_reader_gives_no_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str):
    status, total, said = run(capsys, tmp_path, planted.GOOD.name, "--inputs", "3000", "--engine", engine)
    assert (status, total["findings"], total["inputs"], total["engine"]) == (0, 0, 3000, engine)
    counts = total["targets"][planted.GOOD.name]
    assert 0 < counts["accepted"] < 3000
    assert counts["rss_end_mb"] > 0
    assert engine in said
    assert inputs(tmp_path) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crash_is_found_shrunk_and_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str):
    status, total, said = run(capsys, tmp_path, planted.CRASH.name, "--inputs", "20000", "--engine", engine)
    assert (status, total["targets"][planted.CRASH.name]["crashes"]) == (1, 1)
    assert "KeyError" in said
    (data,) = inputs(tmp_path)
    assert len(data) == 3
    with planted.CRASH.open() as parse, pytest.raises(KeyError):
        parse(data)


def test_a_wrong_answer_is_a_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    status, total, said = run(capsys, tmp_path, planted.BROKEN.name, "--inputs", "20000", "--engine", "builtin")
    assert (status, total["findings"]) == (1, 1)
    assert "an answer that cannot be right" in said


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("target", [planted.HANG, planted.SLOW], ids=["without_end", "over_a_second"])
def test_a_hang_ends_the_target_and_keeps_the_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str, target: Any
):
    status, total, _ = run(capsys, tmp_path, target.name, "--inputs", "200000", "--engine", engine)
    assert (status, total["targets"][target.name]["hangs"]) == (1, 1)
    (data,) = inputs(tmp_path)
    assert data.startswith(b"seee")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_death_of_the_process_keeps_the_input(capsys: pytest.CaptureFixture[str], tmp_path: Path, engine: str):
    status, total, _ = run(capsys, tmp_path, planted.DEATH.name, "--inputs", "200000", "--engine", engine)
    assert (status, total["findings"]) == (1, 1)
    (data,) = inputs(tmp_path)
    assert data.startswith(b"seee")


def test_memory_that_grows_is_a_finding(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    status, total, said = run(capsys, tmp_path, planted.MEMORY.name, "--inputs", "20000", "--engine", "builtin")
    assert (status, total["findings"]) == (1, 1)
    assert "resident memory grew" in said


def test_seconds_bound_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    status, total, _ = run(capsys, tmp_path, "state", "--seconds", "1.5", "--engine", "builtin")
    assert (status, total["findings"]) == (0, 0)
    assert total["inputs"] > 100
    assert total["seconds"] < 30


def test_inputs_are_shared_out_and_all_of_them_run(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    names = ["envelope", "frame", "columns", "birth", "state", "cbor"]
    status, total, _ = run(capsys, tmp_path, *names, "--inputs", "6000", "--engine", "builtin")
    assert (status, set(total["targets"])) == (0, set(names))
    assert 6000 <= total["inputs"] < 6000 + len(names)


def test_an_unknown_target_is_an_error_that_names_the_known(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        fuzz.main(["nothing"])
    assert "envelope" in capsys.readouterr().err
