"""`hearthgate update`, run as a person runs it, where the household wants to be asked first."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from gateway.cli import update
from gateway.cli.update_bars import update_bars
from gateway.flash.contents import firmware_version
from gateway.store import devices, updates
from gateway.store.database import Database
from gateway.update.rollout import State
from tests.gateway import commands
from tests.gateway.commands import Done
from tools import onboard


def run(folder: Path, *arguments: str) -> Done:
    return commands.run(folder, *arguments, HEARTHGATE_UPDATE__ASK="true")


def states(folder: Path) -> list[State]:
    db = Database(folder / "hearthgate.sqlite")
    try:
        return [row.state for row in updates.rows(db).values()]
    finally:
        db.close()


def ordered(folder: Path) -> dict[str, State]:
    db = Database(folder / "hearthgate.sqlite")
    try:
        return {device: row.state for device, row in updates.rows(db).items()}
    finally:
        db.close()


def note(folder: Path, state: State) -> None:
    """The first board of the order is so far."""
    db = Database(folder / "hearthgate.sqlite")
    try:
        updates.note(db, next(iter(updates.rows(db))), 1, state)
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
    assert "the same firmware once more only with `--again`" in " ".join(said.split())


def test_a_board_that_is_not_there_is_told_by_what_is(house: Path, tmp_path: Path) -> None:
    db = Database(house / "hearthgate.sqlite")
    births = [devices.newest_birth(db, known.id) for known in devices.registry(db).values()]
    kinds = sorted({word for birth in births if birth for word in (birth.kind, birth.model)})
    db.close()
    done = run(house, "update", "--board", "frige")
    assert done.returncode == 2
    assert f"no board that was heard is a 'frige': use one of {', '.join(kinds)}." in done.stderr
    done = run(house, "update", "--device", "5e00000000ff")
    assert "'5e00000000ff' is no such board that was ever heard: see `hearthgate devices list`" in done.stderr
    assert states(house) == []
    (tmp_path / "empty").mkdir()
    assert "no board was heard yet: `hearthgate flash`" in run(tmp_path / "empty", "update").stderr


@pytest.mark.parametrize(
    ("state", "size", "shown"),
    [(State.CURRENT, 0, "current: firmware 1"), (State.LOADING, 2048, "1.0/2.0 KiB loading"), (State.WAIT, 0, "turn")],
)
def test_a_bar_is_shown_once_it_is_known_how_much_there_is_to_load(
    house: Path, monkeypatch: pytest.MonkeyPatch, state: State, size: int, shown: str
) -> None:
    run(house, "update", "--device", "a0b1c2d3e4f6")
    run(house, "update", "yes")
    db = Database(house / "hearthgate.sqlite")
    db.connection.execute("UPDATE device SET online = 1")
    detail = "firmware 1" if state is State.CURRENT else ""
    updates.note(db, "a0b1c2d3e4f6", 1, state, size=size, done=size // 2, detail=detail)
    console = Console(record=True, width=150)
    with update_bars(console) as progress:
        update._show(progress, {}, updates.rows(db).values(), {"a0b1c2d3e4f6"})
    db.close()
    said = " ".join(console.export_text().split())
    assert shown in said
    assert "?" not in said
    assert ("━" in said) == bool(size)


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


def test_boards_that_run_a_newer_version_are_left_out_and_named(
    tmp_path: Path, household: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, older = household.board(), household.board("a0b1c2d3e4f6")
    birth = onboard.load("cbor").dumps(
        [1, 1, "fridge", "fridge-sim", "0.3.0", "Kitchen", [list(c) for c in newer.channels]]
    )
    household.receive(newer.say("birth", birth), older.birth())
    household.db.close()
    monkeypatch.setattr(update, "firmware_version", lambda: "0.2.0")
    done = run(tmp_path, "update")
    assert done.returncode == 0
    assert f"Left out: Kitchen fridge ({newer.device}): it runs 0.3.0, and 0.2.0 is older: " in done.stdout
    assert ordered(tmp_path) == {older.device: State.ASK}
    done = run(tmp_path, "update", "--device", newer.device)
    assert "is under way" in done.stdout


def test_a_gateway_with_another_version_orders_that_in_place_of_what_is_under_way(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "_appears", lambda _: True)
    monkeypatch.setattr(update, "_AWAY_S", 0.0)
    monkeypatch.setattr(update, "firmware_version", lambda: "0.2.0")
    commands.run(house, "update")
    note(house, State.UPDATED)
    monkeypatch.setattr(update, "firmware_version", lambda: "0.3.0")
    done = commands.run(house, "update")
    assert "is under way" not in done.stdout
    assert "0 of 2 board(s) have the firmware that was ordered: version 0.3.0." in done.stdout
    assert states(house) == [State.WAIT] * 2
    note(house, State.TRIAL)
    monkeypatch.setattr(update, "firmware_version", lambda: "0.4.0")
    done = commands.run(house, "update", "--wait", "0.01")
    assert "An update of 2 board(s) is under way" in done.stdout, "a board that tries one is let end that"
    assert "0 of 2 board(s) have the firmware that was ordered: version 0.3.0." in done.stdout


@pytest.mark.parametrize("state", [State.LOADING, State.HELD])
def test_a_board_that_went_offline_on_the_way_is_not_waited_for(
    house: Path, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    monkeypatch.setattr(update, "_appears", lambda _: True)
    monkeypatch.setattr(update, "_AWAY_S", 0.0)
    commands.run(house, "update")
    note(house, state)
    monkeypatch.setattr(update, "time", SimpleNamespace(monotonic=time.monotonic))  # with no sleep in it
    done = commands.run(house, "update")
    assert done.returncode == 0
    assert "Offline, and asked when they are back: Kitchen fridge, Kitchen fridge." in done.stdout


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
