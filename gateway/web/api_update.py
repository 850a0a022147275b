"""The JSON API of updates: what waits for a yes, the yes and the no, and how far each board is."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from gateway.forward.cloudevent import timestamp
from gateway.update.rollout import STAGES, Phase, State
from gateway.web.live import Live
from gateway.web.update_view import UpdateView

_NOTHING: dict[int | str, dict[str, Any]] = {409: {"description": "There is nothing of the kind at this moment."}}


class BoardUpdateOut(BaseModel):
    """How far one board is. `stage`: one, few or all. `runs`: the version that it last said it has. `percent`: of what
    it has to fetch, null before that is known. `detail`: why it waits, went back or did not take it."""

    device: str
    name: str
    stage: str
    state: State
    detail: str
    runs: str | None
    percent: int | None
    online: bool
    changed: str


class UpdateOut(BaseModel):
    """The last update that was ordered. `firmware`: the version that it brings. In phase `asks` nothing happens before
    a yes; `halted`: a board did not keep it, and nothing more is begun."""

    phase: Phase
    firmware: str | None
    boards: list[BoardUpdateOut]


def add(api: APIRouter, live: Live) -> None:
    """Add its routes."""

    @api.get("/update")
    async def update() -> UpdateOut:
        """The last update that was ordered (`hearthgate update`), and how far each board is."""
        return update_out(await live.update())

    @api.post("/update/yes", responses=_NOTHING)
    async def yes() -> UpdateOut:
        """Say yes to the update that waits for it: one board of each kind begins, then a few, then all."""
        return await _decided(live, await live.agree_to_update(), "Nothing waits for a yes.")

    @api.post("/update/no", responses=_NOTHING)
    async def no() -> UpdateOut:
        """Say no to it: nothing is changed, until it is ordered again."""
        return await _decided(live, await live.decline_update(), "Nothing waits for a yes.")

    @api.post("/update/stop", responses=_NOTHING)
    async def stop() -> UpdateOut:
        """Begin nothing more. A board that is on trial decides itself whether it keeps its update."""
        return await _decided(live, await live.stop_update(), "There is nothing to stop.")


def update_out(view: UpdateView) -> UpdateOut:
    """An update as JSON."""
    return UpdateOut(
        phase=view.phase,
        firmware=view.firmware,
        boards=[
            BoardUpdateOut(
                device=board.device,
                name=board.name,
                stage=STAGES[board.stage],
                state=board.state,
                detail=board.detail,
                runs=board.runs,
                percent=board.percent,
                online=board.online,
                changed=timestamp(board.changed_ms),
            )
            for board in view.boards
        ],
    )


async def _decided(live: Live, count: int, nothing: str) -> UpdateOut:
    if not count:
        raise HTTPException(409, f"{nothing} /api/update says how it stands.")
    return update_out(await live.update())
