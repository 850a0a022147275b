"""gateway.cli.flash_enrolling: what a board that is flashed is called."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app.settings import Settings, Store
from gateway.cli.flash_enrolling import enrol
from gateway.flash.sources import find_board

KETTLE, FRIDGE = (find_board(name).board for name in ("kettle-sim", "fridge-sim"))


@pytest.fixture
def settings(household: Any, board: Any) -> Settings:
    """Those of a household that has heard its "Kitchen fridge"."""
    household.receive(board.birth())
    household.db.close()
    return Settings(store=Store(path=household.path))


def test_a_fridge_that_becomes_a_kettle_keeps_its_name_and_it_is_said(
    settings: Settings, board: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enrol(settings, board.device, None, KETTLE).device.name == "Kitchen fridge"
    said = capsys.readouterr().out
    assert "It was a fridge and is to be a kettle, and keeps the name 'Kitchen fridge'" in said
    assert f"with --name '{KETTLE.display_name}' it gets another one" in said


@pytest.mark.parametrize(("name", "kind"), [("Tea", KETTLE), ("Kitchen fridge", KETTLE), (None, FRIDGE)])
def test_nothing_is_said_where_somebody_chose_the_name_or_it_is_what_it_was(
    settings: Settings, board: Any, capsys: pytest.CaptureFixture[str], name: str | None, kind: Any
) -> None:
    assert enrol(settings, board.device, name, kind).device.name == (name or "Kitchen fridge")
    assert capsys.readouterr().out == ""


def test_a_board_that_nobody_knows_gets_the_usual_name(settings: Settings) -> None:
    assert enrol(settings, "5e0000000001", None, KETTLE).device.name == KETTLE.display_name
