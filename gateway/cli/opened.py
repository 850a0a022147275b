"""What the commands that work on the database share: the settings they were given and the open database."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gateway.app import settings as settings_module
from gateway.app.settings import Settings
from gateway.store.database import Database


@contextmanager
def opened(context: typer.Context) -> Iterator[tuple[Settings, Database]]:
    """(settings, database); closed at the end. A gateway may run beside it: SQLite keeps the two apart."""
    settings = settings_module.load(context.obj)
    db = Database(settings.store.path)
    if db.notice is not None:
        typer.echo(db.notice, err=True)
    try:
        yield settings, db
    finally:
        db.close()
