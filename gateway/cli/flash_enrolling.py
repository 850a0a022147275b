"""The device in the gateway's database and at its broker, before and after its board is flashed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import typer

from gateway.app.now import real_now_ms
from gateway.app.settings import Settings
from gateway.cli.opened import opened_at
from gateway.flash.boardfile import Identity
from gateway.store import devices
from gateway.store.database import Database


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device as its board is to know it. `former`: what was its key before, by the database."""

    device: devices.Device
    former: Sequence[bytes]

    def __repr__(self) -> str:
        return f"Enrolled({self.device!r})"  # the keys stay out of logs


def enrol(settings: Settings, device: str, name: str | None, board: Identity) -> Enrolled:
    """Enrol a device that is to be flashed, or take it as it is known. Its key is kept, unless it was revoked: then
    somebody else may have had the board. Where its key is being changed it is to get the next one; the database goes
    over to that with `settle`: a board that is not flashed to the end still has the one before.

    Says so where it keeps the name of what was another kind of appliance."""
    from gateway.app import rekeying  # noqa: PLC0415 - takes its time to load

    with opened_at(settings.store.path) as db:
        known = devices.registry(db).get(device)
        rekey = rekeying.pending(db).get(device)
        former = [known.key] if known else []
        birth = devices.newest_birth(db, known.id) if known and name is None else None
        if known and birth and birth.kind != board.kind:
            typer.echo(
                f"It was a {birth.kind} and is to be a {board.kind}, and keeps the name {known.name!r}: with "
                f"--name {board.display_name!r} it gets another one."
            )
        if known is None or known.revoked or name not in (None, known.name):
            key = known.key if known and not known.revoked else None
            known = devices.enrol(db, device, name or (known.name if known else board.display_name), real_now_ms(), key)
        _tell(settings, db)  # also where nothing is new: it mends what was interrupted
    return Enrolled(replace(known, key=rekey.next.key) if rekey else known, former)


def settle(settings: Settings, flashed: devices.Device) -> None:
    """The board has that key now."""
    from gateway.app import rekeying  # noqa: PLC0415 - takes its time to load

    with opened_at(settings.store.path) as db:
        if rekeying.finish(db, flashed.device, flashed.key):
            _tell(settings, db)


def _tell(settings: Settings, db: Database) -> None:
    if settings.broker.folder is None:
        return
    from gateway.app import admission  # noqa: PLC0415 - loads what makes certificates

    told = admission.tell_mosquitto(settings.broker, db)
    if told is not None and told is not told.YES:
        typer.echo(f"{told.value}.", err=True)
