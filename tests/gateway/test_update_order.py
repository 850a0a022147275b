"""app/update_order.py: what a board is not given unless a person insists, against boards that say what they run."""

from __future__ import annotations

from pathlib import Path

import cbor2

from gateway.store import devices, rolled_back, updates
from gateway.store.updates import Row
from gateway.update.manifest import LAST
from gateway.update.rollout import State
from gateway.update.version import Anyway
from tests.gateway.test_updating import CLASS, FILES, FIRST, NOW_MS, SECOND, Desk, play


def born(desk: Desk, firmware: str) -> None:
    """FIRST says that it runs this version."""
    known = devices.registry(desk.db)[FIRST]
    birth = cbor2.dumps([1, 1, "fridge", "fridge-sim", firmware, "Fridge", [["t", "Cel", 1, 100, 0, "temperature"]]])
    desk.db.connection.execute(
        "INSERT OR REPLACE INTO boot (device_id, boot, birth, birth_ms) VALUES (?, 1, ?, ?)", (known.id, birth, NOW_MS)
    )


def test_an_older_version_is_refused_unless_a_downgrade_is_said(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        born(desk, "10.0.0")
        for anyway, state in ((None, State.FAILED), (Anyway.AGAIN, State.FAILED), (Anyway.DOWNGRADE, State.LOADING)):
            await desk.order({FIRST: 0}, anyway=anyway)
            await desk.quiet()
            desk.heard()
            await desk.has(FIRST)
            row = (await desk.rows())[FIRST]
            assert row.state is state
            assert ("it runs 10.0.0, and 9.9.9 is older" in row.detail) == (state is State.FAILED)
            assert len(desk.heard()) == (state is State.LOADING), "what is refused is not offered"

    play(tmp_path, scene)


def test_what_a_board_went_back_from_is_not_tried_again_unless_that_is_said(tmp_path: Path) -> None:
    async def tried(desk: Desk, anyway: Anyway | None, end: int) -> Row:
        await desk.order({FIRST: 0}, anyway=anyway)
        await desk.quiet()
        await desk.has(FIRST)
        sequence = (await desk.rows())[FIRST].sequence
        if sequence is not None:
            await desk.says(FIRST, 3, sequence, "")
            await desk.says(FIRST, end, sequence, "")
        return (await desk.rows())[FIRST]

    async def scene(desk: Desk) -> None:
        back, stays = 6, 5
        assert (await tried(desk, None, back)).state is State.ROLLED_BACK
        row = await tried(desk, None, stays)
        assert (row.state, "hearthgate update --again" in row.detail) == (State.FAILED, True)
        assert (await tried(desk, Anyway.AGAIN, back)).state is State.ROLLED_BACK
        assert (await tried(desk, Anyway.DOWNGRADE, stays)).state is State.UPDATED
        assert (await tried(desk, None, stays)).state is State.UPDATED, "it stayed once"
        assert (await tried(desk, None, back)).state is State.ROLLED_BACK
        desk.updating.order.build = lambda _: ("9.9.9", {**FILES, LAST: b"another"})
        assert (await tried(desk, None, stays)).state is State.UPDATED, "another image is none of that"
        desk.updating.order.build = lambda _: ("9.9.9", dict(FILES))
        other = await desk.store(updates.find_image, desk.db, CLASS.decode())
        assert other is not None
        assert not rolled_back.holds(desk.db, devices.registry(desk.db)[SECOND].id, other.digest)

    play(tmp_path, scene)
