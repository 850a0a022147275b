"""What was never granted is in no byte that a sink wrote (tools/consent_canary.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools import consent_canary


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of some twenty thousand events, not fifty."""
    monkeypatch.setattr(consent_canary, "_FRAMES_AN_HOUR", 2)
    monkeypatch.setattr(consent_canary, "_EVENTS_A_FRAME", 160)


def test_a_day_of_twenty_thousand_events_holds_nothing_that_was_not_granted(
    fewer: None, capsys: pytest.CaptureFixture[str]
):
    assert consent_canary.main(["--events", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["found"] == 0
    assert said["events"] > 20_000
    assert min(said["granted_values"].values()) > 5_000


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("gateway.consent.hours.Hours.contain", lambda *_: True),
        ("gateway.consent.decide._refusal_then", lambda *_: None),
        ("gateway.consent.pseudonym.Pseudonyms.device", lambda _, device: device),
    ],
)
def test_a_leak_that_is_put_in_is_found(monkeypatch: pytest.MonkeyPatch, what: str, instead: Any):
    monkeypatch.setattr(what, instead)
    monkeypatch.setattr(consent_canary, "_FRAMES_AN_HOUR", 1)
    monkeypatch.setattr(consent_canary, "_EVENTS_A_FRAME", 10)
    assert consent_canary.main(["--events", "1"]) == 1
