"""The options that several commands of `hearthgate consent` share."""

from typing import Annotated

import typer

from gateway.app.now import real_now_ms
from gateway.app.settings import Settings
from gateway.cli.drafts import House
from gateway.consent.vocabulary import CATEGORIES, GRANULARITIES, PURPOSES
from gateway.store import devices
from gateway.store.database import Database

_MORE = "; `hearthgate consent words` has them all, with those of the settings."

GrantId = Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id, g-…; `hearthgate consent list` has it.")]
By = Annotated[str, typer.Option(metavar="NAME", help="Who asks for it, for the ledger; without it nobody is named.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Explicit = Annotated[
    bool, typer.Option("--explicit", help="The second yes that a sensitive category takes, beside --yes.")
]
Recipient = Annotated[
    str, typer.Option(metavar="WORD", help="Who gets it: the recipient of one of the sinks in the settings.")
]
Categories = Annotated[
    list[str],
    typer.Option(
        metavar="WORD",
        help="What: " + ", ".join(CATEGORIES) + ". May be given again: then it is one act for several grants" + _MORE,
    ),
]
Purpose = Annotated[str, typer.Option(metavar="WORD", help="Why: " + ", ".join(PURPOSES) + _MORE)]
Finely = Annotated[
    str | None,
    typer.Option(
        metavar="WORD",
        help="How finely: "
        + "; ".join(f"{word.value} ({sentence})" for word, sentence in list(GRANULARITIES.items())[:5])
        + "; or a length of time such as 6h that the settings add.",
    ),
]
Devices = Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this device; may be given again.")]
HoursOfDay = Annotated[
    str | None, typer.Option(metavar="HH:MM-HH:MM", help="Only in these hours of the day, for example 08:00-20:00.")
]
Weekdays = Annotated[
    str | None, typer.Option(metavar="DAYS", help="Only on these days of the week, for example mon-fri or sat,sun.")
]
Days = Annotated[
    int | None,
    typer.Option(min=1, max=3650, help="For how many days; it ends at the full hour before they are over."),
]
Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Not before then: 2026-05-28, 2026-05-28T18:30, …Z or Unix seconds.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Also what was measured since then. Without it nothing of before leaves."),
]
ExactWords = Annotated[str | None, typer.Option(help="The exact words agreed to. Default: made from the choices.")]
Language = Annotated[str | None, typer.Option(metavar="TAG", help="The language of --text, for example de or de-AT.")]


def house(settings: Settings, db: Database, *recipients: str) -> House:
    """What grants are written with now; `recipients` beside those of the settings."""
    names = {device.device: device.name for device in devices.registry(db).values()}
    return House(settings.timezone, settings.vocabulary(*recipients), names, real_now_ms())
