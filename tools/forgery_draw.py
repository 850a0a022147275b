"""What somebody makes of messages that he has seen, without the key: forgeries, drawn from a seed. Pure.

Each way of it is a function below, and all are drawn equally often. The forger knows every byte that went over the
broker, also messages of other boards and of other roles, and has keys of his own. He lacks the key of the board that he
forges for; but that board or the gateway may have sealed the same payload in another role (`_sealed_otherwise`).
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.wire.cose import TAG_BYTES, seal, split

__all__ = ["ROLES", "WAYS", "Draw", "Forger", "Genuine"]

ROLES: Final = ("up", "birth", "state", "crash", "want", "ack", "cmd", "update")
_PREFIX_BYTES: Final = 6  # of the envelope, before the payload's own head


@dataclass(frozen=True, slots=True)
class Genuine:
    """A message that its device or the gateway made."""

    device: str
    role: str
    sealed: bytes

    @property
    def payload(self) -> bytes:
        """What it carries."""
        return split(self.sealed)


@dataclass(frozen=True, slots=True)
class Draw:
    """One forgery: the message and the topic that it comes on, and in which way it was made."""

    way: str
    device: str
    role: str
    message: bytes


@dataclass(slots=True)
class Forger:
    """Draws forgeries of `own`, messages of one role to or from one device under `key`.

    others: messages of that device in other roles. strangers: of other devices, in the same role. topics: (device,
    role) of which `own` are none. No list is empty. `again` counts draws that turned out, byte for byte, to be a
    message that was made, on its own topic: that is no forgery, and another is drawn in its place. `drawn`: how often
    which way was taken.
    """

    dice: random.Random
    own: Sequence[Genuine]
    others: Sequence[Genuine]
    strangers: Sequence[Genuine]
    topics: Sequence[tuple[str, str]]
    key: bytes
    again: int = 0
    drawn: Counter[str] = field(default_factory=Counter)
    _known: set[tuple[str, str, bytes]] = field(default_factory=set)

    def __post_init__(self) -> None:
        every = (*self.own, *self.others, *self.strangers)
        self._known = {(message.device, message.role, message.sealed) for message in every}

    def draw(self) -> Draw:
        """The next forgery."""
        while True:
            way = self.dice.choice(tuple(WAYS))
            one = WAYS[way](self)
            if (one.device, one.role, one.message) not in self._known:
                self.drawn[way] += 1
                return one
            self.again += 1

    def pick(self, among: Sequence[Genuine] | None = None) -> Genuine:
        """One of the messages; of `own` without others."""
        return self.dice.choice(self.own if among is None else among)

    def made(self, way: str, message: bytes | bytearray) -> Draw:
        """A forgery on the topic of `own`."""
        return Draw(way, self.own[0].device, self.own[0].role, bytes(message))


def _bits(forger: Forger) -> Draw:
    """One to four bits are turned."""
    message = bytearray(forger.pick().sealed)
    for _ in range(forger.dice.randint(1, 4)):
        message[forger.dice.randrange(len(message))] ^= 1 << forger.dice.randrange(8)
    return forger.made("bits", message)


def _bytes(forger: Forger) -> Draw:
    """One to four bytes are others."""
    message = bytearray(forger.pick().sealed)
    for _ in range(forger.dice.randint(1, 4)):
        message[forger.dice.randrange(len(message))] = forger.dice.randrange(256)
    return forger.made("bytes", message)


def _counted(forger: Forger) -> Draw:
    """A byte of the payload is one more or less: a number of the message, as a rule, and its MAC kept."""
    message = bytearray(forger.pick().sealed)
    at = forger.dice.randrange(_PREFIX_BYTES + 1, len(message) - TAG_BYTES - 1)
    message[at] = message[at] + forger.dice.choice((-1, 1)) & 0xFF
    return forger.made("counted", message)


def _cut(forger: Forger) -> Draw:
    """It is cut short, at either end."""
    message = forger.pick().sealed
    at = forger.dice.randrange(len(message))
    return forger.made("cut", message[:at] if forger.dice.random() < 0.8 else message[at + 1 :])


def _extended(forger: Forger) -> Draw:
    """There are more bytes, somewhere."""
    message = bytearray(forger.pick().sealed)
    at = forger.dice.choice((0, len(message), forger.dice.randrange(len(message))))
    message[at:at] = forger.dice.randbytes(forger.dice.randint(1, 16))
    return forger.made("extended", message)


def _role(forger: Forger) -> Draw:
    """A message of another role of the same device, unchanged."""
    return forger.made("role", forger.pick(forger.others).sealed)


def _topic(forger: Forger) -> Draw:
    """A message on a topic that it is not of: of another role, another device, or of no device."""
    device, role = forger.dice.choice(forger.topics)
    return Draw("topic", device, role, forger.pick().sealed)


def _sealed_otherwise(forger: Forger) -> Draw:
    """The same payload under the right key, but sealed for another role."""
    message = forger.pick()
    role = forger.dice.choice([role for role in (*ROLES, "", message.role + "x") if role != message.role])
    return forger.made("sealed otherwise", seal(forger.key, role, message.payload))


def _key(forger: Forger) -> Draw:
    """Another key: a random one, one that differs in a bit, none, or that of another board."""
    message = forger.pick()
    near = bytearray(forger.key)
    near[forger.dice.randrange(len(near))] ^= 1 << forger.dice.randrange(8)
    key = forger.dice.choice((forger.dice.randbytes(32), bytes(near), bytes(32), b"", forger.key[:-1]))
    return forger.made("key", seal(key, message.role, message.payload))


def _stranger(forger: Forger) -> Draw:
    """A message of another device, on this one's topic."""
    return forger.made("stranger", forger.pick(forger.strangers).sealed)


def _mac(forger: Forger) -> Draw:
    """No MAC, one that is empty or all zeros, a short one, a random one, or all 32 bytes of the right one."""
    message = forger.pick()
    body, tag = message.sealed[: -TAG_BYTES - 1], message.sealed[-TAG_BYTES:]
    size = forger.dice.randrange(TAG_BYTES)
    kinds = (
        b"\x48" + bytes(TAG_BYTES),
        b"\x48" + b"\xff" * TAG_BYTES,
        b"\x48" + forger.dice.randbytes(TAG_BYTES),
        b"\x48" + tag[::-1],
        bytes((0x40 + size,)) + tag[:size],
        b"\x48" + tag[:size],
        b"\x58\x20" + _whole_mac(forger.key, message),
        b"\x58\x08" + tag,
        b"\x40",
        b"",
    )
    return forger.made("mac", body + forger.dice.choice(kinds))


def _swapped(forger: Forger) -> Draw:
    """The body of one message with the MAC of another."""
    body, mac = forger.pick(), forger.pick((*forger.own, *forger.others))
    return forger.made("swapped", body.sealed[:-TAG_BYTES] + mac.sealed[-TAG_BYTES:])


def _spliced(forger: Forger) -> Draw:
    """The beginning of one message and the end of another."""
    first, last = forger.pick().sealed, forger.pick((*forger.own, *forger.strangers)).sealed
    return forger.made(
        "spliced", first[: forger.dice.randrange(1, len(first))] + last[forger.dice.randrange(len(last)) :]
    )


def _envelope(forger: Forger) -> Draw:
    """Other spellings of the envelope around the right payload and the right MAC, which covers none of them."""
    message = forger.pick()
    payload, tail = message.payload, message.sealed[-TAG_BYTES - 1 :]
    n = len(payload)
    head = message.sealed[:_PREFIX_BYTES]
    own = message.sealed[_PREFIX_BYTES : len(message.sealed) - len(tail) - n]
    longer = [bytes((0x58 + power,)) + n.to_bytes(1 << power, "big") for power in range(4) if n < 1 << (8 << power)]
    kinds = (
        *(head + form + payload + tail for form in longer if len(form) > len(own)),
        b"\xd1" + message.sealed,
        b"\x9f" + message.sealed[1:] + b"\xff",
        head[:-1] + b"\xa1\x01\x04" + own + payload + tail,
        b"\x84\x43\xa1\x01\x05\xa0" + own + payload + tail,
        b"\x84\x40\xa0" + own + payload + tail,
        head + b"\x5f" + own + payload + b"\xff" + tail,
        head + bytes((own[0] | 0x20,)) + own[1:] + payload + tail,
        message.sealed * 2,
    )
    return forger.made("envelope", forger.dice.choice(kinds))


def _noise(forger: Forger) -> Draw:
    """Bytes that were never a message, or none."""
    return forger.made("noise", forger.dice.randbytes(forger.dice.randrange(120)))


def _whole_mac(key: bytes, message: Genuine) -> bytes:
    """All of the HMAC of which a message carries the first eight bytes (RFC 9052 section 6.3)."""

    def string(data: bytes) -> bytes:
        n = len(data)
        size = bytes((0x40 + n,)) if n < 24 else bytes((0x58, n)) if n < 256 else b"\x59" + n.to_bytes(2, "big")
        return size + data

    structure = b"\x84\x64MAC0\x43\xa1\x01\x04" + string(message.role.encode()) + string(message.payload)
    return hmac.digest(key, structure, hashlib.sha256)


def _ways(functions: Iterable[Callable[[Forger], Draw]]) -> dict[str, Callable[[Forger], Draw]]:
    return {function.__name__[1:].replace("_", " "): function for function in functions}


WAYS: Final = _ways(
    (
        _bits, _bytes, _counted, _cut, _extended, _role, _topic, _sealed_otherwise, _key, _stranger, _mac, _swapped,
        _spliced, _envelope, _noise,
    )
)  # fmt: skip
