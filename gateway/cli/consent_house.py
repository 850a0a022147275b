"""`hearthgate consent people`, `person add`, `rotate` and `local-use`: who may agree, by which names devices are known
outside, and what stays on its board."""

import json
from typing import Annotated

import typer

from gateway.app.now import real_now_ms
from gateway.cli.consent_options import Json
from gateway.cli.opened import opened
from gateway.cli.wording import counted
from gateway.consent import household_people, local_use, pseudonym
from gateway.consent.grants import ANY_DEVICE, GrantError
from gateway.consent.local_use import Mode
from gateway.consent.people import Person, Role

person = typer.Typer(help="Name a person of the household.", no_args_is_help=True)


def list_people(context: typer.Context, as_json: Json = False) -> None:
    """Show the people of the household, and what they are in it."""
    with opened(context) as (_, db):
        found = household_people.people(db)
    if as_json:
        typer.echo(json.dumps([{"name": p.name, "role": p.role.value} for p in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("Nobody yet: whoever gives a grant is here from then on, as an adult.")
    for somebody in found:
        typer.echo(f"{somebody.name:<24} {somebody.role.value}")


@person.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As grants are to say it.")],
    role: Annotated[Role, typer.Option(help="A child cannot agree to marketing.")] = Role.ADULT,
) -> None:
    """Add a person, or say that somebody is something else now. What they agreed to before stays as it is."""
    with opened(context) as (_, db):
        household_people.put(db, Person(name, role), real_now_ms())
    typer.echo(f"{name} is {'a child' if role is Role.CHILD else 'an adult'} of this household.")


def rotate(
    context: typer.Context, recipient: Annotated[str, typer.Argument(help="Whom the new names are for.")]
) -> None:
    """Let a recipient know the household's devices by new names from now on: it can no longer tell which of the old
    ones they are. What waits already leaves under the old names."""
    with opened(context) as (settings, db):
        if recipient not in (known := settings.vocabulary().recipients):
            raise GrantError(f"no recipient {recipient!r}; there are {', '.join(known)}")
        epoch = pseudonym.rotate(db, recipient, real_now_ms())
    typer.echo(
        f"From now on {recipient} gets all devices under new names. They were made anew {counted(epoch, 'time')}."
    )


_MODES = {
    Mode.KEEP: "comes to the gateway, and is shown at home",
    Mode.GRANTED: "leaves its board only while a grant lets somebody have it",
    Mode.UNMEASURED: "is not even measured, unless a grant lets somebody have it",
}


def use_locally(
    context: typer.Context,
    category: Annotated[str | None, typer.Argument(metavar="[CATEGORY]", help="For example presence.")] = None,
    mode: Annotated[
        Mode | None, typer.Argument(help="; ".join(f"{mode.value}: it {does}" for mode, does in _MODES.items()) + ".")
    ] = None,
    device: Annotated[str, typer.Option(metavar="ID", help="Only of this device. Default: of all.")] = ANY_DEVICE,
    as_json: Json = False,
) -> None:
    """Show or say what of a board comes to the gateway at all. Without arguments it shows what was said.

    It does not let anything out: for that there are grants. Boards hear of it, signed, as soon as they are connected.
    """
    if (category is None) != (mode is None):
        raise GrantError("say a category and what becomes of it, for example: local-use presence unmeasured")
    with opened(context) as (settings, db):
        if category is not None and mode is not None:
            if category not in (known := settings.vocabulary().categories):
                raise GrantError(f"category is {category!r}; it is one of {', '.join(known)}")
            local_use.set_mode(db, device, category, mode, real_now_ms())
        said = local_use.modes(db)
    if as_json:
        typer.echo(json.dumps([{"device": d, "category": c, "mode": m.value} for (d, c), m in said.items()]))
        return
    for (of, what), how in said.items():
        typer.echo(f"{what:<14} of {'all devices' if of == ANY_DEVICE else of:<12} {_MODES[how]}")
    if not any(how is not Mode.KEEP for how in said.values()):
        typer.echo("Everything that boards measure comes to the gateway, and is shown at home.")
