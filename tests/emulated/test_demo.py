"""The demo, as a stranger runs it: a grant given, used, taken back and asked back, and a ledger that shows a changed
byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.demo_consent import broken_consent

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 170.0
KEPT = {
    "given": True,
    "arrived": 3,
    "after_revoke": 0,
    "erased": 3,
    "notice_acked": True,
    "audit_before": True,
    "audit_after_edit": False,
    "fault": "row 4: edited",
}


def test_it_tells_the_story_of_a_grant_and_every_promise_is_kept(tmp_path: Path, micropython: str):
    path = os.pathsep.join([os.path.dirname(micropython), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", "--seconds", "4", "--speed", "60", "--json", "--keep", str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    consent = result["consent"]
    assert broken_consent(consent) == []
    assert (consent["given"], consent["notice_acked"], consent["after_revoke"], result["leaked"]) == (True, True, 0, 0)
    assert consent["arrived"] >= consent["erased"] > 0
    assert "edited" in consent["fault"]
    steps = [line for line in done.stdout.splitlines() if line.startswith("Story")]
    assert [line.split()[1] for line in steps] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "changes",
    [
        {"arrived": 0},
        {"after_revoke": 1},
        {"erased": 0},
        {"notice_acked": False},
        {"audit_before": False},
        {"audit_after_edit": True},
    ],
    ids=repr,
)
def test_a_promise_that_was_not_kept_is_named(changes: dict[str, Any]):
    assert broken_consent(KEPT) == []
    assert len(broken_consent(KEPT | changes)) == 1


def test_a_story_that_nobody_asked_for_promises_nothing():
    untold = {"given": False, "arrived": 0, "erased": 0, "notice_acked": False}
    assert broken_consent(KEPT | untold) == []
