"""`hearthgate flash`: firmware, configuration and key onto a board, until its first frame has come."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from gateway.app import settings as settings_module
from gateway.app.borrowing import borrowed_port, socket_path
from gateway.app.serial_port import line_for, place, place_of
from gateway.app.settings import DEFAULT_PATH, Settings
from gateway.cli import flash_enrolling
from gateway.cli.flash_image import put_image
from gateway.cli.opened import opened_at
from gateway.cli.wording import counted
from gateway.flash import flashing
from gateway.flash.boardfile import Board
from gateway.flash.configuring import Broker, Cable, Wifi, choose_broker, choose_cable, choose_wifi, table
from gateway.flash.heard import trouble, wait_for_frame
from gateway.flash.image import check_image
from gateway.flash.remote import Facts, FlashError, Remote, check_port
from gateway.flash.sources import HOUSEHOLD, find_board
from gateway.store import devices, trust

app = typer.Typer()

WIFI_VARIABLE = "HEARTHGATE_WIFI_PASSWORD"
_PATIENCE_S = 15.0
_NEW_IMAGE_S = 30.0
"""A MicroPython that starts for the first time formats the board's flash."""
_LINES = 8


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command was told of the board's configuration."""

    name: str | None
    wifi: Wifi | None
    broker: str | None
    cable: str | None

    def cable_of(self, board: Board, stored: Mapping[str, Any]) -> Cable | None:
        network = self.wifi is not None or self.broker is not None
        return choose_cable(board, self.cable, stored, network=network)


@app.command()
def flash(
    context: typer.Context,
    port: Annotated[str, typer.Option(help="The serial port of the board; `hearthgate boards` lists them.")],
    board_name: Annotated[
        str, typer.Option("--board", help="What the board is: a folder in boards/, like kettle-esp32.")
    ],
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
    cable: Annotated[
        str | None,
        typer.Option(
            metavar="usb|UART:TX:RX[:BAUD]|none",
            help="It stays on a cable and needs no network: on this one, or on another to one of its UARTs, at these "
            "pins. By default as before; none: back to Wi-Fi.",
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="Write this MicroPython image first (micropython.org/download).")
    ] = None,
    erase: Annotated[
        bool | None,
        typer.Option(
            "--erase/--no-erase",
            help="With --image: erase all that is on the board first. By default where no MicroPython and none of its "
            "files are there.",
        ),
    ] = None,
    line_numbers: Annotated[
        bool, typer.Option("--line-numbers", help="Tracebacks of the board name lines, and not only functions.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for its first frame; 0: do not.")] = 90.0,
) -> None:
    """Put the firmware on a board, enrol it, and wait until it is heard. Run again, it mends what was interrupted."""
    settings = settings_module.load(context.obj)
    board = find_board(board_name, settings.folder / HOUSEHOLD)
    check_port(port)  # before anybody types a password
    if image is not None:
        check_image(board.board.chip, image)
    elif erase is not None:
        raise FlashError("--erase and --no-erase go with --image FILE.")
    network = None if wifi is None else Wifi(wifi, _wifi_password(wifi, wifi_password_file))
    asked = _Asked(name, network, broker, cable)
    asked.cable_of(board, {})  # what is wrong with it is said before the board is stopped
    console = Console(highlight=False)
    with _interruptible(console), borrowed_port(settings.store.path, place(port)):
        if image is not None:
            put_image(console, port, board.board.chip, image, erase)
        with Remote.open(port, _PATIENCE_S if image is None else _NEW_IMAGE_S) as remote:
            facts = remote.facts()
            flashing.check(board, facts)
            console.print(f"{facts.machine}, MicroPython {facts.micropython}, device {facts.device}", markup=False)
            for warning in board.not_calibrated():
                console.print(warning, markup=False)
            link = _put(remote, console, settings, board, facts, asked, line_numbers)
            since_ms = _now_ms()
            remote.reset()
            on_this = isinstance(link, Cable) and link.uart is None
            if isinstance(link, Cable):
                _say_line(console, settings, context.obj or DEFAULT_PATH, link, port)
            if wait and not on_this:
                _wait(remote.console, console, settings, facts.device, since_ms, wait, link)
    if wait and on_this:  # the port is the gateway's now
        _wait(str, console, settings, facts.device, since_ms, wait, link)


def _put(
    remote: Remote,
    console: Console,
    settings: Settings,
    board: Board,
    facts: Facts,
    asked: _Asked,
    lines: bool,
) -> Broker | Cable:
    """Make it so. How the board is linked from now on."""
    stored = flashing.stored_settings(remote)
    emulated = board.board.chip == "unix"
    own = settings.broker
    link: Broker | Cable | None = asked.cable_of(board, stored)
    network = ca = None
    if link is None:
        tls = own.ca is not None
        link = choose_broker(asked.broker, stored, host=own.host, port=own.port, tls=tls, emulated=emulated)
        network = choose_wifi(asked.wifi, stored, emulated=emulated)
        try:
            ca = None if own.ca is None else own.ca.read_bytes()
        except OSError as why:
            raise FlashError(f"{own.ca}: {why.strerror}. It is the CA in the settings ([broker] ca).") from why
        if link.tls:
            flashing.check_address(facts, link.host)
        _check_certificate(settings, link)
    enrolled = flash_enrolling.enrol(settings, facts.device, asked.name, board.board)
    device = enrolled.device
    values = table(board, device=device.device, key=device.key, name=device.name, broker=link, wifi=network)
    with _bar(console) as progress:
        done = flashing.put(remote, board, facts, values, ca, progress, lines=lines, former=enrolled.former)
    flash_enrolling.settle(settings, device)
    with opened_at(settings.store.path) as db:
        trust.note_flashed(db, device.device, ca, cable=isinstance(link, Cable))
    way = f"cable: {link}" if isinstance(link, Cable) else f"broker {link.host}:{link.port}"
    where = f"{board.name}, {done.module_bytes / 1024:.1f} KiB of firmware, {way}"
    if done.copied or done.removed:
        console.print(f"{counted(done.copied, 'file')} copied and verified ({where}).", markup=False)
    else:
        console.print(f"0 files copied: all is there ({where}).", markup=False)
    if done.resealed:
        console.print("Its key is another one now. The readings that it holds from before come under the new one.")
    if done.given_up:
        console.print(f"{counted(done.given_up, 'frame')} on it removed: sealed with a key that nobody knows any more.")
    return link


def _say_line(console: Console, settings: Settings, file: Path, link: Cable, port: str) -> None:
    """What the settings lack for a board on a cable."""
    if link.uart is None:
        known = any(place_of(line.url) == place(port) for line in settings.serial)
        which, url = "this port", line_for(port)
    else:
        known = bool(settings.serial)  # which of them is at its other end nobody can tell
        which, url = f"the port that {link} is wired to, for example", line_for("/dev/ttyUSB1", link.baud)
    if not known:
        console.print(
            f"The gateway does not listen to it yet: put {which} into {file}, and start the gateway again:\n\n"
            f'[[serial]]\nurl = "{url}"\n',
            markup=False,
        )


def _check_certificate(settings: Settings, broker: Broker) -> None:
    if settings.broker.folder is None or not broker.tls:
        return
    from gateway.broker.folder import BrokerFolder  # noqa: PLC0415 - loads what makes certificates

    if not BrokerFolder(settings.broker.folder).certified(broker.host):
        raise FlashError(
            f"the board would not believe the broker at {broker.host}: its certificate is for other names. Run "
            "`hearthgate broker setup` again, which makes it for this machine's present address (or --host "
            f"{broker.host}), or give the board another one with --broker."
        )


def _wait(
    hear: Callable[[], str],
    console: Console,
    settings: Settings,
    device: str,
    since_ms: int,
    limit_s: float,
    link: Broker | Cable,
) -> None:
    """hear: what the board printed since the last call."""
    if not socket_path(settings.store.path).exists():
        console.print(
            f"No gateway runs on {settings.store.path}: start it with `hearthgate run`, here or in another window.",
            markup=False,
        )
    said = ""

    def listen() -> None:
        nonlocal said
        said = (said + hear())[-4096:]

    with console.status("Waiting for its first frame …"):
        heard = wait_for_frame(lambda: opened_at(settings.store.path), device, since_ms, limit_s, listen)
    if heard:
        with opened_at(settings.store.path) as db:
            console.print(f"Heard: the first frame of {devices.registry(db)[device].name} is stored.", markup=False)
        return
    with opened_at(settings.store.path) as db:
        why = trouble(db, device, since_ms)
    raise FlashError(_not_heard(device, limit_s, why, said, link))


def _not_heard(device: str, limit_s: float, why: str | None, said: str, link: Broker | Cable) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()][-_LINES:]
    if why is not None:
        reason = f"The gateway could not use what it sent: {why}."
    elif isinstance(link, Cable) and link.uart is None:
        reason = (
            "Is the gateway running, and was it started again since its [[serial]] names this port? To see what the "
            "board says, stop the gateway and use `mpremote connect PORT`."
        )
    elif isinstance(link, Cable):
        reason = (
            f"Is the gateway running, does its [[serial]] name the port at the other end of {link}, with that baud; is "
            "TX wired to RX there, RX to TX, and GND to GND?"
        )
    else:
        reason = (
            "Is the gateway running, the Wi-Fi's name and password right, the broker's address (--broker) right? With "
            "TLS the board also waits for the time, from pool.ntp.org."
        )
    console = "".join(f"\n  {line}" for line in lines) or " nothing"
    if not (isinstance(link, Cable) and link.uart is None):  # what it said there was for the gateway
        reason += f" The board said:{console}"
    return f"{device} is flashed, but no frame of it came within {limit_s:.0f} s. {reason}"


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
def _interruptible(console: Console) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        console.print("Interrupted. The same command again mends what is half done.")
        raise typer.Exit(130) from None


@contextmanager
def _bar(console: Console) -> Iterator[flashing.Progress]:
    columns: tuple[Any, ...] = (TextColumn("Copying"), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("copy", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=max(total, 1))
