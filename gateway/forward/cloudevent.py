"""CloudEvents 1.0 (JSON format) with the consent flags as extension attributes."""

import json
from datetime import UTC, datetime
from typing import Any

from gateway.consent.grants import Grant

READINGS = "io.hearthgate.readings.v1"
AGGREGATE = "io.hearthgate.aggregate.v1"
EVENT = "io.hearthgate.event.v1"


def timestamp(unix_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds where there are any."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds" if unix_ms % 1000 else "seconds").replace("+00:00", "Z")


def build(
    *, type_: str, event_id: str, pseudonym: str, subject: str, time_ms: int, grant: Grant, data: dict[str, Any]
) -> str:
    """One event as JSON text: the bytes that are kept, sent and sent again."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"urn:hearthgate:device:{pseudonym}",
        "type": type_,
        "time": timestamp(time_ms),
        "subject": subject,
        "datacontenttype": "application/json",
        "consentgrant": grant.id,
        "consentpurpose": grant.purpose,
        "consentgranularity": grant.granularity.value,
        "consentexpiry": timestamp(grant.expiry_ms),
        "consentrecipient": grant.recipient,
        "data": data,
    }
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
