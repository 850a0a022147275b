"""consent/update_decisions.py: what was decided of an update is in the ledger, and stays true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.consent import audit, update_decisions
from gateway.consent.grants import GrantError
from gateway.consent.update_decisions import Voice, Way
from gateway.forward import erasure
from gateway.store import devices, updates
from gateway.store.database import Database, StoreError
from gateway.update.rollout import State
from tests.gateway.test_migration import DATA, written

NOW_MS = 1_800_000_000_000
ADA = Voice(Way.CONSOLE, "Ada")
NOBODY = Voice(Way.COMMAND_LINE)


def entries(db: Database) -> list[dict[str, Any]]:
    """What the ledger says of updates."""
    said = [json.loads(row.entry) for row in audit.rows(db)]
    return [entry for entry in said if entry["kind"].startswith("update_")]


def order(db: Database, *names: str, ask: bool = True) -> None:
    stages = dict.fromkeys(names, 0)
    update_decisions.order(db, stages, NOW_MS, NOBODY, firmware="0.2.0", ask=ask)


def test_a_row_says_who_when_what_and_for_which_boards(household: Any) -> None:
    db = household.db
    first, second = household.board().device, household.board("a0b1c2d3e4f6").device
    devices.enrol(db, second, "Cellar fridge", NOW_MS, bytes(32))
    order(db, first, second)
    assert update_decisions.agree(db, NOW_MS + 5, ADA) == 2
    ordered, agreed = entries(db)
    (ada,) = db.connection.execute("SELECT id FROM person WHERE name = 'Ada'").fetchone()
    assert (ordered["by"], ordered["way"], ordered["asks"]) == ("", "command line", True)
    assert (agreed["kind"], agreed["at_ms"], agreed["by"], agreed["way"]) == ("update_yes", NOW_MS + 5, ada, "console")
    assert agreed["firmware"] == ordered["firmware"] == "0.2.0"
    names = update_decisions.board_names(db)
    assert [names[board] for board in agreed["boards"]] == ["Kitchen fridge", "Cellar fridge"]
    assert audit.verify(db).ok


def test_the_ledger_speaks_of_the_boards_that_a_word_was_about(household: Any) -> None:
    db = household.db
    first, second = household.board().device, household.board("a0b1c2d3e4f6").device
    order(db, first, second, ask=False)
    updates.note(db, first, NOW_MS, State.TRIAL)
    assert update_decisions.stop(db, NOW_MS, ADA) == 1
    ordered, stopped = entries(db)
    assert stopped["boards"] == ordered["boards"][1:]
    assert ordered["asks"] is False


def test_a_word_that_changes_nothing_and_one_that_fails_leave_no_row(household: Any) -> None:
    db = household.db
    device = household.board().device
    for decide in (update_decisions.agree, update_decisions.decline, update_decisions.stop):
        assert decide(db, NOW_MS, ADA) == 0
    with pytest.raises(StoreError):
        order(db, "ffffffffffff")
    assert entries(db) == []
    order(db, device)
    with pytest.raises(GrantError):
        update_decisions.agree(db, NOW_MS, Voice(Way.API, "x" * 65))
    assert updates.rows(db)[device].state is State.ASK
    assert len(entries(db)) == 1


def test_no_device_id_and_no_name_is_in_it_and_a_board_that_was_forgotten_is_nobody(household: Any) -> None:
    db = household.db
    device = household.board().device
    order(db, device)
    update_decisions.decline(db, NOW_MS, ADA)
    told = json.dumps(entries(db))
    assert device not in told
    assert "fridge" not in told
    assert "Ada" not in told
    (board,) = entries(db)[-1]["boards"]
    devices.enrol(db, device, "Another name", NOW_MS, bytes(32))
    assert update_decisions.board_names(db) == {board: "Another name"}
    erasure.erase_device(db, device, NOW_MS, forget=True)
    devices.enrol(db, device, "New here", NOW_MS + 1)
    assert board not in update_decisions.board_names(db)
    assert audit.verify(db).ok


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.sql")))
def test_the_ledger_of_an_old_database_takes_it_too(name: str, tmp_path: Path) -> None:
    db = Database(written(name, tmp_path))
    before = audit.head(db).n
    device = next(one.device for one in devices.registry(db).values() if not one.revoked)
    order(db, device)
    assert update_decisions.agree(db, NOW_MS, ADA) == 1
    assert audit.head(db).n == before + 3, "and that Ada is of the household"
    assert audit.verify(db).ok
    db.close()
