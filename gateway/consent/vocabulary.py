"""The words of consent, each with a sentence that a household understands."""

from enum import StrEnum


class Granularity(StrEnum):
    """How finely data may leave."""

    RAW = "raw"
    QUARTER_HOUR = "15min"
    HOUR = "hour"
    DAY = "day"
    EVENT = "event"

    @property
    def bucket_ms(self) -> int | None:
        """The length of an aggregate, or None where readings leave as they are."""
        return _BUCKET_MS.get(self)


_BUCKET_MS = {Granularity.QUARTER_HOUR: 900_000, Granularity.HOUR: 3_600_000, Granularity.DAY: 86_400_000}

# From the one that tells most to the one that tells least: where two grants allow a reading, the first decides.
FINEST_FIRST = (Granularity.RAW, Granularity.EVENT, Granularity.QUARTER_HOUR, Granularity.HOUR, Granularity.DAY)

GRANULARITIES = {
    Granularity.RAW: "every single reading",
    Granularity.QUARTER_HOUR: "lowest, mean and highest of each quarter of an hour",
    Granularity.HOUR: "lowest, mean and highest of each hour",
    Granularity.DAY: "lowest, mean and highest of each day",
    Granularity.EVENT: "only that something happened (a door opened, water boiled), not the readings between",
}

CATEGORIES = {
    "temperature": "how warm or cold it is in an appliance",
    "door": "when a door is opened and closed",
    "stock": "how much is on a shelf, and when that changes",
    "energy": "how much electricity an appliance takes",
    "use": "when and how an appliance is used",
    "presence": "whether somebody is at home",
    "diagnostics": "whether the board and its sensors are well",
}

PURPOSES = {
    "service": "to repair or look after your appliance",
    "product-improvement": "to make better appliances",
    "restocking": "to order what runs low",
    "research": "for research",
    "marketing": "to make you offers",
    "community": "to compare and share with neighbours",
}
