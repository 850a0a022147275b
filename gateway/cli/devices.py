"""`hearthgate devices`: who may speak to the gateway."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.app import admission, rekeying
from gateway.app.now import real_now_ms
from gateway.cli.opened import opened
from gateway.cli.wording import to_the_second
from gateway.store import crashes, devices
from gateway.store.database import StoreError
from gateway.wire.crash import STARTS

if TYPE_CHECKING:
    from gateway.broker.folder import Told

app = typer.Typer(help="List, show, add and revoke devices, and change their keys.", no_args_is_help=True)


@app.command("list")
def list_devices(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show every device, what it says it is, and when it was last heard."""
    with opened(context) as (settings, db):
        rows = [(device, devices.newest_birth(db, device.id)) for device in devices.registry(db).values()]
        new_keys = rekeying.pending(db)
    if as_json:
        typer.echo(
            json.dumps(
                [
                    {
                        "device": device.device,
                        "name": device.name,
                        "kind": birth.kind if birth else None,
                        "model": birth.model if birth else None,
                        "firmware": birth.firmware if birth else None,
                        "online": device.online,
                        "seen_ms": device.seen_ms,
                        "revoked": device.revoked,
                        "new_key_since_ms": new_keys[device.device].begun_ms if device.device in new_keys else None,
                    }
                    for device, birth in rows
                ]
            )
        )
        return
    if not rows:
        typer.echo(
            "No device yet. `hearthgate flash` puts the firmware on a board and enrols it; `hearthgate devices add` "
            "enrols one that was made elsewhere."
        )
        return
    table = Table(Column("device", no_wrap=True), "name", "kind", "model", "firmware", "state", "last heard")
    for device, birth in rows:
        state = _state(device)
        if device.device in new_keys:
            since = to_the_second(new_keys[device.device].begun_ms, settings.timezone)
            state += f"; waits for its new key since {since}"
        heard = to_the_second(device.seen_ms, settings.timezone) if device.seen_ms else "never"
        said = (birth.kind, birth.model, birth.firmware) if birth else ("?", "?", "?")
        table.add_row(device.device, device.name, *said, state, heard)
    Console().print(table)


@app.command()
def show(context: typer.Context, device: Annotated[str, typer.Argument(help="The board's id.")]) -> None:
    """Show one device, and why it crashed, if it did."""
    with opened(context) as (settings, db):
        known = devices.registry(db).get(device)
        if known is None:
            raise StoreError(f"no device {device!r}; `hearthgate devices list` shows them.")
        birth = devices.newest_birth(db, known.id)
        reports = crashes.newest(db, known.id)
    typer.echo(f"{known.name} ({device}), {_state(known)}")
    if birth is not None:
        typer.echo(f"{birth.kind} {birth.model}, firmware {birth.firmware}, boot {birth.boot}")
    if known.seen_ms:
        typer.echo(f"last heard {to_the_second(known.seen_ms, settings.timezone)}")
    if not reports:
        typer.echo("It never told of a crash.")
        return
    counts = reports[0].crash.starts
    said = ", ".join(f"{count} {what}" for count, what in zip(counts, STARTS, strict=True) if count)
    typer.echo(f"starts until the last report, as the machine calls them: {said or 'none'}")
    for report in reports:
        crash = report.crash
        typer.echo(
            f"\n{to_the_second(report.received_ms, settings.timezone)}: boot {crash.boot} (started by "
            f"{crash.cause_word}), crash {crash.nth} since the report before, {crash.heap} bytes of heap free"
        )
        typer.echo(crash.text.rstrip() or crash.headline)


@app.command()
def add(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="The board's id: 12 lower-case hex digits; it prints them at start.")],
    name: Annotated[str, typer.Option(help="What the household calls it.")] = "",
    key_file: Annotated[
        Path | None, typer.Option(help="File with the board's key as 64 hex digits. Without it a new key is made.")
    ] = None,
    write_key: Annotated[
        Path | None, typer.Option(help="Where to write a new key, readable only by you, to put on the board.")
    ] = None,
) -> None:
    """Enrol a device, or give an enrolled one a new name and key."""
    key = None
    if key_file is not None:
        try:
            key = bytes.fromhex(key_file.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as why:
            said = getattr(why, "strerror", None) or "it holds something else"
            raise StoreError(f"{key_file}: {said}. It must hold the key as hex digits.") from why
    elif write_key is None:
        raise StoreError("a new key has to get to the board: name a file for it with --write-key, or give --key-file.")
    with _place_for_key(write_key), opened(context) as (settings, db):
        enrolled = devices.enrol(db, device, name or device, real_now_ms(), key)
        if write_key is not None:
            write_key.write_text(enrolled.key.hex() + "\n", encoding="ascii")
        told = admission.tell_mosquitto(settings.broker, db)
    if write_key is not None:
        typer.echo(
            f"Enrolled {device} ({enrolled.name}). Its key is in {write_key}: put it on the board, then delete it."
        )
    else:
        typer.echo(f"Enrolled {device} ({enrolled.name}).")
    _say(told)


@app.command()
def revoke(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="The device to refuse from now on (lost, sold, broken).")],
) -> None:
    """Refuse a device from now on, and end its connection. What it sent is kept."""
    with opened(context) as (settings, db):
        devices.revoke(db, device, int(time.time() * 1000))
        told = admission.tell_mosquitto(settings.broker, db)
    typer.echo(f"Revoked {device}. To take it back, enrol it again.")
    _say(told)


@app.command()
def rotate(
    context: typer.Context,
    device: Annotated[str, typer.Argument(help="The device that is to get a new key.")],
) -> None:
    """Give a device a new key over the air, without losing a reading. It goes to it under the key that it has: if that
    one is in strange hands, revoke the device and flash it instead."""
    with opened(context) as (_, db):
        name = rekeying.begin(db, device, real_now_ms()).next.name
    typer.echo(
        f"{name} ({device}) is told its new key when the gateway hears it next. Until it uses it, both are good; then "
        "the old one is not. `hearthgate devices list` shows whether it waits still."
    )


def _state(device: devices.Device) -> str:
    return "revoked" if device.revoked else "online" if device.online else "offline"


@contextmanager
def _place_for_key(file: Path | None) -> Iterator[None]:
    """A new file for the key, before the device has that key: one that could not be written would lock the board out.
    Raises StoreError."""
    if file is None:
        yield
        return
    try:
        # exclusive: a file that is there already would stay readable by whoever can read it
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as why:
        raise StoreError(f"{file}: {why.strerror}. Name a new file in a folder that can be written.") from why
    try:
        yield
    except BaseException:
        if not file.stat().st_size:
            file.unlink()
        raise


def _say(told: "Told | None") -> None:
    if told is not None:
        typer.echo(f"{told.value}.")
