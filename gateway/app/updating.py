"""Updates over the air: boards whose turn it is are asked what they have, told what there is, and given the pieces.

What was ordered, and how far each board is, is in the database: a gateway that starts again goes on with it. Nothing is
pushed: a board asks for each piece when it has written the one before, so that it, and not the gateway, sets the pace.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from gateway.app.inbox import Message
from gateway.app.source import Source
from gateway.app.update_order import UpdateOrder
from gateway.errors import HearthgateError
from gateway.store.database import Database
from gateway.store.devices import Device
from gateway.store.frames import Committed
from gateway.store.thread import StoreThread
from gateway.store.updates import Image, Progress, Row
from gateway.update import manifest
from gateway.update.manifest import Manifest, Said, Want
from gateway.update.rollout import State, may_go
from gateway.wire import topics
from gateway.wire.cose import open_sealed, seal
from gateway.wire.errors import WireError

log = logging.getLogger(__name__)

ROLE = "update"
_LOOK_S = 600.0
_AGAIN_S = 20.0  # what nobody answered is asked again
_HELD_S = 60.0  # a board that heats, or whose battery is low, is asked again
_TRIAL_S = 3.0
_LOST_S = 1800.0  # two starts, and twice the time for a trial
_NOTE_S = 2.0  # how far a board is goes to the database so often
_MOST_WAITING = 200

_WHY = {
    "battery": "its battery is low",
    "running": "it heats, or is armed to",
    "quiet": "somebody made it quiet",
    "fault": "its memory was short",
    "expired": "it heard nothing for long",
    "starts": "its starts did not last",
    "failures": "it did not read its sensors, or no frame of it was stored, in time",
    "model": "it is another kind of board",
    "counter": "it had this or a later update already",
    "slot": "its firmware lies in no slot: flash it once more by cable",
    "digest": "what it wrote is not what was sent",
    "flash": "its flash is full, or broken",
    "size": "the firmware is too large for it",
    "trial": "it is still trying the last one",
    "form": "it does not understand the manifest",
}  # fmt: skip


@dataclass(slots=True)
class _Talk:
    """What is known of a board while it is its turn. `again_s`: when it is asked next, if nothing comes."""

    again_s: float
    image: Image | None = None
    noted_s: float = 0.0


class Updating:
    """`takes` takes boards' words in, `heard` and `changed` bring news, `run` answers and asks. `order` is what it
    carries out.

    `hurry` lets the gateway commit soon: a board on trial waits for the ack of a frame. `ca` and `folder` are for
    UpdateOrder.
    """

    def __init__(
        self,
        db: Database,
        store: StoreThread,
        source: Source,
        hurry: Callable[[], object],
        ca: Path | None = None,
        folder: Path = Path(),
    ) -> None:
        self.order = UpdateOrder(db, store, self.changed, ca, folder)
        self._source = source
        self._hurry = hurry
        self._counted = db.counted_beside("updating")
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MOST_WAITING)  # a board that is not answered asks again
        self._talks: dict[str, _Talk] = {}
        self._came: set[int] = set()
        self._news = asyncio.Event()

    def takes(self, message: Message) -> bool:
        """Take a message if it is about an update; whether it is."""
        device = topics.parse_want(message.topic)
        if device is None:
            return False
        self._waiting.append((device, message.payload))
        self._news.set()
        return True

    @property
    def waiting(self) -> int:
        """How many words of boards are not answered yet."""
        return len(self._waiting)

    def heard(self, done: Committed) -> None:
        """A commit brought this."""
        came = {state.device_id for state in done.states if state.online}
        if came:
            self._came |= came
            self._news.set()

    def changed(self) -> None:
        """Something may have been ordered, or stopped."""
        self._talks.clear()
        self.order.forget()
        self._news.set()

    async def run(self) -> None:
        """Answer and ask for ever."""
        wait_s = 0.0
        while True:
            try:
                while self._waiting:
                    await self._hear(*self._waiting.popleft())
                wait_s = await self._ask()
            except sqlite3.OperationalError as why:  # a full disk: nothing of an update hangs on one moment
                log.warning("updates wait: %s", why)
                wait_s = _AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            self._news.clear()

    async def _ask(self) -> float:
        """Ask those whose turn it is what they have; how long it then may wait."""
        known, rows = await self.order.look()
        online = {device for device, board in known.items() if board.online}
        turn = may_go({device: row.place for device, row in rows.items()}, online)
        self._talks = {device: talk for device, talk in self._talks.items() if device in turn}
        came, self._came = self._came, set()
        wait_s = _LOOK_S
        for device in turn:
            now_s = asyncio.get_running_loop().time()
            row, board = rows[device], known[device]
            trial = row.state is State.TRIAL
            if trial and time.time() - row.changed_ms / 1000 > _LOST_S:
                await self._note(device, State.FAILED, detail="it was not heard again since it was started")
                continue
            talk = self._talks.setdefault(device, _Talk(now_s))
            if not board.online:
                wait_s = min(wait_s, _LOST_S / 10)
                continue
            if board.id in came or now_s >= talk.again_s:
                talk.again_s = now_s + (_HELD_S if row.state is State.HELD else _TRIAL_S if trial else _AGAIN_S)
                await self._say(board, manifest.encode_ask())
            if trial:
                self._hurry()
            wait_s = min(wait_s, max(0.0, talk.again_s - now_s))
        return wait_s

    async def _hear(self, device: str, message: bytes) -> None:
        known, rows = await self.order.look()
        board, row = known.get(device), rows.get(device)
        want = None
        if board is not None and not board.revoked:
            with contextlib.suppress(WireError):
                want = manifest.decode_want(open_sealed(board.key, topics.WANT, message))
        if board is None or want is None:
            self._counted["wants_refused"] += 1
            return
        talk = self._talks.get(device)
        if row is None or talk is None or row.over:
            return
        talk.again_s = asyncio.get_running_loop().time() + (_TRIAL_S if row.state is State.TRIAL else _AGAIN_S)
        if want.said is Said.HAS:
            await self._offer(board, row, talk, want)
        elif want.said is Said.WANTS:
            await self._give(board, row, talk, want)
        elif want.sequence in (0, row.sequence):
            await self._learn(board, row, talk, want)

    async def _offer(self, board: Device, row: Row, talk: _Talk, want: Want) -> None:
        try:
            image = talk.image = await self.order.image(want.klass)
        except (HearthgateError, WireError, OSError) as why:
            await self._note(row.device, State.FAILED, detail=str(why))
            return
        started = want.sequence == image.sequence
        if not started and image.digest == want.digest:
            detail = f"firmware {image.firmware}"
            await self._note(row.device, State.CURRENT, sequence=image.sequence, detail=detail)
            return
        refusal = None if started else await self.order.refusal(board, image)
        if refusal is not None:
            log.warning("%s (%s) is not given the update: %s", board.name, board.device, refusal)
            await self._note(row.device, State.FAILED, detail=refusal)
            return
        components = manifest.components(dict(image.files))
        slot = "b" if want.slot == "a" else "a"
        if not started and row.sequence != image.sequence:
            size = sum(component.size for component in components)
            await self._note(row.device, State.LOADING, sequence=image.sequence, done=0, size=size)
        await self._say(board, manifest.encode_manifest(Manifest(image.sequence, want.klass, slot, components)))

    async def _give(self, board: Device, row: Row, talk: _Talk, want: Want) -> None:
        image = talk.image
        if image is None or want.sequence != image.sequence or want.index >= len(image.files):
            talk.again_s = 0.0  # it is loading what it was offered before this gateway started, or was ordered anew
            return
        data = image.files[want.index][1]
        await self._say(board, manifest.encode_chunk(image.sequence, want.index, want.offset, data))
        now_s = asyncio.get_running_loop().time()
        if now_s >= talk.noted_s + _NOTE_S or row.state is not State.LOADING:
            talk.noted_s = now_s
            done = sum(len(file) for _, file in image.files[: want.index]) + want.offset
            await self._note(row.device, State.LOADING, done=done)

    async def _learn(self, board: Device, row: Row, talk: _Talk, want: Want) -> None:
        why = _WHY.get(want.why, want.why)
        if want.said is Said.WAITS:
            talk.again_s += _HELD_S - _AGAIN_S
            await self._note(row.device, State.HELD, detail=why)
        elif want.said in (Said.STARTS, Said.ON_TRIAL):
            if row.state is not State.TRIAL:
                log.info("%s (%s) starts its update", board.name, board.device)
                await self._note(row.device, State.TRIAL, done=row.size)
        elif want.said is Said.STAYS:
            log.info("%s (%s) has its update, and keeps it", board.name, board.device)
            await self._note(row.device, State.UPDATED, done=row.size)
        elif want.said is Said.ROLLED_BACK:
            log.warning("%s (%s) went back to the firmware it had: %s", board.name, board.device, why)
            await self._note(row.device, State.ROLLED_BACK, detail=why)
        else:
            log.warning("%s (%s) refuses the update: %s", board.name, board.device, why)
            await self._note(row.device, State.FAILED, detail=why)

    async def _note(self, device: str, state: State, **progress: Unpack[Progress]) -> None:
        await self.order.note(device, state, **progress)
        self._news.set()  # another board's turn may have come

    async def _say(self, board: Device, payload: bytes) -> None:
        await self._source.publish(topics.topic(board.device, ROLE), seal(board.key, ROLE, payload), retain=False)
