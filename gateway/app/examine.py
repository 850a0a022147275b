"""From a message to what may be stored: topic, device, MAC, form. Pure: the registry is handed in."""

from collections.abc import Mapping
from enum import Enum

from gateway.store.crashes import CrashReport
from gateway.store.dead import DeadLetter
from gateway.store.devices import Device
from gateway.store.frames import Incoming, SealedBirth, SealedFrame, StateChange
from gateway.wire import topics
from gateway.wire.birth import decode_birth
from gateway.wire.cose import open_sealed
from gateway.wire.crash import decode_crash
from gateway.wire.errors import WireError
from gateway.wire.frame import MAX_COUNTER, VERSION, decode
from gateway.wire.item import leading_integers, read_sequence
from gateway.wire.state import decode_state


def examine(topic: str, message: bytes, devices: Mapping[str, Device], now_ms: int) -> Incoming:
    """What a message is. Never raises: what cannot be used is a dead letter with its reason."""
    place = topics.parse(topic)
    if place is None:
        return DeadLetter(topic, message, "unknown_topic", "not a topic that boards write to", now_ms)
    name, what = place
    device = devices.get(name)
    if device is None:
        why = f"no device {name} is enrolled; `hearthgate devices add {name}` enrols it"
        return DeadLetter(topic, message, "unknown_device", why, now_ms)
    if device.revoked:
        return DeadLetter(topic, message, "revoked_device", f"device {name} was revoked", now_ms)
    try:
        payload = open_sealed(device.key, what, message)
        if what == "up":
            return _frame(device, topic, message, payload, now_ms)
        if what == "birth":
            return SealedBirth(device.id, topic, decode_birth(payload), payload, now_ms)
        if what == "crash":
            decode_crash(payload)
            return CrashReport(device.id, payload, now_ms)
        state = decode_state(payload)
        return StateChange(device.id, state.boot, state.online, now_ms, state.quiet, state.use)
    except WireError as why:
        return DeadLetter(topic, message, why.reason, str(why), now_ms)


class Weight(Enum):
    """What a message means for the moment of the next commit."""

    STRAY = "not of a board of ours: it must not make the gateway write more often"
    SERIES = "a frame of series"
    URGENT = "an event, or a board that comes or goes: a person may wait for it"


def weigh(device: Device, what: str, message: bytes) -> Weight:
    """The weight of a message on the topic `what` of a device. Never raises."""
    try:
        payload = open_sealed(device.key, what, message)
        items = read_sequence(payload) if what == "up" else [[]]
    except WireError:
        return Weight.STRAY
    return Weight.URGENT if items and isinstance(items[-1], list) else Weight.SERIES


def _frame(device: Device, topic: str, message: bytes, payload: bytes, now_ms: int) -> SealedFrame:
    try:
        frame = decode(payload)
    except WireError as why:
        named = _name(payload)
        if named is None:
            raise
        return SealedFrame(device.id, topic, *named, message, now_ms, None, (why.reason, str(why)))
    return SealedFrame(device.id, topic, frame.boot, frame.seq, message, now_ms, frame)


def _name(payload: bytes) -> tuple[int, int] | None:
    """(boot, seq) of a frame of our version whose rest cannot be read, so that it can be set aside and acked."""
    lead = leading_integers(payload, 3)
    if len(lead) < 3 or lead[0] != VERSION or not all(1 <= n <= MAX_COUNTER for n in lead[1:]):
        return None
    return lead[1], lead[2]
