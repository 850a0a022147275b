"""`hearthgate consent preview` and `receipt`: what a grant would send, and the proof that it was given."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.access import destination
from gateway.app.now import real_now_ms
from gateway.cli import drafts
from gateway.cli.consent_options import (
    Devices,
    Finely,
    GrantId,
    HoursOfDay,
    Weekdays,
    house,
)
from gateway.cli.drafts import Choices
from gateway.cli.opened import opened
from gateway.cli.wording import counted, moment
from gateway.consent import audit, register
from gateway.consent.evidence import receipt_of
from gateway.consent.giving import check_words
from gateway.consent.grants import Grant, GrantError
from gateway.forward.preview import Preview, preview

_SHOWN = 5


def show_preview(
    context: typer.Context,
    grant_id: Annotated[
        str | None, typer.Argument(metavar="[GRANT]", help="A grant, g-…; or say with options what it would be.")
    ] = None,
    recipient: Annotated[str | None, typer.Option(metavar="WORD", help="Who would get it.")] = None,
    category: Annotated[str | None, typer.Option(metavar="WORD", help="What.")] = None,
    purpose: Annotated[str | None, typer.Option(metavar="WORD", help="Why.")] = None,
    granularity: Finely = "day",
    device: Devices = None,
    hours: HoursOfDay = None,
    weekdays: Weekdays = None,
    body: Annotated[
        bool, typer.Option("--body", help="Print the exact body only, as it would be sent (before packing).")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help=f"Every event; without it the first {_SHOWN}.")] = False,
) -> None:
    """Show what a grant would send of the last day, byte for byte, and how much it is. Nothing is sent.

    It is shown as if the grant had held all day. Under another grant more may leave.
    """
    chosen = Choices(granularity, device, hours, weekdays, subject="nobody yet")
    with opened(context) as (settings, db):
        if grant_id is not None:
            grant = register.find(db, grant_id)
        elif recipient and category and purpose:
            at = house(settings, db, recipient)
            (grant,) = drafts.given(at, recipient, [category], purpose, chosen, explicit=True)
            check_words(grant, at.vocabulary)
        else:
            raise GrantError("name a grant, or say what it would be with --recipient, --category and --purpose")
        seen = preview(db, grant, grant.recipient, real_now_ms())
    if body:
        typer.echo(seen.body, nl=False)
        return
    _tell(seen, grant, settings.timezone, everything=everything)


def _tell(seen: Preview, grant: Grant, zone: str, *, everything: bool) -> None:
    span = f"{moment(seen.from_ms, zone)} to {moment(seen.to_ms, zone)} ({zone})"
    if not seen.total:
        typer.echo(f"Of {span} nothing would leave to {grant.recipient}.")
    else:
        shown = seen.events if everything else seen.events[:_SHOWN]
        for event in shown:
            typer.echo(event)
        if len(shown) < seen.total:
            typer.echo(f"… and {seen.total - len(shown):,} more (--all shows the first {len(seen.events):,}).")
        typer.echo(
            f"Of {span} {grant.recipient} would get {counted(seen.total, 'event')}, {counted(seen.bytes, 'byte')} "
            "before packing."
        )
    for reason, n in sorted(seen.withheld.items(), key=lambda pair: -pair[1]):
        typer.echo(f"Kept at home: {counted(n, 'reading')} ({reason.value.replace('_', ' ')}).")
    if not seen.whole:
        typer.echo("That is not all of the day: only its first frames were looked at.")


def receipt(
    context: typer.Context,
    grant_id: GrantId,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="Where it goes; - is standard output, and the default.")
    ] = None,
    signed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it signed too, as a COSE_Sign1 of the household.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write the receipt of a grant: what was agreed to, in which words, by whom, and what became of it.

    It is JSON-LD with the fields of ISO/IEC TS 27560, in the terms of the Data Privacy Vocabulary. It holds the head of
    the ledger: kept by somebody else, `hearthgate audit verify --anchor FILE` checks the ledger against a signed one.
    """
    with opened(context) as (settings, db):
        recipient = register.find(db, grant_id).recipient
        at = house(settings, db, recipient)
        document, sealed = receipt_of(db, grant_id, at.now_ms, at.vocabulary, at.names)
        key = audit.signing_key(db)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if signed is not None:
        with destination.written(signed, force=force) as out:
            out.write(sealed)
    if file not in (None, "-"):
        with destination.written(Path(str(file)), force=force) as out:
            out.write(text.encode())
        typer.echo(f"Written: {file}.", err=True)
    elif file == "-" or signed is None:
        with destination.standard_output() as out:
            out.write(text.encode())
    if signed is not None:
        typer.echo(f"Written: {signed}, signed with the key {key.public.hex()}.", err=True)
