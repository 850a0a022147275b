"""`hearthgate consent`: what may leave, to whom, why, how finely, until when."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from gateway.app.now import real_now_ms
from gateway.app.settings import Settings
from gateway.cli import consent_house, consent_proof, consent_show, drafts
from gateway.cli.consent_options import (
    By,
    Categories,
    Days,
    Devices,
    ExactWords,
    Explicit,
    Finely,
    GrantId,
    HoursOfDay,
    Language,
    Purpose,
    Recipient,
    Since,
    Start,
    Weekdays,
    Yes,
    house,
)
from gateway.cli.drafts import Choices, House
from gateway.cli.opened import opened
from gateway.cli.wording import counted
from gateway.consent import household_people, register
from gateway.consent.giving import check_bundle, check_giving
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError, describe

app = typer.Typer(
    help="Give, change and take back what may leave, and see what was agreed to. Without a grant nothing leaves.",
    no_args_is_help=True,
)


@app.command()
def grant(
    context: typer.Context,
    recipient: Recipient,
    category: Categories,
    purpose: Purpose,
    subject: Annotated[str, typer.Option(metavar="NAME", help="The person who agrees.")],
    granularity: Finely = "day",
    device: Devices = None,
    hours: HoursOfDay = None,
    weekdays: Weekdays = None,
    days: Days = 365,
    start: Start = None,
    since: Since = None,
    text: ExactWords = None,
    language: Language = None,
    yes: Yes = False,
    explicit: Explicit = False,
) -> None:
    """Allow one thing, or several in one act. It counts from now on: nothing that was measured before leaves under it,
    unless --since says from when.

    The words are shown, and kept exactly so. A sensitive category takes a second yes, and is asked for alone.
    """
    chosen = Choices(
        granularity, device, hours, weekdays, days=days, start=start, since=since, text=text, language=language,
        subject=subject,
    )  # fmt: skip
    with opened(context) as (settings, db):
        at = house(settings, db, recipient)
        offered = drafts.given(at, recipient, category, purpose, chosen, explicit=explicit or not yes)
        check_bundle(offered, at.vocabulary)
        _check_second_yes(offered, at, yes=yes, explicit=explicit)
        check_giving(offered, household_people.find(db, subject), at.vocabulary)
    _note_missing_sink(settings, offered[0])
    _note_unknown_devices(at, offered[0])
    # Nothing is held open while somebody reads: the gateway goes on, and other commands may.
    if not _agreed(offered, at, yes=yes, twice=explicit):
        raise typer.Exit(1)
    with opened(context) as (_, db):
        now_ms = real_now_ms()
        given = [_from_now(draft, now_ms) for draft in offered]
        register.give(db, given, at.vocabulary)
    for one in given:
        typer.echo(f"Granted: {one.id}. `hearthgate consent revoke {one.id}` takes it back at once.")


@app.command()
def change(
    context: typer.Context,
    grant_id: GrantId,
    granularity: Finely = None,
    device: Devices = None,
    hours: HoursOfDay = None,
    weekdays: Weekdays = None,
    any_time: Annotated[bool, typer.Option("--any-time", help="At all hours of all days again.")] = False,
    days: Days = None,
    start: Start = None,
    since: Since = None,
    text: ExactWords = None,
    language: Language = None,
    subject: Annotated[str | None, typer.Option(metavar="NAME", help="Another person agrees from now on.")] = None,
    yes: Yes = False,
    explicit: Explicit = False,
) -> None:
    """Agree to a grant anew, in other terms: its next version. What is not said stays as it is.

    Where other data would leave than before (finer, coarser, of other devices, at other hours), it counts from now, and
    what waits under the old terms is dropped. Another recipient, category or purpose takes a grant of its own.
    """
    chosen = Choices(granularity, device, hours, weekdays, any_time, days, start, since, text, language, subject)
    twice = explicit or not yes
    with opened(context) as (settings, db):
        old = register.find(db, grant_id)
        at = house(settings, db, old.recipient)
        draft = drafts.next_version(old, at, chosen, explicit=twice)
        _check_second_yes([draft], at, yes=yes, explicit=explicit)
        check_giving([draft], household_people.find(db, draft.subject), at.vocabulary)
    if not _agreed([draft], at, yes=yes, twice=explicit):
        raise typer.Exit(1)
    with opened(context) as (_, db):
        if register.find(db, grant_id) != old:
            raise GrantError(f"{grant_id} was changed while you read: look at it again, and agree to it once more")
        said = drafts.fields(old, at, chosen, explicit=twice)
        new = register.change(db, grant_id, real_now_ms(), at.vocabulary, text=draft.text, **said)
    typer.echo(f"Changed: {new.id} is at version {new.version} now.")
    if new.paused_ms is not None:
        typer.echo(f"It rests still: `hearthgate consent resume {new.id}` lets it work.")


@app.command()
def pause(context: typer.Context, grant_id: GrantId, by: By = "") -> None:
    """Let a grant rest: nothing leaves under it, and what waited is dropped, until it is resumed."""
    with opened(context) as (settings, db):
        resting = register.pause(db, grant_id, real_now_ms(), by)
    typer.echo(f"Paused {resting.id}: {_sentence(resting, settings)}.")
    typer.echo(f"`hearthgate consent resume {resting.id}` lets it work again, for what is measured from then on.")


@app.command()
def resume(context: typer.Context, grant_id: GrantId, by: By = "") -> None:
    """Let a grant that rests work again. What was measured in between stays at home."""
    with opened(context) as (settings, db):
        recipient = register.find(db, grant_id).recipient
        again = register.resume(db, grant_id, real_now_ms(), settings.vocabulary(recipient), by)
    typer.echo(f"Resumed {again.id}: {_sentence(again, settings)}.")


@app.command()
def revoke(context: typer.Context, grant_id: GrantId, by: By = "") -> None:
    """Take a grant back, for good. Nothing more leaves under it once this has returned; what was queued is dropped, and
    the recipient is asked, signed, to erase what it got."""
    with opened(context) as (settings, db):
        taken = register.take_back(db, grant_id, real_now_ms(), by)
        left = consent_show.events_sent(db, grant_id)
    typer.echo(f"Revoked {taken.id}: {_sentence(taken, settings)}.")
    if left:
        typer.echo(
            f"What left under it ({counted(left, 'event')}) is asked back: the gateway tells {taken.recipient} to "
            "erase it, until that is confirmed. `hearthgate audit show` tells when."
        )


app.command("list")(consent_show.list_grants)
app.command("show")(consent_show.show)
app.command("words")(consent_show.show_words)
app.command("preview")(consent_proof.show_preview)
app.command("receipt")(consent_proof.receipt)
app.command("people")(consent_house.list_people)
app.add_typer(consent_house.person, name="person")
app.command("rotate")(consent_house.rotate)
app.command("local-use")(consent_house.use_locally)


def _check_second_yes(offered: Sequence[Grant], at: House, *, yes: bool, explicit: bool) -> None:
    """What the household's rules ask for too, said with the option that does it. Raises GrantError."""
    sensitive = [draft.category for draft in offered if draft.category in at.vocabulary.sensitive]
    if sensitive and yes and not explicit:
        raise GrantError(f"{sensitive[0]} is sensitive: beside --yes it takes a second, explicit yes, --explicit")


def _agreed(offered: Sequence[Grant], at: House, *, yes: bool, twice: bool) -> bool:
    """Show the words, and ask; False if somebody said no. A sensitive one is asked about twice."""
    typer.echo("\n\n".join(dict.fromkeys(draft.text for draft in offered)))
    sensitive = [draft.category for draft in offered if draft.category in at.vocabulary.sensitive]
    if not yes and not typer.confirm("Do you agree?"):
        typer.echo("Nothing was changed.")
        return False
    if sensitive and not yes and not twice:
        typer.echo(f"This is sensitive: {at.vocabulary.categories[sensitive[0]]}.")
        if not typer.confirm("Do you want to share exactly this?"):
            typer.echo("Nothing was changed.")
            return False
    return True


def _from_now(draft: Grant, now_ms: int) -> Grant:
    """What was to begin when it was written begins when it was agreed to."""
    start_ms = now_ms if draft.start_ms == draft.created_ms else draft.start_ms
    return replace(draft, start_ms=start_ms, created_ms=now_ms)


def _note_missing_sink(settings: Settings, draft: Grant) -> None:
    theirs = [sink for sink in settings.sinks if sink.recipient == draft.recipient]
    if not theirs:
        known = ", ".join(sorted({sink.recipient for sink in settings.sinks})) or "none yet"
        typer.echo(f"Note: no sink in the settings has the recipient {draft.recipient!r} (there: {known}).", err=True)
    elif not any(draft.purpose in sink.purposes for sink in theirs):
        names = ", ".join(sink.name for sink in theirs)
        typer.echo(f"Note: the sink {names} takes nothing for {draft.purpose!r}, so nothing will leave.", err=True)


def _note_unknown_devices(at: House, draft: Grant) -> None:
    unknown = [device for device in draft.devices if device != ANY_DEVICE and device not in at.names]
    if unknown:
        known = ", ".join(at.names) or "none yet"
        typer.echo(f"Note: no device {', '.join(unknown)} is enrolled (there: {known}).", err=True)


def _sentence(one: Grant, settings: Settings) -> str:
    return describe(one, None, settings.vocabulary(one.recipient))
