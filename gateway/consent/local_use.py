"""What of a board leaves it at all. The household sees every channel at home unless a person says otherwise: that a
kind of data leaves its board only while some grant lets somebody have it, or is not even measured else.

This comes before every other decision and replaces none: what does arrive is decided upon as always.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from gateway.consent import audit
from gateway.consent.grants import ANY_DEVICE, Grant, GrantError
from gateway.consent.vocabulary import WORD, Granularity
from gateway.store.database import Database
from gateway.wire.birth import Channel, ValueKind
from gateway.wire.state import Use


class Mode(StrEnum):
    """What becomes of a kind of data at its board."""

    KEEP = "keep"  # it comes to the gateway, and is shown at home
    GRANTED = "granted"  # only while a grant lets somebody have it
    UNMEASURED = "unmeasured"  # the same, and else it is not measured


Modes = Mapping[tuple[str, str], Mode]
"""(device or *, category) -> mode; what is not there is kept. A device's own word goes before that for all."""


def mode_of(modes: Modes, device: str, category: str) -> Mode:
    """The mode of a kind of data of a device."""
    return modes.get((device, category)) or modes.get((ANY_DEVICE, category)) or Mode.KEEP


def kept(device: str, channels: Sequence[Channel], modes: Modes, grants: Iterable[Grant], now_ms: int) -> Use:
    """Which of its birth's `channels` a board is to keep to itself from `now_ms` on.

    A channel may be used if some grant may let out, now or later, what is measured at this moment. Hours are not asked:
    a board would have to be told twice a day, and what is measured outside of them stays at the gateway.
    """
    holding = [grant for grant in grants if grant.covers(device) and _holds(grant, now_ms)]
    off = unmeasured = 0
    for index, channel in enumerate(channels):
        mode = mode_of(modes, device, channel.category)
        if mode is Mode.KEEP or any(_lets_out(grant, channel) for grant in holding):
            continue
        off |= 1 << index
        if mode is Mode.UNMEASURED:
            unmeasured |= 1 << index
    return Use(off, unmeasured)


def next_change_ms(grants: Iterable[Grant], now_ms: int) -> int | None:
    """When, after `now_ms`, the next grant begins or ends by itself; None if none does."""
    edges = (
        edge
        for grant in grants
        if grant.revoked_ms is None and grant.paused_ms is None
        for edge in (grant.measured_from_ms, grant.expiry_ms)
    )
    return min((edge for edge in edges if edge > now_ms), default=None)


def modes(db: Database) -> dict[tuple[str, str], Mode]:
    """What was said of every kind of data."""
    rows = db.connection.execute("SELECT device, category, mode FROM local_use ORDER BY device, category")
    return {(device, category): Mode(mode) for device, category, mode in rows}


def set_mode(db: Database, device: str, category: str, mode: Mode, now_ms: int) -> None:
    """Say what becomes of a category of a device, or of every device (*). Raises GrantError."""
    if not WORD.fullmatch(category):
        raise GrantError(f"category is {category!r}; it must be a lower-case word such as temperature")
    with db.transaction() as sql:
        if device != ANY_DEVICE and not sql.execute("SELECT 1 FROM device WHERE device = ?", (device,)).fetchone():
            raise GrantError(f"no device {device!r}; `hearthgate devices list` shows them, and * stands for all")
        if mode_of(modes(db), device, category) is mode:
            return
        sql.execute(
            "INSERT INTO local_use VALUES (?, ?, ?) ON CONFLICT (device, category) DO UPDATE SET mode = excluded.mode",
            (device, category, mode.value),
        )
        # Which device is not said: it may have to be forgotten one day.
        devices = "all" if device == ANY_DEVICE else 1
        audit.append(db, now_ms, "local_use", {"devices": devices, "category": category, "mode": mode.value})
        db.revise("grants")


def _holds(grant: Grant, now_ms: int) -> bool:
    return grant.revoked_ms is None and grant.paused_ms is None and grant.measured_from_ms <= now_ms < grant.expiry_ms


def _lets_out(grant: Grant, channel: Channel) -> bool:
    if grant.category != channel.category:
        return False
    return channel.kind is ValueKind.EVENT or grant.granularity is not Granularity.EVENT
