"""The `hearthgate` command: run, demo, devices, consent, doctor."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway import __version__
from gateway.app import settings as settings_module
from gateway.app.settings import SettingsError
from gateway.cli import consent, devices, doctor
from gateway.errors import HearthgateError

app = typer.Typer(
    name="hearthgate",
    help="A household's gateway: readings from kettles and fridges, stored once, shared only as granted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(devices.app, name="devices")
app.add_typer(consent.app, name="consent")

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings", "-s", help="Settings file (TOML). Default: hearthgate.toml in this folder, if it is there."
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hearthgate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    settings: SettingsOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options before the command go for every command."""
    del version
    context.obj = settings


@app.command()
def run(context: typer.Context) -> None:
    """Run the gateway: take readings in, keep them, show them, and forward what was granted."""
    from gateway.cli import running  # noqa: PLC0415 - the console's libraries take seconds to load; other commands do not

    loaded = settings_module.load(context.obj)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(running.run(loaded))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def demo(context: typer.Context) -> None:
    """Run the demo: two emulated boards, a broker, the gateway and a stand-in cloud. Takes tools/demo's options."""
    script = Path(__file__).resolve().parents[2] / "tools" / "demo"
    if not script.exists():
        raise SettingsError("the demo runs from a checkout of Hearthgate: get the sources and run tools/demo there.")
    raise typer.Exit(subprocess.run([str(script), *context.args], check=False).returncode)


app.command(name="doctor")(doctor.doctor)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors that a person can act on are a sentence, not a trace."""
    try:
        yield
    except HearthgateError as why:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"hearthgate: {why}", markup=False)
        sys.exit(2)


def main() -> None:
    """Entry point of the command."""
    with _plain_errors():
        app()
