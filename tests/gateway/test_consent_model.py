"""Consent and forwarding, driven at random, against a reference that recomputes everything (tools/consent_model.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.consent import register
from tools import consent_model
from tools.consent_life import ALL, DAY_MS, Differ, Life
from tools.consent_reference import Hours


def test_a_thousand_steps_without_a_difference(capsys: pytest.CaptureFixture[str]):
    assert consent_model.main(["--steps", "1000", "--seed", "11", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["differences"] == 0
    assert said["steps"] >= 1000
    assert said["events"] > 100  # it is a model of what leaves, not of silence


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("gateway.forward.outbox.Outbox._refusal", lambda *_: None),
        ("gateway.consent.register._drop_waiting", lambda *_: 0),
        ("gateway.forward.buckets.LEAST_READINGS", 1),
        ("gateway.consent.grants.Grant.measured_from_ms", property(lambda grant: grant.agreed_from_ms)),
        ("gateway.forward.cloudevent.coarse", lambda time_ms, step_ms=0: time_ms),
    ],
)
def test_a_fault_that_is_put_in_is_found(monkeypatch: pytest.MonkeyPatch, what: str, instead: Any):
    """A model that finds nothing might see nothing: each of these is a leak, and some hundred steps show it."""
    monkeypatch.setattr(what, instead)
    with pytest.raises(Differ):
        consent_model.run(40, 5)


@pytest.fixture
def life(tmp_path: Any) -> Life:
    return Life(tmp_path, 1_780_000_000_000)


def test_a_batch_that_is_delivered_takes_nothing_of_another_sink_with_it(life: Life):
    """Numbers of events that were dropped are given again; the batch under way still goes by the old ones."""
    life.give("manufacturer", "service", "temperature", ("*",), "raw", None, 0, None, DAY_MS)
    life.give("brand", "marketing", "temperature", ("*",), "raw", None, 0, None, DAY_MS)
    board = next(iter(life.boards.values()))
    board.measured(life.now_ms, step_ms=10_000, rows=[life.row(1, missing=False)] * 3)
    life.house.now_ms += 60_000
    life.arrive(board, 1)
    life.fill("maker")
    life.take("maker", ALL)
    (given, _) = life.given.values()
    register.take_back(life.house.db, given.id, life.now_ms)
    given.revoked = True
    life.drop(given)
    life.fill("shop")
    life.end("maker", "delivered")
    life.compare()


def test_hours_of_the_reference_are_those_that_people_mean():
    night = Hours(22 * 60, 6 * 60, "Europe/Berlin", (4,))
    friday_ms = 1_780_000_000_000 + DAY_MS  # 22:26:40 in Berlin
    assert night.hold(friday_ms)
    assert night.hold(friday_ms + 7 * 3_600_000)
    assert not night.hold(friday_ms + 8 * 3_600_000)
    assert not night.hold(friday_ms + DAY_MS)
