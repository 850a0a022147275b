"""`hearthgate update`, run as a person runs it, where the household wants to be asked first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.cli import update
from gateway.flash.contents import firmware_version
from gateway.store import updates
from gateway.store.database import Database
from gateway.update.rollout import State
from tests.gateway import commands
from tests.gateway.commands import Done


def run(folder: Path, *arguments: str) -> Done:
    return commands.run(folder, *arguments, HEARTHGATE_UPDATE__ASK="true")


def states(folder: Path) -> list[State]:
    db = Database(folder / "hearthgate.sqlite")
    try:
        return [row.state for row in updates.rows(db).values()]
    finally:
        db.close()


@pytest.fixture
def house(tmp_path: Path, household: Any) -> Path:
    """A household with two boards that have said what they are."""
    for board in (household.board(), household.board("a0b1c2d3e4f6")):
        household.receive(board.birth())
    household.db.close()
    return tmp_path


def test_it_waits_for_a_yes_and_says_where_to_say_it(house: Path) -> None:
    asked = run(house, "update")
    assert (asked.returncode, states(house)) == (0, [State.ASK] * 2)
    assert "It waits for a yes: on the console's home page, or by `hearthgate update yes`" in asked.stdout
    status = run(house, "update", "status").stdout
    assert status.count("waits for a yes") == 2
    assert "Nothing begins before the household says yes" in status
    doctor = run(house, "doctor").stdout
    assert "an update of 2 board(s) waits for the household's yes" in doctor
    assert "2 board(s) may be updated." in run(house, "update", "yes").stdout
    assert states(house) == [State.WAIT] * 2
    assert "waits for a yes" not in run(house, "update", "status").stdout
    assert "Nothing waits for a yes." in run(house, "update", "no").stdout


def test_a_no_is_kept_and_shown_until_it_is_asked_anew(house: Path) -> None:
    run(house, "update")
    assert "2 board(s) stay as they are." in run(house, "update", "no").stdout
    assert run(house, "update", "status").stdout.count("stopped: the household said no") == 2
    assert "Nothing waits for a yes." in run(house, "update", "yes").stdout
    assert "the household's yes" not in run(house, "doctor").stdout
    run(house, "update")
    assert states(house) == [State.ASK] * 2


def test_the_doctor_names_a_board_that_did_not_keep_its_update(house: Path) -> None:
    run(house, "update")
    db = Database(house / "hearthgate.sqlite")
    row = next(iter(updates.rows(db).values()))
    updates.note(db, row.device, 1, State.ROLLED_BACK, detail="its starts did not last")
    db.close()
    said = run(house, "doctor").stdout
    assert f"({row.device}) did not keep its update (rolled back): its starts did not last" in said


def test_an_older_version_is_ordered_only_as_a_downgrade(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "firmware_version", lambda: "0.0.9")
    for more in ((), ("--again",)):
        done = run(house, "update", *more)
        assert done.returncode != 0
        assert "it runs 0.1.0, and 0.0.9 is older: `hearthgate update --downgrade` puts that on it" in done.stderr
        assert states(house) == []
    assert run(house, "update", "--downgrade").returncode == 0
    assert states(house) == [State.ASK] * 2
    assert "version 0.0.9 on the command line, also in place of a newer one, for" in run(house, "audit", "show").stdout
    done = run(house, "update", "--again")
    assert (done.returncode != 0, "an update is under way, and was ordered without that" in done.stderr) == (True, True)


def test_the_command_says_which_boards_are_offline_and_leaves_them_to_the_gateway(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "_appears", lambda _: True)
    monkeypatch.setattr(update, "_AWAY_S", 0.0)
    done = commands.run(house, "update", "--device", "a0b1c2d3e4f6")
    assert done.returncode == 0
    assert "Offline, and asked when they are back: Kitchen fridge." in done.stdout
    assert "0 of 1 board(s) have the firmware" in done.stdout
    assert "wait: offline, it is asked when it is back" in run(house, "update", "status").stdout
    assert states(house) == [State.WAIT]


def test_who_ordered_and_who_said_no_is_in_the_ledger_for_good(house: Path) -> None:
    run(house, "update", "--by", "Robin")
    run(house, "update", "no", "--by", "Ada")
    run(house, "update", "yes")  # decides nothing any more
    run(house, "update", "--stage", "one")
    run(house, "update", "stop")
    said = [line.split(maxsplit=3)[3] for line in run(house, "audit", "show").stdout.splitlines()]
    version = f"software version {firmware_version()} on the command line, for"
    assert [line for line in said if "version" in line] == [
        f"Robin ordered {version} Kitchen fridge and Kitchen fridge; the household is asked first",
        f"Ada said no to {version} Kitchen fridge and Kitchen fridge",
        f"somebody ordered {version} Kitchen fridge; the household is asked first",
        f"somebody stopped the update to {version} Kitchen fridge",
    ]
    assert run(house, "audit", "verify").returncode == 0


def test_a_name_that_cannot_be_decides_nothing(house: Path) -> None:
    run(house, "update")
    done = run(house, "update", "yes", "--by", "x" * 65)
    assert (done.returncode, "a person's name is one line" in done.stderr) == (2, True)
    assert states(house) == [State.ASK] * 2


def test_help_says_how_a_household_is_asked(house: Path) -> None:
    said = " ".join(run(house, "update", "--help").stdout.split())
    assert "ask = true under [update]" in said
    assert "no Say no" in said
