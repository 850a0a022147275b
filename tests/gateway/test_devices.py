"""The registry of devices: who may speak, with which key, and when it was heard."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.store import devices, frames
from gateway.store.database import Database, StoreError
from gateway.store.frames import StateChange

ROWS = [[320, 0, 1800], [321, 0, 1800]]


def test_a_state_is_remembered(household: Any, board: Any):
    household.receive(board.state(1))
    assert devices.registry(household.db)[board.device].online
    frames.commit(household.db, [StateChange(1, 1, online=False, received_ms=5)])
    assert not devices.registry(household.db)[board.device].online


def test_an_old_state_that_somebody_kept_changes_nothing(household: Any, board: Any):
    old = board.state(0, boot=1)
    household.receive(board.birth(boot=2), board.state(1, boot=2), old)
    assert devices.registry(household.db)[board.device].online


def test_a_revoked_device_is_refused_and_what_it_sent_is_kept(household: Any, board: Any):
    household.receive(board.rows(1, ROWS))
    devices.revoke(household.db, board.device, household.now_ms)
    assert household.receive(board.rows(2, ROWS)).stored == 0
    assert household.dead() == [("revoked_device", 1)]
    assert household.count("frame") == 1


def test_a_device_that_is_enrolled_again_keeps_its_row_and_gets_its_new_key(household: Any, board: Any):
    household.receive(board.rows(1, ROWS))
    devices.revoke(household.db, board.device, household.now_ms)
    again = household.board(key=bytes(32))
    assert household.receive(again.rows(2, ROWS)).acks == {(1, 1): 2}
    assert household.receive(board.rows(3, ROWS)).dead == 1


@pytest.mark.parametrize("name", ["", "a0b1c2d3e4f", "A0B1C2D3E4F5", "a0b1c2d3e4f5\n", "kitchen", "../../../etc"])
def test_only_a_device_id_can_be_enrolled(household: Any, name: str):
    with pytest.raises(StoreError, match="12 lower-case hex digits"):
        devices.enrol(household.db, name, "x", 0)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_that_a_board_would_refuse_is_refused_here(household: Any, size: int):
    with pytest.raises(StoreError, match="16 to 64 bytes"):
        devices.enrol(household.db, "a0b1c2d3e4f5", "x", 0, bytes(size))


def test_unknown_devices_cannot_be_revoked(household: Any):
    with pytest.raises(StoreError, match="devices list"):
        devices.revoke(household.db, "a0b1c2d3e4f5", 0)


def test_a_key_is_never_shown(household: Any, board: Any):
    assert board.key.hex() not in repr(devices.registry(household.db))
    assert repr(board.key) not in repr(devices.registry(household.db))


def test_command_counters_only_grow_and_survive(household: Any, board: Any):
    assert [devices.next_command(household.db, 1, 0) for _ in range(3)] == [1, 2, 3]
    household.db.close()
    household.db = Database(household.path)
    devices.enrol(household.db, board.device, "again", 0, bytes(32))
    assert devices.next_command(household.db, 1, 0) == 4


def test_a_database_that_is_new_or_an_old_copy_commands_a_board_that_obeyed_another(household: Any, board: Any):
    """The board has obeyed a thousand commands of a database that is lost."""
    now_s = household.now_ms // 1000
    assert devices.next_command(household.db, 1, now_s) == now_s > 1000
    assert devices.next_command(household.db, 1, now_s) == now_s + 1, "two in a second"
    assert devices.next_command(household.db, 1, now_s - 3600) == now_s + 2, "a clock that went back"
    assert devices.next_command(household.db, 1, now_s + 60) == now_s + 60


def test_revisions_grow_with_every_change_and_are_seen_by_another_connection(household: Any, board: Any):
    other = Database(household.path)
    before = other.revision("devices")
    devices.revoke(household.db, board.device, 0)
    assert other.revision("devices") == before + 1
    devices.enrol(household.db, board.device, "x", 0)
    assert other.revision("devices") == before + 2
    assert other.revision("never heard of") == 0
    other.close()


def test_a_quiet_device_is_quiet_until_it_says_otherwise(household: Any, board: Any):
    def quiet() -> bool:
        return devices.registry(household.db)[board.device].quiet

    household.receive(board.birth(), board.state(1))
    assert not quiet()
    done = household.receive(board.state(2))
    assert quiet()
    assert [(state.online, state.quiet) for state in done.states] == [(True, True)]
    household.receive(board.state(0))
    assert quiet(), "a power cut does not change what somebody wanted"
    assert household.receive(board.birth(2), board.state(1)).states == [], "an earlier boot said that"
    assert quiet()
    household.receive(board.state(1, boot=2))
    assert not quiet()
