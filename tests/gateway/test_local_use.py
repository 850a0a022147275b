"""What of a board leaves it: modes, grants, and the channels that they come to."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.consent import audit, local_use
from gateway.consent.grants import GrantError
from gateway.consent.local_use import Mode
from gateway.consent.vocabulary import Granularity
from gateway.wire.birth import Channel, ValueKind
from gateway.wire.state import Use
from tests.gateway.conftest import FRIDGE, Household

DEVICE, OTHER = "a0b1c2d3e4f5", "a0b1c2d3e4f6"
CHANNELS = [Channel(*row[:4], ValueKind(row[4]), row[5]) for row in FRIDGE]
TEMPERATURE, DOOR, STOCK, DOOR_EVENT, FAULT = (1 << index for index in range(len(FRIDGE)))
DAY_MS = 86_400_000


def kept(household: Household, modes: dict[tuple[str, str], Mode], *grants: Any, now_ms: int | None = None) -> Use:
    at_ms = household.now_ms if now_ms is None else now_ms
    return local_use.kept(DEVICE, CHANNELS, modes, grants, at_ms)


def test_without_a_word_everything_comes_home(household: Household):
    assert kept(household, {}) == Use()
    assert kept(household, {}, household.grant()) == Use()


def test_a_kind_of_data_that_nobody_may_use_stays_on_the_board(household: Household):
    assert kept(household, {("*", "door"): Mode.GRANTED}) == Use(DOOR | DOOR_EVENT)
    assert kept(household, {("*", "door"): Mode.UNMEASURED}) == Use(DOOR | DOOR_EVENT, DOOR | DOOR_EVENT)


def test_a_devices_own_word_goes_before_that_for_all(household: Household):
    for_all = {("*", "door"): Mode.GRANTED, ("*", "stock"): Mode.KEEP}
    assert kept(household, {**for_all, (DEVICE, "door"): Mode.KEEP}) == Use()
    assert kept(household, {**for_all, (DEVICE, "stock"): Mode.UNMEASURED}) == Use(DOOR | STOCK | DOOR_EVENT, STOCK)
    assert kept(household, {**for_all, (OTHER, "door"): Mode.KEEP}) == Use(DOOR | DOOR_EVENT)


@pytest.mark.parametrize(
    ("fields", "allows"),
    [
        ({}, True),
        ({"devices": (DEVICE, OTHER)}, True),
        ({"devices": (OTHER,)}, False),
        ({"category": "stock"}, False),
        ({"recipient": "anybody"}, True),
        ({"granularity": Granularity.DAY}, True),
        ({"revoked_ms": 5}, False),
        ({"paused_ms": 5}, False),
        ({"resumed_ms": 5}, True),
        ({"start_ms": 1}, False),
        # A reading of now may leave once the grant begins.
        ({"start_ms": 1, "since_ms": 0}, True),
        ({"start_ms": -DAY_MS, "expiry_ms": 0}, False),
        ({"start_ms": -DAY_MS, "expiry_ms": 1}, True),
    ],
)
def test_a_grant_that_holds_lets_it_leave_the_board(household: Household, fields: dict[str, Any], allows: bool):
    times = {name: household.now_ms + fields[name] for name in ("start_ms", "expiry_ms", "since_ms") if name in fields}
    state = {name: fields[name] for name in ("revoked_ms", "paused_ms", "resumed_ms") if name in fields}
    plain = {name: value for name, value in fields.items() if name not in times and name not in state}
    grant = household.grant(**{"category": "door", **plain, **times})
    if "revoked_ms" in state:
        grant = grant.revoked(5)
    if "paused_ms" in state or "resumed_ms" in state:
        grant = grant.paused(4)
    if "resumed_ms" in state:
        grant = grant.resumed(5)
    wanted = Use() if allows else Use(DOOR | DOOR_EVENT)
    assert kept(household, {("*", "door"): Mode.GRANTED}, grant) == wanted


def test_who_may_have_only_events_needs_no_series(household: Household):
    grant = household.grant(category="door", granularity=Granularity.EVENT)
    assert kept(household, {("*", "door"): Mode.UNMEASURED}, grant) == Use(DOOR, DOOR)


def test_when_grants_change_by_themselves(household: Household):
    now = household.now_ms
    soon = household.grant(start_ms=now + 5000, expiry_ms=now + 9000)
    assert local_use.next_change_ms([soon], now) == now + 5000
    assert local_use.next_change_ms([soon], now + 5000) == now + 9000
    assert local_use.next_change_ms([soon], now + 9000) is None
    assert local_use.next_change_ms([soon.paused(now), soon.revoked(now)], now) is None


def test_a_word_is_kept_with_its_row_in_the_ledger(household: Household):
    household.board()
    before = household.db.revision("grants")
    local_use.set_mode(household.db, "*", "door", Mode.GRANTED, household.now_ms)
    local_use.set_mode(household.db, DEVICE, "door", Mode.UNMEASURED, household.now_ms)
    local_use.set_mode(household.db, "*", "door", Mode.KEEP, household.now_ms)
    assert local_use.modes(household.db) == {("*", "door"): Mode.KEEP, (DEVICE, "door"): Mode.UNMEASURED}
    assert household.db.revision("grants") == before + 3
    rows = [row for row in audit.rows(household.db) if row.kind == "local_use"]
    assert len(rows) == 3
    assert not any(DEVICE.encode() in row.entry for row in rows)
    assert audit.verify(household.db).ok


def test_saying_the_same_again_is_nothing(household: Household):
    local_use.set_mode(household.db, "*", "door", Mode.KEEP, household.now_ms)
    assert local_use.modes(household.db) == {}
    assert list(audit.rows(household.db)) == []


@pytest.mark.parametrize(
    ("device", "category"), [(OTHER, "door"), ("", "door"), ("*", "Door"), ("*", ""), ("*", "a b")]
)
def test_what_cannot_be_said_is_an_error(household: Household, device: str, category: str):
    household.board()
    with pytest.raises(GrantError):
        local_use.set_mode(household.db, device, category, Mode.GRANTED, household.now_ms)
    assert local_use.modes(household.db) == {}
