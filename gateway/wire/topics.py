"""Topics: hg/1/<device>/<what>."""

import re

PREFIX = "hg/1"
UP = ("birth", "up", "state", "crash")
WANT = "want"
"""What a board says of an update: answered at once, and nothing to keep. `parse` is for the rest."""
DEVICE = re.compile(r"[0-9a-f]{12}")

_TOPIC = re.compile(r"hg/1/([0-9a-f]{12})/(birth|up|state|crash)")

_WANT = re.compile(rf"hg/1/([0-9a-f]{{12}})/{WANT}")


def parse(topic: str) -> tuple[str, str] | None:
    """(device, what) of a topic that boards write to; None for any other."""
    match = _TOPIC.fullmatch(topic)
    return (match[1], match[2]) if match else None


def parse_want(topic: str) -> str | None:
    """The device that says what it wants of an update; None for any other topic."""
    match = _WANT.fullmatch(topic)
    return match[1] if match else None


def topic(device: str, what: str) -> str:
    """The topic of `what` for a device."""
    return f"{PREFIX}/{device}/{what}"


def subscriptions() -> list[str]:
    """What the gateway subscribes to: everything that boards say."""
    return [f"{PREFIX}/+/{what}" for what in (*UP, WANT)]
