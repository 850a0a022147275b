"""Whom boards are known to trust, from what they were flashed with and from the updates that they kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.broker.certificates import make_ca
from gateway.flash import contents
from gateway.flash.compiling import MpyFormat
from gateway.flash.sources import find_board
from gateway.store import devices, trust, updates
from gateway.store.database import Database
from gateway.update import image
from gateway.update.manifest import AUTHORITY
from gateway.update.rollout import State

OLD, NEXT = (make_ca(datetime.now(UTC)).certificate for _ in range(2))
BOTH = OLD + NEXT
FLASHED, UPDATED, GONE, WIRED = (f"5e000000000{n}" for n in range(1, 5))
KLASS = f"fridge-esp32s3 {6 | 3 << 8 | 10 << 10}"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database(tmp_path / "h.sqlite")
    for device in (FLASHED, UPDATED, GONE, WIRED):
        devices.enrol(db, device, f"Board {device[-1]}", 1)
    devices.revoke(db, GONE, 2)
    yield db
    db.close()


def left(db: Database, ca: bytes = BOTH) -> list[str]:
    return [board.device for board in trust.left_behind(db, ca)]


def update(db: Database, device: str, klass: str, ca: bytes | None, state: State = State.UPDATED) -> None:
    with db.transaction():
        updates.order(db, {device: 0}, 3, ask=False)
    built = updates.keep_image(db, klass, "1", image.build(klass, ca), 4)
    updates.note(db, device, 5, State.LOADING, sequence=built.sequence)
    updates.note(db, device, 6, state)


def test_a_board_of_which_nothing_is_known_is_left_behind_and_one_that_may_not_speak_is_none(db: Database) -> None:
    assert left(db) == [FLASHED, UPDATED, WIRED]


def test_what_a_board_was_flashed_with_is_known(db: Database) -> None:
    trust.note_flashed(db, FLASHED, OLD)
    assert FLASHED in left(db)
    assert FLASHED not in left(db, OLD)
    trust.note_flashed(db, FLASHED, b"# both\n" + BOTH)
    trust.note_flashed(db, WIRED, None, cable=True)
    assert left(db) == [UPDATED]


def test_what_a_board_was_updated_with_is_known_once_it_keeps_it(db: Database) -> None:
    for device in (FLASHED, UPDATED):
        trust.note_flashed(db, device, OLD)
    update(db, FLASHED, KLASS, BOTH, State.ROLLED_BACK)
    update(db, UPDATED, KLASS, BOTH)
    update(db, WIRED, KLASS.replace(" ", "+serial "), BOTH)
    assert left(db) == [FLASHED]
    update(db, UPDATED, KLASS, None)
    assert left(db) == [FLASHED], "it goes on with what it has"
    update(db, FLASHED, KLASS, BOTH, State.CURRENT)
    assert left(db) == []


def test_an_update_that_is_under_way_with_other_authorities_is_seen(db: Database) -> None:
    assert not trust.outdated(db, BOTH)
    update(db, UPDATED, KLASS, OLD)
    assert trust.outdated(db, BOTH)
    assert not trust.outdated(db, OLD)


def test_a_cable_and_an_update_bring_the_same_and_a_new_authority_is_a_new_image() -> None:
    board, takes = find_board("fridge-esp32s3"), MpyFormat(6, 3, "xtensawin")
    flashed = contents.slot_files(board, takes, ca=OLD)
    whole = contents.whole(board, flashed, {}, OLD)
    built = image.build(KLASS, OLD)
    assert {contents.SLOT + name: data for name, data in built.items()}.items() <= whole.items()
    assert OLD in built[AUTHORITY]
    other = image.build(KLASS, BOTH)
    assert {name for name in other if other[name] != built[name]} == {AUTHORITY, contents.MANIFEST_NAME}
    assert AUTHORITY not in image.build(KLASS.replace(" ", "+serial "), OLD)
    assert AUTHORITY not in contents.slot_files(board, takes)
