"""`hearthgate boards`: the boards on this machine's ports, what is on them, and which the gateway hears there."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.app import settings as settings_module
from gateway.app.borrowing import borrowed_port
from gateway.app.serial_port import place, place_of
from gateway.app.settings import Settings
from gateway.cli.opened import opened_at
from gateway.errors import HearthgateError
from gateway.flash import flashing
from gateway.flash.remote import PATIENCE_S, Remote, check_port
from gateway.store import devices
from gateway.store.database import Database

app = typer.Typer()

_HEARD_PATIENCE_S = 5.0
"""A board that the gateway hears has started: if its prompt is on that cable at all, it answers at once."""


@dataclass(frozen=True, slots=True)
class _Attached:
    """What is known of a port. `name`: what the household calls the device. `heard`: the devices that the gateway hears
    there, None where it does not listen there, or none runs."""

    port: str
    chip: str | None = None
    micropython: str | None = None
    board: str | None = None
    firmware: str | None = None
    device: str | None = None
    name: str | None = None
    heard: tuple[str, ...] | None = None
    trouble: str | None = None


@app.command()
def boards(
    context: typer.Context,
    port: Annotated[
        list[str] | None,
        typer.Option(help="Ask at this port. By default at every USB port, and at those that the settings name."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the attached boards: chip, MicroPython, firmware, device, and which of them the gateway hears on its cable.
    To be asked, each is stopped and restarted; what it has sealed is kept. A gateway that runs lends its ports. The
    exit status is 1 if a port that was named cannot be asked."""
    settings = settings_module.load(context.obj)
    path = settings.store.path
    found = _known(path, [_ask(path, name) for name in (port or _ports(settings))])
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
    elif found:
        _show(found)
    else:
        typer.echo("No board is attached to a USB port. Some cables only charge: try another one.")
    if port and any(one.trouble for one in found):
        raise typer.Exit(1)


def _show(found: Iterable[_Attached]) -> None:
    table = Table(
        *(Column("port", no_wrap=True), "chip", "MicroPython", "firmware", Column("device", no_wrap=True)),
        *("name", "gateway"),
    )
    for one in found:
        flashed = f"{one.board} {one.firmware}" if one.board else "?" if one.trouble else "none of ours"
        facts = [fact or "?" for fact in (one.chip, one.micropython, flashed, one.device)]
        table.add_row(one.port, *facts, one.name or "", _said(one))
    console = Console(highlight=False)
    console.print(table)
    for one in found:
        if one.trouble is not None:
            named = "" if one.trouble.startswith(one.port) else f"{one.port}: "
            console.print(f"\n{named}{one.trouble}", markup=False)


def _ask(database: Path, port: str) -> _Attached:
    """Ask at a port; where it is the gateway's, that has it again at the end."""
    one = _Attached(port)
    try:
        check_port(port)
        with borrowed_port(database, place(port)) as heard:
            one = replace(one, heard=heard, device=heard[0] if heard else None)
            with Remote.open(port, _HEARD_PATIENCE_S if heard else PATIENCE_S) as remote:
                facts = remote.facts()
                slot, firmware = flashing.installed(remote) or ("", None)
                remote.reset()
    except HearthgateError as why:
        return replace(one, trouble=str(why))
    board = slot.partition("+")[0] or None  # what is behind it is how the board is linked
    device = facts.device or one.device
    return replace(one, chip=facts.chip, micropython=facts.micropython, board=board, firmware=firmware, device=device)


def _known(database: Path, found: list[_Attached]) -> list[_Attached]:
    """The same with what the gateway knows of them; where there is no database yet, that is nothing."""
    if not any(one.device for one in found) or not database.exists():
        return found
    try:
        with opened_at(database) as db:
            registry = devices.registry(db)
            return [_named(db, registry[one.device], one) if one.device in registry else one for one in found]
    except HearthgateError as why:
        typer.echo(f"hearthgate: what the boards are called is not known: {why}", err=True)
        return found


def _named(db: Database, known: devices.Device, one: _Attached) -> _Attached:
    birth = devices.newest_birth(db, known.id)
    if birth is not None and one.heard and one.board is None:
        # Its prompt is not on this cable, or did not answer: then it is what it told the gateway.
        one = replace(one, board=birth.model, firmware=birth.firmware)
    return replace(one, name=known.name)


def _said(one: _Attached) -> str:
    if one.heard is None:
        return ""
    if one.heard in ((), (one.device,)):
        return "hears it" if one.heard else "listens, and hears nothing"
    return f"hears {', '.join(one.heard)}"


def _ports(settings: Settings) -> Iterable[str]:
    """Every USB port, and those of the settings that are there: each once, whatever names it has."""
    from serial.tools.list_ports import comports  # noqa: PLC0415

    usb = sorted(info.device for info in comports() if info.vid is not None)
    cables = [place_of(line.url) for line in settings.serial]
    found = {place(name): name for name in (*cables, *usb)}
    return [name for name in found.values() if "://" in name or Path(name).exists()]
