"""Which benchmarks a prefix runs, and how they are printed."""

from __future__ import annotations

import json

import pytest

from tools import bench
from tools.bench import Figure


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    groups: list[str] = []

    def group(name: str, *figures: str) -> None:
        def run() -> object:
            groups.append(name)
            return iter([Figure(figure, 3.0, "s", "another", 1.5) for figure in figures])

        monkeypatch.setitem(bench.GROUPS, name, run)  # type: ignore[arg-type]

    for name in list(bench.GROUPS):
        monkeypatch.delitem(bench.GROUPS, name)
    group("wire", "wire.bytes_per_value")
    group("gateway.disk", "gateway.disk_bytes_per_value", "gateway.disk_bytes_per_value_10min")
    group("gateway.recovery", "gateway.recovery_s")
    return groups


def test_only_what_is_asked_for_is_run(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--json", "gateway.recovery_s"]) == 0
    assert ran == ["gateway.recovery"]
    assert json.loads(capsys.readouterr().out) == {
        "name": "gateway.recovery_s",
        "value": 3.0,
        "unit": "s",
        "beside": "another",
        "beside_value": 1.5,
        "target": "",
        "ratio": 2.0,
    }


def test_a_family_runs_all_of_its_groups(ran: list[str]) -> None:
    assert bench.main(["--json", "gateway"]) == 0
    assert ran == ["gateway.disk", "gateway.recovery"]


def test_a_name_that_begins_another_shows_both(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--json", "gateway.disk_bytes_per_value"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_name_that_is_none_is_said(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["oven"]) == 2
    assert ran == []
    assert "groups: wire" in capsys.readouterr().err


def test_groups_are_named_as_what_they_measure() -> None:
    assert {"wire", "firmware", "gateway.disk", "gateway.recovery", "gateway.rss", "wear.fridge"} <= set(bench.GROUPS)
