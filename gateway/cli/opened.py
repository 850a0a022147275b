"""What the commands that work on the database share: the settings they were given and the open database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from gateway.app import settings as settings_module
from gateway.app.borrowing import borrowed
from gateway.app.settings import Settings
from gateway.store.database import Database


@contextmanager
def opened(context: typer.Context) -> Iterator[tuple[Settings, Database]]:
    """(settings, database); closed at the end. A gateway may run beside it: it lends the database meanwhile."""
    settings = settings_module.load(context.obj)
    file = Path(context.obj or settings_module.DEFAULT_PATH)
    if not file.exists() and not settings.store.path.exists():  # it may be the wrong folder
        typer.echo(f"No {file} and no database in {Path.cwd()}: a new household begins here.", err=True)
    with opened_at(settings.store.path) as db:
        if db.notice is not None:
            typer.echo(db.notice, err=True)
        yield settings, db


@contextmanager
def opened_at(path: Path) -> Iterator[Database]:
    """The database at a path, borrowed from the gateway if one runs on it. Raises StoreError."""
    with borrowed(path) as loan:
        db = Database(path)
        before = db.connection.total_changes  # opening may have made or migrated it
        try:
            yield db
        finally:
            loan.changed = db.connection.total_changes != before
            db.close()
