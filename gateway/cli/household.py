"""`hearthgate household`: the household's identity in a file, for a second gateway."""

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.app import household
from gateway.app.household import HouseholdError
from gateway.app.now import real_now_ms
from gateway.cli.opened import opened

app = typer.Typer(
    help="Make a second gateway part of this household: both hear the same boards, and a recipient that gets the same "
    "reading from both holds it once.",
    no_args_is_help=True,
)


@app.command("export")
def export_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file, made readable only by you. Delete it after the import.")],
) -> None:
    """Write the household's secret, its devices with their keys, and its grants to a file.

    Readings stay where they are. Whoever has the file can speak as this household: carry it, do not mail it. After a
    new grant or device, export and import again; a gateway that does not know of a grant shares nothing under it.
    Send commands from one of the gateways only: a board obeys no counter twice.
    """
    with opened(context) as (_, db):
        text = household.export(db)
    try:
        # exclusive: a file that somebody else made beforehand would stay readable by them
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123 - the mode is given at birth
            out.write(text)
    except OSError as why:
        raise HouseholdError(f"{file}: {why.strerror}. Name a new file in a folder that can be written.") from why
    typer.echo(f"Written: {file}. It holds keys: take it to the other gateway, import it there, and delete it.")


@app.command("import")
def import_file(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A file of `hearthgate household export`.")]
) -> None:
    """Take a household in from a file: into an empty store, or as an addition to the same household.

    Stop the gateway before the first import. What is known already stays as it is; what was revoked on either side is
    revoked here.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        said = getattr(why, "strerror", None) or "it is no text"
        raise HouseholdError(f"{file}: {said}. Name a file of `hearthgate household export`.") from why
    with opened(context) as (_, db):
        taken = household.take_in(db, text, real_now_ms())
    typer.echo(
        f"Taken in: {taken.devices} new device(s), {taken.grants} new grant(s). Delete {file} now: it holds keys."
    )
