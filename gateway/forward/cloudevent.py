"""CloudEvents 1.0 (JSON format) with the consent flags as extension attributes."""

import json
from datetime import UTC, datetime
from typing import Any

from gateway.consent.grants import Grant

READINGS = "io.hearthgate.readings.v1"
AGGREGATE = "io.hearthgate.aggregate.v1"
EVENT = "io.hearthgate.event.v1"
ERASURE = "io.hearthgate.erasure.v1"

# To the tenth of a second when a door was opened: by that alone two recipients could join what they have.
_HAPPENED_MS = 10_000
_SECOND_MS = 1000


def timestamp(unix_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds where there are any."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds" if unix_ms % 1000 else "seconds").replace("+00:00", "Z")


def source(pseudonym: str) -> str:
    """What a device is called in events (CloudEvents `source`)."""
    return f"urn:hearthgate:device:{pseudonym}"


def coarse(time_ms: int, step_ms: int = 0) -> int:
    """A time as it may leave: of a series its place on the grid of its step (`step_ms`), which all households share,
    instead of the moment at which this board was switched on; of what happened the ten seconds that it lies in."""
    grid_ms = max(step_ms, _SECOND_MS) if step_ms else _HAPPENED_MS
    return time_ms - time_ms % grid_ms


def build(
    *, type_: str, event_id: str, pseudonym: str, subject: str, time_ms: int, grant: Grant, data: dict[str, Any]
) -> str:
    """One event as JSON text: the bytes that are kept, sent and sent again."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source(pseudonym),
        "type": type_,
        "time": timestamp(time_ms),
        "subject": subject,
        "datacontenttype": "application/json",
        "consentgrant": grant.id,
        "consentversion": grant.version,
        "consentpurpose": grant.purpose,
        "consentgranularity": grant.granularity.value,
        "consentexpiry": timestamp(grant.expiry_ms),
        "consentrecipient": grant.recipient,
        "data": data,
    }
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
