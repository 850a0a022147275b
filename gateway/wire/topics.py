"""Topics: hg/1/<device>/<what>."""

import re

PREFIX = "hg/1"
UP = ("birth", "up", "state")
DEVICE = re.compile(r"[0-9a-f]{12}")

_TOPIC = re.compile(r"hg/1/([0-9a-f]{12})/(birth|up|state)")


def parse(topic: str) -> tuple[str, str] | None:
    """(device, what) of a topic that boards write to; None for any other."""
    match = _TOPIC.fullmatch(topic)
    return (match[1], match[2]) if match else None


def topic(device: str, what: str) -> str:
    """The topic of `what` for a device."""
    return f"{PREFIX}/{device}/{what}"


def subscriptions() -> list[str]:
    """What the gateway subscribes to: everything that boards say."""
    return [f"{PREFIX}/+/{what}" for what in UP]
