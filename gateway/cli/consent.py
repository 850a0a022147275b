"""`hearthgate consent`: what may leave, to whom, why, how finely, until when."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.app.gateway import real_now_ms
from gateway.cli.opened import opened
from gateway.consent import register
from gateway.consent.giving import check_words
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, Hours, agreement, describe
from gateway.consent.vocabulary import CATEGORIES, GRANULARITIES, PURPOSES, Granularity

app = typer.Typer(help="Grant, revoke and list what may leave. Without a grant nothing does.", no_args_is_help=True)


@app.command()
def grant(
    context: typer.Context,
    recipient: Annotated[str, typer.Option(help="Who gets it: the recipient of one of the sinks in the settings.")],
    category: Annotated[str, typer.Option(help="What: " + "; ".join(f"{k} ({v})" for k, v in CATEGORIES.items()))],
    purpose: Annotated[str, typer.Option(help="Why: " + "; ".join(f"{k} ({v})" for k, v in PURPOSES.items()))],
    subject: Annotated[str, typer.Option(help="The person who agrees.")],
    granularity: Annotated[
        Granularity, typer.Option(help="How finely: " + "; ".join(f"{k} ({v})" for k, v in GRANULARITIES.items()))
    ] = Granularity.DAY,
    device: Annotated[
        list[str] | None, typer.Option(help="Only this device; may be given again. Default: all.")
    ] = None,
    hours: Annotated[str | None, typer.Option(help="Only in these hours of the day, for example 08:00-20:00.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="For how many days.")] = 365,
    text: Annotated[str | None, typer.Option(help="The exact words agreed to. Default: made from the choices.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    explicit: Annotated[
        bool, typer.Option("--explicit", help="The second yes that a sensitive category takes, beside --yes.")
    ] = False,
) -> None:
    """Allow one thing. It counts from now on: nothing that was measured before leaves under it."""
    with opened(context) as (settings, db):
        now_ms = real_now_ms()
        window = None if hours is None else _hours(hours, settings.timezone)
        draft = Grant(
            id=register.new_id(),
            subject=subject,
            devices=tuple(device) if device else (ANY_DEVICE,),
            category=category,
            recipient=recipient,
            purpose=purpose,
            granularity=granularity,
            hours=window,
            start_ms=now_ms,
            expiry_ms=now_ms + int(timedelta(days=days).total_seconds() * 1000),
            text=text or "-",
            language="en",
            created_ms=now_ms,
            explicit=explicit,
        )
        vocabulary = settings.vocabulary(recipient)
        if category in vocabulary.sensitive and not (explicit or yes):
            typer.echo(f"This is sensitive: {vocabulary.categories[category]}.")
            draft = replace(draft, explicit=typer.confirm("Do you want to share exactly this?"))
        check_words(draft, vocabulary)
        words = text or _words(draft)
        given = Grant.from_json(json.dumps(json.loads(draft.to_json()) | {"text": words}), None)
        if recipient not in {sink.recipient for sink in settings.sinks}:
            known = ", ".join(sorted({sink.recipient for sink in settings.sinks})) or "none yet"
            typer.echo(f"Note: no sink in the settings has the recipient {recipient!r} (there: {known}).", err=True)
        typer.echo(words)
        if not yes and not typer.confirm("Do you agree?"):
            typer.echo("Nothing was changed.")
            raise typer.Exit(1)
        register.give(db, given)
    typer.echo(f"Granted: {given.id}. `hearthgate consent revoke {given.id}` takes it back at once.")


@app.command()
def revoke(context: typer.Context, grant_id: Annotated[str, typer.Argument(help="The grant's id, g-…")]) -> None:
    """Take a grant back. Nothing more leaves under it; what was queued is dropped."""
    with opened(context) as (_, db):
        taken = register.take_back(db, grant_id, real_now_ms())
    typer.echo(f"Revoked {taken.id}: {describe(taken)}.")


@app.command("list")
def list_grants(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what may leave."""
    with opened(context) as (_, db):
        now_ms = real_now_ms()
        found = [g for g in register.grants(db) if everything or (g.revoked_ms is None and g.expiry_ms > now_ms)]
    if as_json:
        typer.echo(
            json.dumps([json.loads(g.to_json()) | {"revoked_ms": g.revoked_ms} for g in found], ensure_ascii=False)
        )
        return
    if not found:
        typer.echo("Nothing leaves this house: there is no grant.")
        return
    table = Table(Column("grant", no_wrap=True), "what", "by", "until", "state")
    for g in found:
        state = "revoked" if g.revoked_ms is not None else "expired" if g.expiry_ms <= now_ms else "holds"
        table.add_row(
            g.id, describe(g), g.subject, datetime.fromtimestamp(g.expiry_ms / 1000, UTC).date().isoformat(), state
        )
    Console().print(table)


def _words(draft: Grant) -> str:
    until = datetime.fromtimestamp(draft.expiry_ms / 1000, UTC).date().isoformat()
    return agreement(draft, until)


def _hours(text: str, timezone: str) -> Hours:
    match = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text)
    if not match:
        raise GrantError(f"--hours is {text!r}; write it like 08:00-20:00")
    start_h, start_m, end_h, end_m = map(int, match.groups())
    if start_m > 59 or end_m > 59:
        raise GrantError(f"--hours is {text!r}; minutes go from 00 to 59")
    return Hours(start_h * 60 + start_m, end_h * 60 + end_m, timezone)
