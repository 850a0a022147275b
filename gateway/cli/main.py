"""The `hearthgate` command: run, demo, devices, consent, household, doctor."""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gateway import __version__
from gateway.app import settings as settings_module
from gateway.app.settings import SettingsError
from gateway.errors import HearthgateError

_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")
_MODULES = (
    *("boards", "flash", "update", "broker", "devices"),
    *("consent", "audit", "household", "export", "erase", "doctor"),
)


class Commands(TyperGroup):
    """The commands here, and those of the modules beside: each is loaded when it is asked for, because a gateway that
    starts again has boards waiting for it. (`Any`: newer versions of typer have a click of their own.)"""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command's name."""
        return [*super().list_commands(ctx), *_MODULES]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        if cmd_name not in _MODULES:
            near = get_close_matches(cmd_name, _MODULES, 1)
            if near and cmd_name not in self.commands and not ctx.resilient_parsing:
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {near[0]!r}?")
            return super().get_command(ctx, cmd_name)
        command = typer.main.get_command(import_module(f"gateway.cli.{cmd_name}").app)
        command.name = cmd_name
        # The shell's completion is that of the whole command.
        command.params = [one for one in command.params if one.name not in ("install_completion", "show_completion")]
        _flow(command)
        return command


def _flow(command: Any) -> None:
    """Its paragraphs break where the window does, and not where the source's lines end."""
    command.help = _LINE_END.sub(" ", command.help or "")
    for below in getattr(command, "commands", {}).values():
        _flow(below)


app = typer.Typer(
    cls=Commands,
    name="hearthgate",
    help="A household's gateway: readings from kettles and fridges, stored once, shared only as granted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "-s",
        help="Settings file (TOML); its paths begin at its folder. Default: hearthgate.toml here, if it is there.",
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
    from gateway.cli import running  # noqa: PLC0415 - no other command needs the gateway

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


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Errors that a person can act on are a sentence, not a trace."""
    try:
        yield
    except HearthgateError as why:
        from rich.console import Console  # noqa: PLC0415 - only an error needs it

        Console(stderr=True, highlight=False, soft_wrap=True).print(f"hearthgate: {why}", markup=False)
        sys.exit(2)


def main() -> None:
    """Entry point of the command."""
    with _plain_errors():
        app()
