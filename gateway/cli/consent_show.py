"""`hearthgate consent list`, `show` and `words`: what was agreed to, and in which words."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.app.settings import Settings
from gateway.cli.consent_options import GrantId, Json, house
from gateway.cli.opened import opened
from gateway.cli.wording import counted, in_full, moment, to_the_second
from gateway.consent import register
from gateway.consent.grants import Grant, describe
from gateway.consent.record import Act, ConsentEvent
from gateway.consent.vocabulary import Vocabulary
from gateway.forward.erasure import ERASED_NAME
from gateway.store.database import Database

HOLDS, PAUSED, REVOKED, EXPIRED, NOT_STARTED = "holds", "paused", "revoked", "expired", "not started"

_ACTS = {
    Act.GIVEN: "given",
    Act.CHANGED: "agreed to anew",
    Act.PAUSED: "paused",
    Act.RESUMED: "resumed",
    Act.WITHDRAWN: "revoked",
}


def state(grant: Grant, now_ms: int) -> str:
    """What a grant allows now, in a word."""
    if grant.revoked_ms is not None:
        return REVOKED
    if now_ms >= grant.expiry_ms:
        return EXPIRED
    if grant.paused_ms is not None:
        return PAUSED
    return NOT_STARTED if now_ms < grant.start_ms else HOLDS


def events_sent(db: Database, grant_id: str) -> int:
    """How many events may have left under a grant so far."""
    (sent,) = db.connection.execute(
        "SELECT coalesce(sum(events), 0) FROM disclosure WHERE grant_id = ?", (grant_id,)
    ).fetchone()
    return int(sent)


def list_grants(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    as_json: Json = False,
) -> None:
    """Show what may leave, and what rests."""
    with opened(context) as (settings, db):
        at = house(settings, db)
        every = register.grants(db)
    found = [g for g in every if everything or state(g, at.now_ms) not in (REVOKED, EXPIRED)]
    if as_json:
        typer.echo(json.dumps([_as_json(g, at.now_ms) for g in found], ensure_ascii=False))
        return
    if not found:
        past = f" {len(every)} did once: --all shows them." if every else ""
        typer.echo(f"Nothing leaves this house: no grant allows it.{past}")
        return
    table = Table(Column("grant", no_wrap=True), "what", "by", Column("until", no_wrap=True), "state")
    for g in found:
        what = describe(g, at.names, settings.vocabulary(g.recipient))
        table.add_row(g.id, what, g.subject, moment(g.expiry_ms, at.timezone), state(g, at.now_ms))
    Console(markup=False).print(table)


def show(context: typer.Context, grant_id: GrantId, as_json: Json = False) -> None:
    """Show one grant: what became of it, who did what, and the exact words of each version with their digest."""
    with opened(context) as (settings, db):
        at = house(settings, db)
        versions, history = register.versions(db, grant_id), register.history(db, grant_id)
        sent = events_sent(db, grant_id)
    grant, zone = versions[-1], at.timezone
    if as_json:
        typer.echo(
            json.dumps(
                _as_json(grant, at.now_ms)
                | {
                    "events_sent": sent,
                    "versions": [_as_json(version, at.now_ms) for version in versions],
                    "history": [_event_json(event) for event in history],
                },
                ensure_ascii=False,
            )
        )
        return
    vocabulary = settings.vocabulary(grant.recipient)
    typer.echo(f"{grant.id}, version {grant.version}: {state(grant, at.now_ms)}")
    typer.echo(f"  {describe(grant, at.names, vocabulary)}.")
    typer.echo(f"  From {in_full(grant.start_ms, zone)} until {in_full(grant.expiry_ms, zone)}.")
    if grant.measured_from_ms != grant.start_ms:
        typer.echo(f"  Of what was measured since {in_full(grant.measured_from_ms, zone)}.")
    typer.echo(f"  {counted(sent, 'event')} may have left under it.")
    typer.echo("\nWhat was done with it")
    for event in history:
        at_text = to_the_second(event.at_ms, zone)
        typer.echo(f"  {at_text}  {_ACTS[event.act]:<14} by {event.person} (version {event.version})")
    for version in versions:
        typer.echo(
            f"\nThe words of version {version.version}, agreed to by {version.subject} on "
            f"{to_the_second(version.created_ms, zone)} ({version.language}"
            f"{', a second time explicitly' * version.explicit})"
        )
        if version.text == ERASED_NAME:
            typer.echo("  They were erased, as was asked for. Their digest stays in the ledger.")
            continue
        typer.echo(f"  {version.text}")
        typer.echo(f"  SHA-256 {version.text_sha256}")


def show_words(context: typer.Context, as_json: Json = False) -> None:
    """Show the vocabulary: the words that a grant may be given in, and what each means."""
    with opened(context) as (settings, _):
        vocabulary = settings.vocabulary()
    tables = {
        name: dict(getattr(vocabulary, name)) for name in ("recipients", "categories", "purposes", "granularities")
    }
    if as_json:
        marks = {"sensitive": sorted(vocabulary.sensitive), "adults_only": sorted(vocabulary.adults_only)}
        typer.echo(json.dumps(tables | marks, ensure_ascii=False))
        return
    for name, words in tables.items():
        typer.echo(f"{name}")
        for word, sentence in words.items():
            typer.echo(f"  {word:<20} {sentence}{_mark(name, word, vocabulary, settings)}")
    typer.echo("Words of your own go into [vocabulary.…] tables of the settings, each with a sentence.")


def _mark(table: str, word: str, vocabulary: Vocabulary, settings: Settings) -> str:
    if table == "categories" and word in vocabulary.sensitive:
        return " (sensitive: takes a second, explicit yes)"
    if table == "purposes" and word in vocabulary.adults_only:
        return " (only an adult can agree to it)"
    if table == "recipients":
        sinks = ", ".join(sink.name for sink in settings.sinks if sink.recipient == word)
        return f" (sink {sinks})" if sinks else ""
    return ""


def _as_json(grant: Grant, now_ms: int) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(grant.to_json())
    return record | {
        "text_sha256": grant.text_sha256,
        "state": state(grant, now_ms),
        "revoked_ms": grant.revoked_ms,
        "paused_ms": grant.paused_ms,
        "resumed_ms": grant.resumed_ms,
    }


def _event_json(event: ConsentEvent) -> dict[str, Any]:
    return {"act": event.act.value, "at_ms": event.at_ms, "person": event.person, "version": event.version}
