"""`hearthgate broker`: Mosquitto for a household, with TLS, a password for everybody, and rules."""

import contextlib
import os
import pwd
import shutil
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.app import admission
from gateway.app import settings as settings_module
from gateway.app.settings import Settings
from gateway.broker import mosquitto
from gateway.broker.access import GATEWAY
from gateway.broker.folder import CA, BrokerFolder, BrokerFolderError
from gateway.cli.opened import opened
from gateway.store import trust
from gateway.store.devices import Device

app = typer.Typer(help="Set up Mosquitto for the household, and care for its certificates.", no_args_is_help=True)

_HERE = ("localhost", "127.0.0.1", "::1")

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="Where the broker's files are. Default: \\[broker] folder, or broker/ by the database."
    ),
]


@app.command()
def setup(
    context: typer.Context,
    folder: FolderOption = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name or address by which boards reach this machine; may be given several times. "
            "Default: this machine's name, alone and with .local, and its address."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where it listens.")] = 8883,
    gateway: Annotated[
        list[str] | None, typer.Option(help="The name of a further gateway that is to have a password.")
    ] = None,
) -> None:
    """Write what Mosquitto needs: a certificate authority, a certificate, passwords, rules and its configuration.

    Run it again at any time: the authority and the passwords stay.
    """
    with opened(context) as (settings, db):
        files = _files(settings, folder)
        hosts = list(dict.fromkeys([*(host or _own_names()), *_HERE]))
        user = pwd.getpwuid(os.geteuid()).pw_name
        files.set_up(
            hosts=hosts,
            port=port,
            gateways=gateway or [],
            devices=admission.passwords(db),
            now=datetime.now(UTC),
            user=user,
            executable=_mosquitto(),
        )
    path = files.path
    typer.echo(
        f"""Mosquitto's files are in {path}; they are {user}'s, and nobody else can read them.
{files.reload().value}.

1. Run it, as a service that is started with this machine:
     sudo systemctl disable --now mosquitto      # the one that Debian starts knows nothing of these rules
     sudo install -m 644 {path / mosquitto.SERVICE} /etc/systemd/system/
     sudo systemctl daemon-reload && sudo systemctl enable --now hearthgate-broker
   or, to try: {_mosquitto()} -c {path / mosquitto.CONFIGURATION}
2. Let the gateway use it, in hearthgate.toml:
     [broker]
     host = "localhost"
     port = {port}
     ca = "{path / CA}"
     user = "{GATEWAY}"
     password_file = "{path / GATEWAY}.password"
     folder = "{path}"
3. Boards reach it as {", ".join(one for one in hosts if one not in _HERE) or hosts[0]}, trust {CA} and show a password
   that comes from their key; `hearthgate flash` gives them all of that.
Keep a copy of {path / "ca.key"} where nobody else finds it: with it anybody can pretend to be this broker."""
    )
    if os.geteuid() == 0:
        typer.echo(
            "This was done as root: better do it again as the gateway's own user, in a folder of its own.", err=True
        )


@app.command()
def renew(
    context: typer.Context,
    folder: FolderOption = None,
    host: Annotated[list[str] | None, typer.Option(help="Other names or addresses. Default: those it has.")] = None,
) -> None:
    """Make a new certificate for the broker, good for two years. Boards need nothing for it."""
    files = _files(settings_module.load(context.obj), folder)
    files.renew(datetime.now(UTC), list(dict.fromkeys([*host, *_HERE])) if host else None)
    typer.echo(f"The broker's certificate is good until {files.expiries().server:%Y-%m-%d}. {files.reload().value}.")


@app.command("rotate-ca")
def rotate_ca(
    context: typer.Context,
    folder: FolderOption = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Every board trusts the new authority: go over to it, and forget the old.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --finish: also if that shuts boards out, or nobody knows it of them.")
    ] = False,
) -> None:
    """Change the household's certificate authority, in two steps between which every board goes on working."""
    now = datetime.now(UTC)
    if finish:
        with opened(context) as (settings, db):
            files = _files(settings, folder)
            if not force and files.expiries().next_ca is not None:
                _check_trust(trust.left_behind(db, files.ca()))
        files.finish_ca(now)
        typer.echo(
            f"The broker shows what the new authority signed. {files.reload().value}.\n"
            f"Start the gateway again, so that it reads {files.path / CA}; the next `hearthgate update` lets boards "
            "forget the old one. A board that does not come back trusts only the old authority: run "
            "`hearthgate flash` on it."
        )
        return
    files = _files(settings_module.load(context.obj), folder)
    files.rotate_ca(now)
    typer.echo(
        f"""A new authority was made. {files.path / CA} holds both; the broker still shows what the old one
signed, and every board goes on working. Now:
1. start the gateway again, so that it trusts both; carry {CA} to further gateways;
2. give it to each board over the air: hearthgate update
   A board that this does not reach takes it by cable: hearthgate flash
3. when all have it: hearthgate broker rotate-ca --finish
If the old authority's key is in strange hands, hurry: until 3, boards believe whoever has it."""
    )


def _check_trust(boards: Sequence[Device]) -> None:
    if boards:
        names = ", ".join(f"{board.name} ({board.device})" for board in boards)
        raise BrokerFolderError(
            f"{len(boards)} board(s) would be shut out, or nobody here knows that they trust the new authority: "
            f"{names}. `hearthgate update` gives it to them over the air, `hearthgate flash` by cable; one that is "
            "gone: `hearthgate devices revoke`. --force goes over to it all the same, and who is shut out then "
            "comes back only by cable. Nothing was changed."
        )


def _files(settings: Settings, folder: Path | None) -> BrokerFolder:
    return BrokerFolder(folder or settings.broker.folder or settings.store.path.absolute().parent / "broker")


def _own_names() -> list[str]:
    name = socket.gethostname().lower()
    names = [name, f"{name.partition('.')[0]}.local"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent: it only asks for the way (RFC 5737)
        names.append(str(probe.getsockname()[0]))
    return names


def _mosquitto() -> str:
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )
    if found is None:
        raise BrokerFolderError("Mosquitto is not installed: sudo apt install mosquitto")
    return found
