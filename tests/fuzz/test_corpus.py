"""The corpus: every kept input and every valid one, through its reader, within a second; and the files themselves.

A file whose name begins with `finding-` once broke its reader.
"""

from __future__ import annotations

import time

import pytest

from tools import fuzz_corpus
from tools.fuzz_targets import TARGETS, Target
from tools.fuzz_worker import HANG_S

NAMES = [target.name for target in TARGETS]


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_every_kept_input_is_taken_or_refused_in_declared_words(target: Target):
    slow = []
    with target.open() as parse:
        for data in fuzz_corpus.inputs(target):
            began = time.process_time()
            try:
                parse(data)
            except target.declared:
                pass
            except Exception as why:
                raise AssertionError(f"{target.name} breaks at {data!r:.400} ({data.hex():.400})") from why
            if time.process_time() - began > HANG_S:
                slow.append(data)
    assert slow == []


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_every_target_has_inputs_that_are_taken(target: Target):
    taken = 0
    with target.open() as parse:
        for data in target.seeds():
            try:
                parse(data)
            except target.declared:
                continue
            taken += 1
    assert taken


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_files_are_small_and_named_for_their_content(target: Target):
    for path, data in fuzz_corpus.read(target.name).items():
        prefix = fuzz_corpus.FINDING if path.name.startswith(fuzz_corpus.FINDING) else ""
        assert (path.name, path.read_bytes()) == fuzz_corpus.encoded(target, data, prefix)
        assert len(data) <= (target.max_bytes if prefix else fuzz_corpus.MAX_BYTES)


def test_the_corpus_stays_small():
    files = [path for path in fuzz_corpus.CORPUS.rglob("*") if path.is_file()]
    assert len(files) < 300
    assert {path.parent.name for path in files} <= set(NAMES)
    assert sum(path.stat().st_size for path in files) < 200_000
