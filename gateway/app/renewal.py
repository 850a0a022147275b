"""The certificates of the household's broker, in time: the gateway renews the broker's own, and says early enough what
it cannot do itself. On the day on which one ends, no board comes in any more."""

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from gateway.app.settings import Broker
from gateway.errors import HearthgateError

if TYPE_CHECKING:
    from gateway.broker.folder import BrokerFolder

log = logging.getLogger(__name__)

RENEW_DAYS = 60
_LATE_DAYS = 30  # a gateway that runs would have renewed it by then
_CA_DAYS = 365  # a household needs time to reach every board
_FIRST_S = 10.0  # the boards that waited for this start come first
_AGAIN_S = 86_400.0
_ANSWER_S = 5.0


class Weight(Enum):
    """What something means."""

    FINE = "it is well"
    HINT = "it is worth a word"
    BAD = "boards are or will be shut out"


@dataclass(frozen=True, slots=True)
class Ailment:
    """Something that was looked at."""

    weight: Weight
    what: str
    mend: str = ""


class Renewal:
    """For the gateway that runs. `trouble` is None, or what a person has to do about the broker's certificates."""

    def __init__(self, settings: Broker) -> None:
        self._settings = settings
        self.trouble: str | None = None

    async def run(self) -> None:
        """Look after them for ever, once a day."""
        wait_s = _FIRST_S
        while True:
            await asyncio.sleep(wait_s)
            trouble = await asyncio.to_thread(look_after, self._settings)
            if trouble not in (None, self.trouble):
                log.warning("%s", trouble)
            self.trouble = trouble
            wait_s = _AGAIN_S


def look_after(settings: Broker, now: datetime | None = None) -> str | None:
    """Renew the broker's certificate if it is time, and let Mosquitto show it. What is wrong then, or None."""
    folder = _folder(settings)
    if folder is None:
        return None
    now = now or datetime.now(UTC)
    try:
        if (folder.expiries().server - now).days < RENEW_DAYS and folder.cannot_renew(now) is None:
            folder.renew(now)
            log.info(
                "the broker's certificate was renewed: it is good until %s", f"{folder.expiries().server:%Y-%m-%d}"
            )
        if _shows_another(settings, folder):
            folder.reload()
            deadline = time.monotonic() + _ANSWER_S
            while _shows_another(settings, folder) and time.monotonic() < deadline:
                time.sleep(0.1)
    except (HearthgateError, OSError, ValueError) as why:  # ValueError: a file that is no text
        return f"the broker's certificate cannot be looked after: {why}"
    bad = [f"{found.what}: {found.mend}" for found in ailments(settings, now) if found.weight is Weight.BAD]
    return "; ".join(bad) or None


def ailments(settings: Broker, now: datetime | None = None) -> Iterator[Ailment]:
    """What there is to say of the broker's files; nothing where there is no folder of ours."""
    folder = _folder(settings)
    if folder is None:
        return
    now = now or datetime.now(UTC)
    try:
        until, trouble, cannot = folder.expiries(), folder.trouble(), folder.cannot_renew(now)
        another = _shows_another(settings, folder)
    except (HearthgateError, OSError, ValueError) as why:
        yield Ailment(Weight.BAD, "the broker's files cannot be used", str(why))
        return
    if trouble is not None:
        yield Ailment(
            Weight.BAD,
            f"the broker's files do not fit together: {trouble}",
            "run `hearthgate broker renew`, then `setup`",
        )
    left = (until.server - now).days
    what = f"the broker's certificate {_until(until.server, left)}"
    if left >= RENEW_DAYS:
        yield Ailment(Weight.FINE, what)
    elif cannot is None and left >= _LATE_DAYS:
        yield Ailment(Weight.HINT, what, "the gateway renews it when it runs, or `hearthgate broker renew`")
    else:
        mend = cannot or "the gateway has not renewed it: run `hearthgate broker renew`"
        yield Ailment(Weight.BAD, f"{what}; then no board and no gateway connects any more", mend)
    if another:
        yield Ailment(
            Weight.BAD, "Mosquitto still shows an earlier certificate", "run: sudo systemctl reload hearthgate-broker"
        )
    left = (until.ca - now).days
    what = f"the household's certificate authority {_until(until.ca, left)}"
    if until.next_ca is None and left < _CA_DAYS:
        mend = "run `hearthgate broker rotate-ca`, and follow its steps: every board has to learn of the next one"
        yield Ailment(Weight.BAD, f"{what}; then no board connects any more", mend)
    else:
        yield Ailment(Weight.FINE, what)
    if until.next_ca is not None:
        mend = "when every board was updated or flashed since: `hearthgate broker rotate-ca --finish`, which tells who"
        weight = Weight.BAD if left < RENEW_DAYS else Weight.HINT
        yield Ailment(weight, "the certificate authority is being changed", f"{mend} was not")


def _until(when: datetime, left: int) -> str:
    return f"is good until {when:%Y-%m-%d}, {left} days" if left >= 0 else f"ended on {when:%Y-%m-%d}"


def _folder(settings: Broker) -> "BrokerFolder | None":
    if settings.folder is None or settings.builtin:
        return None
    from gateway.broker.folder import BrokerFolder  # noqa: PLC0415 - loads what makes certificates

    return BrokerFolder(settings.folder)


def _shows_another(settings: Broker, folder: "BrokerFolder") -> bool:
    """Whether the broker answers, and with another certificate than that in the folder."""
    if settings.ca is None:
        return False
    try:
        shown = ssl.get_server_certificate((settings.host, settings.port), timeout=_ANSWER_S)
    except (OSError, ValueError):  # it does not run: that is told elsewhere
        return False
    return not folder.shows(shown)
