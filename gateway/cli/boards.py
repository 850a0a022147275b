"""`hearthgate boards`: the boards on this machine's ports, and what is on them."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.errors import HearthgateError
from gateway.flash import flashing
from gateway.flash.remote import Remote

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class _Attached:
    port: str
    chip: str | None = None
    micropython: str | None = None
    board: str | None = None
    firmware: str | None = None
    device: str | None = None
    trouble: str | None = None


@app.command()
def boards(
    port: Annotated[list[str] | None, typer.Option(help="Ask at this port. By default at every USB port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the attached boards: chip, MicroPython, firmware, device id. To be asked, each is stopped and restarted."""
    found = [_ask(name) for name in (port or _usb_ports())]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    if not found:
        typer.echo("No board is attached to a USB port. Some cables only charge: try another one.")
        return
    table = Table(Column("port", no_wrap=True), "chip", "MicroPython", "firmware", Column("device", no_wrap=True))
    for one in found:
        flashed = f"{one.board} {one.firmware}" if one.board else one.trouble or "none of ours"
        table.add_row(one.port, one.chip or "?", one.micropython or "?", flashed, one.device or "?")
    Console().print(table)


def _ask(port: str) -> _Attached:
    try:
        with Remote.open(port) as remote:
            facts = remote.facts()
            board, firmware = flashing.installed(remote) or (None, None)
            remote.reset()
    except HearthgateError as why:
        return _Attached(port, trouble=str(why))
    return _Attached(port, facts.chip, facts.micropython, board, firmware, facts.device or None)


def _usb_ports() -> list[str]:
    from serial.tools.list_ports import comports  # noqa: PLC0415

    return sorted(info.device for info in comports() if info.vid is not None)
