"""Who may write and read which topic: the one rule that Mosquitto's ACL file and the in-process broker both follow.

Users are the boards (each under its device id), the gateways (`gateway`, and one more name for each further gateway of
a household), and `look`, which reads everything and writes nothing: for the doctor, and for a person who looks.
"""

import hmac
import re
from enum import Enum

from gateway.errors import HearthgateError
from gateway.wire import topics
from gateway.wire.topics import DEVICE

GATEWAY = "gateway"
LOOK = "look"
DOWN = ("ack", "cmd", "update")
"""What gateways say to boards."""
UP = (*topics.UP, topics.WANT)
"""What boards say."""

_PASSWORD_CONTEXT = b"hearthgate/1 mqtt password"
_GATEWAY = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TOPIC = re.compile(r"hg/1/([0-9a-f]{12})/([a-z]{1,16})")


class AccessError(HearthgateError):
    """A user cannot have that name."""


class Access(Enum):
    """What somebody wants of a topic."""

    WRITE = "write"
    READ = "read"


def mqtt_password(key: bytes) -> str:
    """What a board shows the broker: 64 hex digits that only who has its key can make, and that do not tell the key.

    HMAC-SHA-256 of a text under the key. What the key seals begins with other bytes (RFC 9052's MAC_structure), so
    neither gives the other away.
    """
    return hmac.digest(key, _PASSWORD_CONTEXT, "sha256").hex()


def check_gateway(name: str) -> str:
    """`name`, if a gateway may have it as its user name. Raises AccessError."""
    if not _GATEWAY.fullmatch(name) or DEVICE.fullmatch(name) or name == LOOK:
        raise AccessError(
            f"{name!r:.40} cannot be a gateway's name at the broker: up to 32 lower-case letters, digits and hyphens, "
            f"not {LOOK!r}, and not 12 hex digits as a board's."
        )
    return name


def may(user: str, access: Access, topic: str) -> bool:
    """Whether `user` may write, or be given, a message on `topic`. Total: no for whatever is not known."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return False
    device, what = match.groups()
    if DEVICE.fullmatch(user):
        return device == user and what in (UP if access is Access.WRITE else DOWN)
    if user == LOOK:
        return access is Access.READ
    return what in (DOWN if access is Access.WRITE else UP)


def may_subscribe(user: str, topic_filter: str) -> bool:
    """Whether `user` may ask for all that fits `topic_filter`; each message is then asked for once more by `may`."""
    if DEVICE.fullmatch(user):
        return may(user, Access.READ, topic_filter)
    return user == LOOK or topic_filter in topics.subscriptions() or may(user, Access.READ, topic_filter)
