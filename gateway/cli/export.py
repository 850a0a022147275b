"""`hearthgate export`: the household's readings and events, in a file that other programs read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.access import destination, formats
from gateway.access.formats import Format
from gateway.access.readings import Readings, Tally, Tick
from gateway.access.slices import AccessError, Slice, moment
from gateway.cli.opened import opened

app = typer.Typer()

_STANDARD_OUTPUT = "-"


@app.command()
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A new file; - is standard output.")],
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Default: by the suffix (.csv; .json: one array; .jsonl: an object a line; .senml or .senml.json; "
            ".parquet).",
        ),
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this device; may be given again.")] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Only this category, like temperature; may be given again.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this channel; may be given again.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="From then on: 2026-05-28, 2026-05-28T18:30, …Z or Unix seconds."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until before then. Without an offset: in the house's time zone.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write every reading and event that is kept to a file, or a slice of them. The gateway may run.

    It is all that the boards measured and that is still here, down to the single reading, with the time of each and
    how it is known (measured, placed, arrival); where nobody knows a time it is empty, and the time of arrival stands
    beside it. Grants, receipts and the ledger of what left have commands of their own: consent and audit. Readings are
    in the order in which they came, not of their times.
    """
    to_file = file != _STANDARD_OUTPUT
    if format_ is None and not to_file:
        raise AccessError("standard output tells no format: add --format, for example --format csv.")
    chosen = format_ or formats.by_suffix(file)
    if not to_file and chosen is Format.PARQUET and sys.stdout.isatty():
        raise AccessError("Parquet is no text: name a file, or lead standard output into a program.")
    with opened(context) as (settings, db):
        wanted = Slice(
            frozenset(device or ()), frozenset(category or ()), frozenset(channel or ()),
            from_ms=None if from_ is None else moment(from_, settings.timezone),
            to_ms=None if to is None else moment(to, settings.timezone),
        )  # fmt: skip
        readings = Readings(db, wanted)
        place = destination.written(Path(file), force=force) if to_file else destination.standard_output()
        with place as out, _progress(shown=sys.stderr.isatty() and (to_file or not sys.stdout.isatty())) as tick:
            for piece in formats.encode(chosen, readings.blocks(tick), readings.words.units):
                out.write(piece)
    for sentence in _sentences(file if to_file else "standard output", readings.tally):
        typer.echo(sentence, err=True)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Tick | None]:
    if not shown:
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only a person needs it
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    with Progress(
        BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[done]:,} readings"), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=1.0, done=0)
        yield lambda share, done: bar.update(task, completed=share, done=done)


def _sentences(where: str, tally: Tally) -> Iterator[str]:
    """What a person is told at the end."""
    if tally.all == 0:
        yield f"Written: {where}. Nothing is in it: no reading fits, or none is here."
    else:
        span = ""
        if tally.first_ms is not None and tally.last_ms is not None:
            span = f", {_minute(tally.first_ms)} to {_minute(tally.last_ms)} UTC"
        yield (
            f"Written: {where}. {tally.readings:,} readings and {tally.events:,} events of {len(tally.devices)} "
            f"device(s){span}."
        )
    if tally.timeless:
        yield f"{tally.timeless:,} of them have no time: their board had no clock. When they came is in it."
    if tally.unborn:
        yield (
            f"{tally.unborn:,} frame(s) are not in it: their device has not said yet what it measures. They will be "
            "once it has."
        )
    if tally.damaged:
        yield (
            f"{tally.damaged:,} frame(s) are not in it: they are damaged on the disk. `hearthgate doctor` looks at the "
            "database."
        )


def _minute(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
