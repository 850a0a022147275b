"""What is ordered of updates, for the gateway that carries it out: how far each board is, the images, and what the
household decides. All of it is in the database; here it is asked for, and the images are made."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Unpack

from gateway.app.now import real_now_ms
from gateway.consent import update_decisions
from gateway.consent.update_decisions import Voice
from gateway.errors import HearthgateError
from gateway.store import devices, rolled_back, updates
from gateway.store.database import Database
from gateway.store.devices import Device
from gateway.store.thread import StoreThread
from gateway.store.updates import Image, Progress, Row
from gateway.update import manifest
from gateway.update.rollout import State
from gateway.update.version import refusal


class UpdateOrder:
    """`decided` is called when the household has decided something.

    `build` makes what a slot is to hold, from a class of boards (Manifest): (firmware's version, name -> bytes); it may
    take seconds. `version` is that of the firmware that came with this gateway. `ca` is the file of whom boards trust
    over TLS: an image holds what is in it when it is made. `folder` is where the household's own boards/ is.
    """

    def __init__(
        self,
        db: Database,
        store: StoreThread,
        decided: Callable[[], object],
        ca: Path | None = None,
        folder: Path = Path(),
    ) -> None:
        self.build: Callable[[str], tuple[str, dict[str, bytes]]] = partial(_build, ca, folder)
        self.version: Callable[[], str] = _version
        self._db = db
        self._store = store
        self._decided = decided
        self._images: dict[str, Image] = {}

    def forget(self) -> None:
        """Something else may have been ordered: its images are other ones."""
        self._images.clear()

    async def look(self) -> tuple[dict[str, Device], dict[str, Row]]:
        """The registry, and how far each board of the order is."""
        return await self._store(self._look)

    async def note(self, device: str, state: State, **progress: Unpack[Progress]) -> None:
        """A board is so far."""
        await self._store(lambda: updates.note(self._db, device, real_now_ms(), state, **progress))

    async def image(self, klass: str) -> Image:
        """The image of this order for a class of boards, made when it is first asked for. Raises HearthgateError."""
        image = self._images.get(klass) or await self._store(updates.find_image, self._db, klass)
        if image is None:
            version, built = await asyncio.to_thread(self.build, klass)
            ordered = await self._store(updates.firmware, self._db)
            if ordered not in (None, version):  # Hearthgate itself was updated meanwhile
                raise HearthgateError(
                    f"version {ordered} was ordered, and this gateway has {version} now: `hearthgate update` orders it"
                )
            files = {component.name: built[component.name] for component in manifest.components(built)}
            image = await self._store(updates.keep_image, self._db, klass, version, files, real_now_ms())
        self._images[klass] = image
        return image

    async def refusal(self, board: Device, image: Image) -> str | None:
        """Why this board is not given that image, as `version.refusal` says it."""

        def look() -> str | None:
            birth = devices.newest_birth(self._db, board.id)
            went_back = rolled_back.holds(self._db, board.id, image.digest)
            runs = None if birth is None else birth.firmware
            return refusal(runs, image.firmware, updates.anyway(self._db), went_back=went_back)

        return await self._store(look)

    async def offers(self) -> str:
        """The version of the firmware that boards would be given now."""
        return await asyncio.to_thread(self.version)

    async def agree(self, voice: Voice) -> int:
        """The household says yes. How many boards waited for that. Raises GrantError."""
        return await self._decide(update_decisions.agree, voice)

    async def decline(self, voice: Voice) -> int:
        """The household says no. How many boards waited for a yes. Raises GrantError."""
        return await self._decide(update_decisions.decline, voice)

    async def stop(self, voice: Voice) -> int:
        """Begin nothing more. How many boards are left as they are. Raises GrantError."""
        return await self._decide(update_decisions.stop, voice)

    async def _decide(self, decide: Callable[[Database, int, Voice], int], voice: Voice) -> int:
        count = await self._store(decide, self._db, real_now_ms(), voice)
        self._decided()
        return count

    def _look(self) -> tuple[dict[str, Device], dict[str, Row]]:
        return devices.registry(self._db), updates.rows(self._db)


def _build(ca: Path | None, folder: Path, klass: str) -> tuple[str, dict[str, bytes]]:
    from gateway.flash.sources import HOUSEHOLD  # noqa: PLC0415 - what makes images is loaded only for one
    from gateway.update.image import build  # noqa: PLC0415 - the same

    return _version(), build(klass, None if ca is None else ca.read_bytes(), folder / HOUSEHOLD)


def _version() -> str:
    from gateway.flash.contents import firmware_version  # noqa: PLC0415 - the same

    return firmware_version()
