"""A household in a file: what goes into it, what is taken in, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app.household import FORMAT, HouseholdError, export, gateway_id, take_in
from gateway.consent import register
from gateway.consent.pseudonym import Pseudonyms
from gateway.store import devices
from gateway.store.database import Database, StoreError

ROWS = [[320, 0, 1500]]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """The second gateway's store, empty."""
    made = Database(tmp_path / "second.sqlite")
    yield made
    made.close()


def test_a_second_gateway_becomes_the_same_household(household: Any, board: Any, other: Database):
    grant = household.grant()
    revoked = household.grant(category="door")
    household.revoke(revoked)
    taken = take_in(other, export(household.db), household.now_ms)
    assert (taken.devices, taken.grants) == (1, 2)
    assert other.secret == household.db.secret
    known = devices.registry(other)[board.device]
    assert (known.key, known.name, known.revoked) == (board.key, "Kitchen fridge", False)
    assert register.grants(other) == register.grants(household.db)
    assert [g.id for g in register.grants(other) if g.revoked_ms is None] == [grant.id]
    names = [Pseudonyms(db.secret, "manufacturer") for db in (household.db, other)]
    assert names[0].device(board.device) == names[1].device(board.device)


def test_each_gateway_keeps_a_name_of_its_own(household: Any, other: Database):
    take_in(other, export(household.db), household.now_ms)
    assert gateway_id(other) == gateway_id(other) != gateway_id(household.db)
    assert gateway_id(household.db) not in export(household.db)


def test_a_first_start_on_a_full_disk_says_so(household: Any):
    household.db.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="free space"):
        gateway_id(household.db)


def test_what_is_new_is_added_and_what_is_known_stays(household: Any, board: Any, other: Database):
    take_in(other, export(household.db), household.now_ms)
    devices.enrol(other, board.device, "Garage", household.now_ms, board.key)
    household.board("a0b1c2d3e4f6")
    household.grant()
    taken = take_in(other, export(household.db), household.now_ms)
    assert (taken.devices, taken.grants) == (1, 1)
    assert devices.registry(other)[board.device].name == "Garage"
    taken = take_in(other, export(household.db), household.now_ms)
    assert (taken.devices, taken.grants) == (0, 0)


def test_a_command_counter_only_grows(household: Any, board: Any, other: Database):
    for _ in range(5):
        devices.next_command(household.db, devices.registry(household.db)[board.device].id, 0)
    old = export(household.db)
    take_in(other, old, household.now_ms)
    id_ = devices.registry(other)[board.device].id
    assert devices.next_command(other, id_, 0) == 6
    take_in(other, old, household.now_ms)
    assert devices.next_command(other, id_, 0) == 7


def test_what_was_revoked_on_either_side_is_revoked(household: Any, board: Any, other: Database):
    first, second = household.grant(), household.grant()
    before = export(household.db)
    take_in(other, before, household.now_ms)
    household.revoke(first)
    devices.revoke(household.db, board.device, household.now_ms)
    register.take_back(other, second.id, household.now_ms)
    take_in(other, export(household.db), household.now_ms)
    take_in(other, before, household.now_ms)
    assert all(g.revoked_ms is not None for g in register.grants(other))
    assert devices.registry(other)[board.device].revoked


def test_what_waits_under_a_grant_that_was_revoked_elsewhere_does_not_leave(household: Any, board: Any):
    queue = household.queue()
    grant = household.grant()
    household.receive(board.birth(), board.rows(1, ROWS, time_s=household.now_ms // 1000))
    queue.fill()
    assert queue.depth() == 1
    file = json.loads(export(household.db))
    file["grants"][0][-1]["revoked_ms"] = household.now_ms
    take_in(household.db, json.dumps(file), household.now_ms)
    assert queue.depth() == 0
    assert next(g for g in register.grants(household.db) if g.id == grant.id).revoked_ms is not None


def test_another_household_is_not_overwritten(household: Any, board: Any, other: Database):
    devices.enrol(other, "a0b1c2d3e4f7", "Mine", household.now_ms)
    secret = other.secret
    with pytest.raises(HouseholdError, match="another household already: it has devices"):
        take_in(other, export(household.db), household.now_ms)
    assert other.secret == secret
    assert list(devices.registry(other)) == ["a0b1c2d3e4f7"]


def _changed(file: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    at: Any = file
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = to
    return file


@pytest.mark.parametrize(
    ("path", "to", "says"),
    [
        (("format",), "hearthgate-household-9", FORMAT),
        (("secret",), "00", "1 bytes, not 32"),
        (("secret",), None, "not a household file"),
        (("devices", 0, "device"), "../../x", "12 hex digits"),
        (("devices", 0, "key"), "zz", "not a household file"),
        (("devices", 0, "command_counter"), 1.5, "whole numbers"),
        (("devices", 0, "command_counter"), -1, "whole numbers"),
        (("devices", 0, "extra"), 1, "not a household file"),
        (("devices",), 3, "not a household file"),
        (("grants", 0, 0, "purpose"), "Every Thing", "purpose"),
        (("grants", 0, 0, "category"), "My Soul", "category"),
        (("grants",), [[]], "not a household file"),
    ],
)
def test_a_file_that_is_none_of_ours_changes_nothing(
    household: Any, board: Any, other: Database, path: tuple[Any, ...], to: Any, says: str
):
    household.grant()
    bad = _changed(json.loads(export(household.db)), *path, to=to)
    with pytest.raises(HouseholdError, match=says):
        take_in(other, json.dumps(bad), household.now_ms)
    assert devices.registry(other) == {}
    assert other.secret != household.db.secret


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is not JSON (line 1)"),
        ("{", "it is not JSON (line 1)"),
        ("[]", "what is in it has another form"),
        ("7", "what is in it has another form"),
        ("null", "what is in it has another form"),
        ("[" * 100_000, "what is in it has another form"),
        ("{}", "there is no format in it"),
        (f'{{"format": "{FORMAT}"}}', "there is no secret in it"),
    ],
)
def test_what_is_not_json_of_ours_is_a_sentence(other: Database, text: str, says: str):
    said = f"not a household file: {says}. `hearthgate household export` writes one."
    with pytest.raises(HouseholdError, match=re.escape(said)):
        take_in(other, text, 0)
