"""`hearthgate flash`: firmware, configuration and key onto a board, until its first frame has come."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from gateway.app import settings as settings_module
from gateway.app.borrowing import socket_path
from gateway.app.settings import Settings
from gateway.cli.opened import opened_at
from gateway.flash import flashing
from gateway.flash.boardfile import Board
from gateway.flash.configuring import Wifi, choose_broker, choose_wifi, table
from gateway.flash.heard import trouble, wait_for_frame
from gateway.flash.image import write_image
from gateway.flash.remote import Facts, FlashError, Remote
from gateway.flash.sources import find_board
from gateway.store import devices

app = typer.Typer()

WIFI_VARIABLE = "HEARTHGATE_WIFI_PASSWORD"
_PATIENCE_S = 15.0
_NEW_IMAGE_S = 30.0
"""A MicroPython that starts for the first time formats the board's flash."""
_LINES = 8


@app.command()
def flash(
    context: typer.Context,
    port: Annotated[str, typer.Option(help="The serial port of the board; `hearthgate boards` lists them.")],
    board_name: Annotated[str, typer.Option("--board", help="What the board is: the name of a folder in boards/.")],
    name: Annotated[
        str | None, typer.Option(help="What the household calls it. By default what it was called before.")
    ] = None,
    wifi: Annotated[
        str | None, typer.Option(help="Its Wi-Fi network; the password is asked for. By default the one it has.")
    ] = None,
    wifi_password_file: Annotated[
        Path | None, typer.Option(help=f"File with the password; {WIFI_VARIABLE} in the environment does as well.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(help="Where it finds the broker: HOST or HOST:PORT. By default as before, or here.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="Write this MicroPython image first (micropython.org/download).")
    ] = None,
    line_numbers: Annotated[
        bool, typer.Option("--line-numbers", help="Tracebacks of the board name lines, and not only functions.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for its first frame; 0: do not.")] = 90.0,
) -> None:
    """Put the firmware on a board, enrol it, and wait until it is heard. Run again, it mends what was interrupted."""
    settings = settings_module.load(context.obj)
    board = find_board(board_name)
    network = None if wifi is None else Wifi(wifi, _wifi_password(wifi, wifi_password_file))
    console = Console(highlight=False)
    if image is not None:
        write_image(port, board.board.chip, image)
    with Remote.open(port, _PATIENCE_S if image is None else _NEW_IMAGE_S) as remote:
        facts = remote.facts()
        flashing.check(board, facts)
        console.print(f"{facts.machine}, MicroPython {facts.micropython}, device {facts.device}", markup=False)
        _put(remote, console, settings, board, facts, name, network, broker, line_numbers)
        since_ms = _now_ms()
        remote.reset()
        if wait:
            _wait(remote, console, settings, facts.device, since_ms, wait)


def _put(
    remote: Remote,
    console: Console,
    settings: Settings,
    board: Board,
    facts: Facts,
    name: str | None,
    network: Wifi | None,
    given: str | None,
    lines: bool,
) -> None:
    stored = flashing.stored_settings(remote)
    emulated = board.board.chip == "unix"
    own = settings.broker
    broker = choose_broker(given, stored, host=own.host, port=own.port, tls=own.ca is not None, emulated=emulated)
    network = choose_wifi(network, stored, emulated=emulated)
    try:
        ca = None if own.ca is None else own.ca.read_bytes()
    except OSError as why:
        raise FlashError(f"{own.ca}: {why.strerror}. It is the CA in the settings ([broker] ca).") from why
    device = _enrol(settings, facts.device, name, board.board.display_name)
    values = table(board, device=device.device, key=device.key, name=device.name, broker=broker, wifi=network)
    with _bar(console) as progress:
        done = flashing.put(remote, board, facts, values, ca, progress, lines=lines)
    where = f"{board.name}, {done.module_bytes / 1024:.1f} KiB of firmware, broker {broker.host}:{broker.port}"
    if done.copied or done.removed:
        console.print(f"{done.copied} files copied and verified ({where}).", markup=False)
    else:
        console.print(f"0 files copied: all is there ({where}).", markup=False)


def _enrol(settings: Settings, device: str, name: str | None, usual: str) -> devices.Device:
    """The device as the gateway and the broker know it from now on. Its key is kept, unless it was revoked: then
    somebody else may have had the board. One that is being changed is the next one from here on."""
    from gateway.app import rekeying  # noqa: PLC0415 - takes its time to load

    with opened_at(settings.store.path) as db:
        known = devices.registry(db).get(device)
        rekey = rekeying.pending(db).get(device)
        key = rekey.next.key if rekey else known.key if known and not known.revoked else None
        if known is None or known.key != key or name not in (None, known.name):
            known = devices.enrol(db, device, name or (known.name if known else usual), _now_ms(), key)
        if settings.broker.folder is not None:
            from gateway.app import admission  # noqa: PLC0415 - loads what makes certificates

            told = admission.tell_mosquitto(settings.broker, db)
            if told is not None and told is not told.YES:
                typer.echo(f"{told.value}.", err=True)
    return known


def _wait(remote: Remote, console: Console, settings: Settings, device: str, since_ms: int, limit_s: float) -> None:
    if not socket_path(settings.store.path).exists():
        console.print(
            f"No gateway runs on {settings.store.path}: start it with `hearthgate run`, here or in another window.",
            markup=False,
        )
    said = ""

    def listen() -> None:
        nonlocal said
        said = (said + remote.console())[-4096:]

    with console.status("Waiting for its first frame …"):
        heard = wait_for_frame(lambda: opened_at(settings.store.path), device, since_ms, limit_s, listen)
    if heard:
        with opened_at(settings.store.path) as db:
            console.print(f"Heard: the first frame of {devices.registry(db)[device].name} is stored.", markup=False)
        return
    with opened_at(settings.store.path) as db:
        why = trouble(db, device, since_ms)
    raise FlashError(_not_heard(device, limit_s, why, said))


def _not_heard(device: str, limit_s: float, why: str | None, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()][-_LINES:]
    if why is not None:
        reason = f"The gateway could not use what it sent: {why}."
    else:
        reason = "Is the gateway running, the Wi-Fi's name and password right, the broker's address (--broker) right?"
    console = "".join(f"\n  {line}" for line in lines) or " nothing"
    return f"{device} is flashed, but no frame of it came within {limit_s:.0f} s. {reason} The board said:{console}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _wifi_password(ssid: str, file: Path | None) -> str:
    """Never from the command line: others on this machine can see that, and the shell keeps it."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as why:
            raise FlashError(f"{file}: {why}. It must hold the password of the Wi-Fi.") from why
    if WIFI_VARIABLE in os.environ:
        return os.environ[WIFI_VARIABLE]
    if not sys.stdin.isatty():
        raise FlashError(f"who knows the password of {ssid}? Give --wifi-password-file or {WIFI_VARIABLE}.")
    return str(typer.prompt(f"Password of {ssid}", hide_input=True))


@contextmanager
def _bar(console: Console) -> Iterator[flashing.Progress]:
    columns: tuple[Any, ...] = (TextColumn("Copying"), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("copy", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=max(total, 1))
