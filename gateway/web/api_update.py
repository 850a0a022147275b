"""The JSON API of updates: what waits for a yes, the yes and the no, and how far each board is."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from pydantic import BaseModel

from gateway.consent.grants import GrantError
from gateway.consent.update_decisions import Voice, Way
from gateway.forward.cloudevent import timestamp
from gateway.update.rollout import STAGES, Phase, State
from gateway.web.consent_shapes import ByIn
from gateway.web.live import Live
from gateway.web.update_view import UpdateView, away

_By = Annotated[ByIn | None, Body()]
_NOTHING: dict[int | str, dict[str, Any]] = {409: {"description": "There is nothing of the kind at this moment."}}


class BoardUpdateOut(BaseModel):
    """How far one board is. `stage`: one, few or all. `runs`: the version that it last said it has. `percent`: of what
    it has to fetch, null before that is known. `detail`: why it waits ("offline": it is asked when it is back), went
    back or did not take it."""

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
    async def yes(asked: _By = None) -> UpdateOut:
        """Say yes to the update that waits for it: one board of each kind begins, then a few, then all. Like a no and a
        stop it is kept in the ledger, with who said it."""
        return await _decide(live, live.agree_to_update, asked, "Nothing waits for a yes.")

    @api.post("/update/no", responses=_NOTHING)
    async def no(asked: _By = None) -> UpdateOut:
        """Say no to it: nothing is changed, until it is ordered again."""
        return await _decide(live, live.decline_update, asked, "Nothing waits for a yes.")

    @api.post("/update/stop", responses=_NOTHING)
    async def stop(asked: _By = None) -> UpdateOut:
        """Begin nothing more. A board that is on trial decides itself whether it keeps its update."""
        return await _decide(live, live.stop_update, asked, "There is nothing to stop.")


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
                detail="offline" if away(board) else board.detail,
                runs=board.runs,
                percent=board.percent,
                online=board.online,
                changed=timestamp(board.changed_ms),
            )
            for board in view.boards
        ],
    )


async def _decide(live: Live, decide: Callable[[Voice], Awaitable[int]], asked: ByIn | None, nothing: str) -> UpdateOut:
    try:
        count = await decide(Voice(Way.API, "" if asked is None else asked.by))
    except GrantError as why:
        raise HTTPException(422, f"{why}.") from why
    if not count:
        raise HTTPException(409, f"{nothing} /api/update says how it stands.")
    return update_out(await live.update())
