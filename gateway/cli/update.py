"""`hearthgate update`: firmware over the air, to one board, then a few, then all, until one does not keep it."""

import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from gateway.app import settings as settings_module
from gateway.app.borrowing import socket_path
from gateway.app.now import real_now_ms
from gateway.app.settings import Settings
from gateway.cli.opened import opened, opened_at
from gateway.cli.update_bars import update_bars
from gateway.consent import update_decisions
from gateway.consent.update_decisions import Voice, Way
from gateway.flash.contents import firmware_version
from gateway.store import devices, trust, updates
from gateway.store.database import Database, StoreError
from gateway.store.updates import Row
from gateway.update import rollout
from gateway.update.rollout import BAD, DONE, STAGES, Phase, State
from gateway.update.version import Anyway, refusal

app = typer.Typer(
    help="Update the boards to the firmware that came with this gateway, over the air, or say how far that is. With "
    "ask = true under \\[update] in the settings nothing begins before the household says yes: on the console's home "
    "page, or by `hearthgate update yes`.",
    invoke_without_command=True,
)

By = Annotated[str, typer.Option(metavar="NAME", help="Who decides it, for the ledger; else nobody is named.")]

_POLL_S = 1.0
_START_S = 5.0
_AWAY_S = 15.0  # so long only boards that are offline are waited for: the gateway may have started just now
_UNDER_WAY = (
    "an update is under way, and was ordered without that. `hearthgate update stop` ends it; then order it anew."
)
_SAID = {State.WAIT: "it is asked when its turn comes", State.TRIAL: "it was started anew, and has to prove itself"}
_HOW_TO_AGREE = "on the console's home page, or by `hearthgate update yes`; `hearthgate update no` refuses it"


@app.callback()
def update(
    context: typer.Context,
    board: Annotated[
        str | None,
        typer.Option(help="Only boards of this kind (fridge, kettle) or model: see `hearthgate devices list`."),
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this board; may be given several times.")] = None,
    stage: Annotated[
        Literal["one", "few", "all"], typer.Option(help="How far to go: one of each kind, a few more, then all.")
    ] = "all",
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to watch; the gateway goes on without. 0: until it is over.")
    ] = 0.0,
    downgrade: Annotated[
        bool, typer.Option("--downgrade", help="Also boards that run a newer version, and what --again says.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also boards that went back from this very firmware before.")
    ] = False,
    by: By = "",
) -> None:
    """Update the boards to the firmware that came with this gateway. A command that was stopped goes on where it was:
    so does the gateway meanwhile."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_module.load(context.obj)
    console = Console(highlight=False)
    with opened_at(settings.store.path) as db:
        version, going = firmware_version(), updates.open_rows(db)
        stopped = rollout.stopped(row.state for row in updates.rows(db).values())
        if going and not stopped and not _outdated(settings, db, going, version):
            if downgrade or again:
                raise StoreError(_UNDER_WAY)
            console.print(f"An update of {len(going)} board(s) is under way; this goes on with it.", markup=False)
        else:
            anyway = Anyway.DOWNGRADE if downgrade else Anyway.AGAIN if again else None
            chosen = _choose(db, board, device or ())
            newer = _newer(db, [name for name, _, _ in chosen], version, anyway)
            for why in newer.values():
                console.print(f"Left out: {why}.", markup=False)
            stages = rollout.places([found for found in chosen if found[0] not in newer], stage)
            ask = settings.update.ask
            update_decisions.order(db, stages, real_now_ms(), _voice(by), firmware=version, ask=ask, anyway=anyway)
        asked = any(row.state is State.ASK for row in updates.rows(db).values())
    if asked and not _agreed(settings, _voice(by)):
        console.print(f"It waits for a yes: {_HOW_TO_AGREE}.", markup=False)
        return
    _watch(settings, console, wait)


@app.command()
def status(context: typer.Context) -> None:
    """How far each board is."""
    settings = settings_module.load(context.obj)
    with opened_at(settings.store.path) as db:
        rows, online = updates.rows(db), _online(db)
    if not rows:
        typer.echo("No update was ordered: `hearthgate update` does that.")
        return
    console = Console(highlight=False)
    console.print(_table(rows.values(), online))
    if rollout.phase(row.state for row in rows.values()) is Phase.ASKS:
        console.print(f"Nothing begins before the household says yes: {_HOW_TO_AGREE}.", markup=False)


@app.command()
def yes(context: typer.Context, by: By = "") -> None:
    """Say yes to the update that waits for it, as on the console's home page."""
    count = _decide(context, update_decisions.agree, by)
    typer.echo(f"{count} board(s) may be updated." if count else "Nothing waits for a yes.")


@app.command()
def no(context: typer.Context, by: By = "") -> None:
    """Say no to the update that waits for a yes. `hearthgate update` asks again."""
    count = _decide(context, update_decisions.decline, by)
    typer.echo(f"{count} board(s) stay as they are." if count else "Nothing waits for a yes.")


@app.command()
def stop(context: typer.Context, by: By = "") -> None:
    """Begin nothing more. A board that has started its update already decides itself whether it keeps it."""
    count = _decide(context, update_decisions.stop, by)
    typer.echo(f"{count} board(s) stay as they are." if count else "There was nothing to stop.")


def _outdated(settings: Settings, db: Database, going: Mapping[str, Row], version: str) -> bool:
    """Whether what is under way would give boards another version than this gateway has now, or authorities that the
    settings name no more, and may be ordered anew: a board on trial would refuse that. Raises StoreError."""
    if any(row.state is State.TRIAL for row in going.values()):
        return False
    if updates.firmware(db) not in (None, version):
        return True
    ca = settings.broker.ca
    if ca is None:
        return False
    try:
        return trust.outdated(db, ca.read_bytes())
    except OSError as why:
        raise StoreError(f"{ca}: {why.strerror}. It is the CA in the settings ([broker] ca).") from why


def _decide(context: typer.Context, decide: Callable[[Database, int, Voice], int], by: str) -> int:
    """For how many boards that decides something. Raises GrantError or StoreError."""
    with opened(context) as (_, db):
        return decide(db, real_now_ms(), _voice(by))


def _voice(by: str) -> Voice:
    return Voice(Way.COMMAND_LINE, by)


def _choose(db: Database, kind: str | None, wanted: Iterable[str]) -> list[tuple[str, str, bool]]:
    """(device, what it is, whether it is online) of the boards that are meant. Raises StoreError."""
    registry = [known for known in devices.registry(db).values() if not known.revoked]
    heard = {known.device: birth for known in registry if (birth := devices.newest_birth(db, known.id)) is not None}
    if not heard:
        raise StoreError("no board was heard yet: `hearthgate flash` sets one up, and `hearthgate run` hears it.")
    chosen = set(wanted)
    if missing := chosen - heard.keys():
        raise StoreError(f"{min(missing)!r:.40} is no such board that was ever heard: see `hearthgate devices list`.")
    births = [(known, heard[known.device]) for known in registry if known.device in (chosen or heard)]
    found = [
        (known.device, f"{birth.kind} {birth.model}", known.online)
        for known, birth in births
        if kind in (None, birth.kind, birth.model)
    ]
    if len(found) < max(1, len(chosen)):
        kinds = sorted({word for _, birth in births for word in (birth.kind, birth.model)})
        which = "not each of these boards" if found else "no board that was heard"
        raise StoreError(f"{which} is a {kind!r:.40}: use one of {', '.join(kinds)}.")
    return found


def _newer(db: Database, chosen: Collection[str], version: str, anyway: Anyway | None) -> dict[str, str]:
    """Those that run a newer version than that, where nobody insists: device -> which board it is, and why it is not
    updated. Raises StoreError if they all do."""
    known, found = devices.registry(db), {}
    for device in chosen:
        birth = devices.newest_birth(db, known[device].id)
        runs = None if birth is None else birth.firmware
        why = refusal(runs, version, anyway, went_back=False)
        if why is not None:
            found[device] = f"{known[device].name} ({device}): {why}"
    if len(found) == len(chosen):
        raise StoreError(f"{next(iter(found.values()))}. Nothing was ordered.")
    return found


def _agreed(settings: Settings, voice: Voice) -> bool:
    """Whether the household says yes now, or has said so."""
    if sys.stdin.isatty() and typer.confirm("The household is asked first: update the boards now?"):
        with opened_at(settings.store.path) as db:
            update_decisions.agree(db, real_now_ms(), voice)
        return True
    return False


def _watch(settings: Settings, console: Console, limit_s: float) -> None:
    """Show how far it is until it is over. Raises StoreError if a board did not keep its update."""
    if not _appears(socket_path(settings.store.path)):
        console.print(
            f"No gateway runs on {settings.store.path}: it is the gateway that updates boards. `hearthgate run` goes "
            "on with what was ordered.",
            markup=False,
        )
        return
    idle_from = time.monotonic()
    until = idle_from + limit_s
    rows: Mapping[str, Row] = {}
    online: Collection[str] = ()
    ordered: str | None = None
    with update_bars(console) as progress:
        bars: dict[str, TaskID] = {}
        while True:
            with opened_at(settings.store.path) as db:
                rows, online, ordered = updates.rows(db), _online(db), updates.firmware(db)
            _show(progress, bars, rows.values(), online)
            now = time.monotonic()
            turn = rollout.may_go({device: row.place for device, row in rows.items()}, online)
            if any(device in online or rows[device].state is State.TRIAL for device in turn):
                idle_from = now
            elif rollout.phase(row.state for row in rows.values()) is not Phase.GOING or now - idle_from >= _AWAY_S:
                break
            if limit_s and now >= until:
                break
            time.sleep(_POLL_S)
    _conclude(console, rows, online, ordered)


def _appears(path: Path) -> bool:
    """Whether the gateway's socket is there, or comes: one that was started just now takes a moment."""
    until = time.monotonic() + _START_S
    while not path.exists():
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)
    return True


def _online(db: Database) -> set[str]:
    return {known.device for known in devices.registry(db).values() if known.online}


def _show(progress: Progress, bars: dict[str, TaskID], rows: Iterable[Row], online: Collection[str]) -> None:
    for row in rows:
        if row.device not in bars:
            bars[row.device] = progress.add_task(row.name, total=None, state="")
        progress.update(bars[row.device], completed=row.done, total=row.size or None, state=_said(row, online))


def _conclude(console: Console, rows: Mapping[str, Row], online: Collection[str], ordered: str | None) -> None:
    bad = [row for row in rows.values() if row.state in BAD]
    done = sum(row.state in DONE for row in rows.values())
    version = f": version {ordered}" if ordered else ""
    console.print(f"{done} of {len(rows)} board(s) have the firmware that was ordered{version}.", markup=False)
    if bad:
        row = bad[0]
        raise StoreError(
            f"{row.name} ({row.device}): {row.state}: {row.detail}. It runs what it ran before, and nothing more was "
            "begun. `hearthgate update status` shows every board; `hearthgate update` begins anew; the same firmware "
            "once more only with `--again`."
        )
    if away := [row.name for row in rows.values() if not row.over and row.device not in online]:
        console.print(f"Offline, and asked when they are back: {', '.join(away)}.", markup=False)
    if done < len(rows):
        console.print("The gateway goes on with the others; `hearthgate update status` shows how far.", markup=False)


def _table(rows: Iterable[Row], online: Collection[str]) -> Table:
    table = Table("board", "device", "stage", "state", "has", "since", box=None, pad_edge=False)
    for row in rows:
        has = f"{row.done / 1024:.0f} of {row.size / 1024:.0f} KiB" if row.size else ""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.changed_ms / 1000))
        table.add_row(row.name, row.device, STAGES[row.stage], _said(row, online), has, since)
    return table


def _said(row: Row, online: Collection[str]) -> str:
    if row.state is State.ASK:
        return "waits for a yes"
    if row.state in (State.WAIT, State.LOADING, State.HELD) and row.device not in online:
        return f"{row.state}: offline, it is asked when it is back"
    detail = row.detail or _SAID.get(row.state)
    return f"{row.state}: {detail}" if detail else str(row.state)
