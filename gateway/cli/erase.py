"""`hearthgate erase`: what is kept of a device or a person goes, here and, by notice, at recipients."""

from typing import Annotated

import typer

from gateway.app.now import real_now_ms
from gateway.cli.opened import opened
from gateway.forward import erasure
from gateway.store import devices
from gateway.store.database import StoreError

app = typer.Typer(
    help="Erase a device's readings, or a person's name and words, here; recipients that were sent some of it are "
    "asked to erase it too, until they confirm. The ledger of what left stays, and still verifies: it holds neither "
    "readings nor names. Backups and files of `hearthgate export` are yours to delete.",
    no_args_is_help=True,
)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def device(
    context: typer.Context,
    device_id: Annotated[str, typer.Argument(metavar="DEVICE", help="Its 12 hex digits.")],
    forget: Annotated[bool, typer.Option("--forget", help="Its name and key too: it has to be enrolled anew.")] = False,
    yes: Yes = False,
) -> None:
    """Erase every reading of a device. It stays enrolled and goes on measuring, unless it is to be forgotten."""
    with opened(context) as (_, db):
        known = devices.registry(db).get(device_id)
    if known is None:  # said before anybody is asked
        raise StoreError(f"no device {device_id!r}; `hearthgate devices list` shows them.")
    what = f"Erase every reading of {known.name} ({device_id}){', and its name and key' if forget else ''}?"
    if not yes and not typer.confirm(f"{what} This cannot be undone."):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)
    with opened(context) as (_, db):
        gone = erasure.erase_device(db, device_id, real_now_ms(), forget=forget)
    typer.echo(f"Erased {gone.frames} frames of {device_id}. {_told(gone.notices)}")


@app.command()
def person(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As it stands in `hearthgate consent list`.")],
    yes: Yes = False,
) -> None:
    """Take back all that a person agreed to, and erase their name and words from the records."""
    if not yes and not typer.confirm(f"Take back all grants of {name}, and erase the name? This cannot be undone."):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)
    with opened(context) as (_, db):
        gone = erasure.erase_person(db, name, real_now_ms())
    typer.echo(f"Took back {gone.grants} grants and erased who gave them. {_told(gone.notices)}")


def _told(notices: int) -> str:
    if not notices:
        return "Nobody outside was ever sent any of it."
    return f"Recipients are asked to erase what they were sent ({notices} notices; `hearthgate audit show` tells)."
