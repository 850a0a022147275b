"""Erasing: gone here, asked for at recipients, and the ledger still verifies."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.consent import audit, register
from gateway.consent.grants import GrantError
from gateway.consent.pseudonym import Pseudonyms, rotate
from gateway.consent.signing import open_signed
from gateway.forward import notices
from gateway.forward.erasure import ERASED_NAME, erase_device, erase_person
from gateway.store import devices
from gateway.store.database import Database, StoreError
from gateway.store.reader import FrameReader
from tests.gateway.sinks import events, fill, minute

SINKS = (("cloud", "manufacturer"), ("shop", "shop"))


def told(household: Any, sink: str = "cloud") -> list[dict[str, Any]]:
    notices.owe(household.db, SINKS, household.now_ms)
    return [json.loads(notice.body) for notice in notices.waiting(household.db, sink)]


def shared(household: Any, *boards: Any) -> Any:
    """A minute of each board has been sent to the manufacturer."""
    queue = household.queue()
    grant = household.grant()
    for board in boards:
        household.receive(board.birth(), minute(household, board, 1))
    fill(queue)
    queue.delivered(queue.take())
    return queue, grant


def test_a_devices_readings_are_gone_and_no_byte_of_them_is_left(household: Any, board: Any):
    other = household.board("ffffffffffff")
    queue, _ = shared(household, board, other)
    household.receive(minute(household, board, 2))
    fill(queue)
    sealed = [row[0] for row in household.db.connection.execute("SELECT sealed FROM frame WHERE device_id = 1")]
    gone = erase_device(household.db, board.device, household.now_ms)
    assert (gone.frames, gone.notices) == (2, 1)
    assert {frame.device for frame in FrameReader(household.db).all()} == {other.device}
    assert queue.depth() == 0
    household.db.close()
    files = b"".join(path.read_bytes() for path in household.path.parent.glob(household.path.name + "*"))
    assert not [part for part in sealed if part[-24:] in files]


def test_what_a_board_sends_again_after_an_erasure_stays_erased_and_new_readings_are_kept(household: Any, board: Any):
    queue, _ = shared(household, board)
    again = minute(household, board, 2)
    household.receive(again)
    erase_device(household.db, board.device, household.now_ms)
    assert household.receive(again).duplicates == 1
    household.receive(board.birth(), minute(household, board, 3))
    fill(queue)
    assert len(events(queue)) == 1
    assert [frame.seq for frame in FrameReader(household.db).all()] == [3]


def test_the_recipient_is_asked_by_the_names_that_it_knows(household: Any, board: Any):
    queue, grant = shared(household, board)
    rotate(household.db, "manufacturer", household.now_ms)
    household.receive(minute(household, board, 2))
    fill(queue)
    queue.delivered(queue.take())
    erase_device(household.db, board.device, household.now_ms)
    (notice,) = told(household)
    names = [Pseudonyms(household.db.secret, "manufacturer", epoch).device(board.device) for epoch in (0, 1)]
    assert notice["grant"] == grant.id
    assert notice["data"]["sources"] == [f"urn:hearthgate:device:{name}" for name in names]
    assert told(household, "shop") == []
    signed = base64.b64decode(notice["data"]["signed"])
    said = json.loads(open_signed(bytes.fromhex(notice["data"]["key"]), notices.SIGNED_TYPE, signed))
    assert (said["grant"], said["recipient"], said["reason"]) == (grant.id, "manufacturer", "erased")
    assert board.device not in json.dumps(notice)


def test_a_device_that_is_forgotten_has_to_be_enrolled_anew(household: Any, board: Any):
    shared(household, board)
    erase_device(household.db, board.device, household.now_ms, forget=True)
    assert devices.registry(household.db) == {}
    household.receive(minute(household, board, 2))
    assert household.count("frame") == 0
    fresh = household.board(board.device)
    household.receive(fresh.birth(), minute(household, fresh, 1))
    assert household.count("frame") == 1


def test_no_id_is_used_twice_when_the_newest_frames_are_erased(household: Any, board: Any):
    shared(household, board)
    (before,) = household.db.connection.execute("SELECT max(id) FROM frame").fetchone()
    erase_device(household.db, board.device, household.now_ms)
    household.db.close()
    household.db = Database(household.path)
    household.receive(board.birth(), minute(household, board, 5))
    (after,) = household.db.connection.execute("SELECT min(id) FROM frame").fetchone()
    assert after > before


def test_a_persons_grants_end_and_their_name_is_nowhere(household: Any, board: Any):
    queue, grant = shared(household, board)
    household.receive(minute(household, board, 2))
    fill(queue)
    kept = household.grant(subject="Kim", category="door")
    gone = erase_person(household.db, "Robin", household.now_ms)
    assert (gone.grants, gone.notices) == (1, 1)
    assert queue.depth() == 0
    found = {g.id: g for g in register.grants(household.db)}
    assert (found[grant.id].subject, found[grant.id].text) == (ERASED_NAME, ERASED_NAME)
    assert found[grant.id].revoked_ms is not None
    assert found[kept.id] == kept
    household.db.close()
    assert b"Robin" not in household.path.read_bytes()


def test_the_ledger_verifies_before_and_after(household: Any, board: Any):
    shared(household, board)
    anchor = audit.head(household.db)
    erase_device(household.db, board.device, household.now_ms)
    erase_person(household.db, "Robin", household.now_ms)
    assert audit.verify(household.db, [anchor]).ok
    said = b"".join(row.entry for row in audit.rows(household.db))
    assert b"Robin" not in said
    assert board.device.encode() not in said


def test_one_that_is_not_there_is_said(household: Any):
    with pytest.raises(StoreError, match="no device"):
        erase_device(household.db, "0" * 12, household.now_ms)
    with pytest.raises(GrantError, match="nobody of the name"):
        erase_person(household.db, "Nobody", household.now_ms)
