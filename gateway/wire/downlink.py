"""What the gateway says to a board: acks and commands. The payloads here; cose.seal closes them."""

from collections.abc import Iterable, Sequence
from typing import Any

import cbor2

from gateway.wire.errors import FrameError
from gateway.wire.frame import MAX_COUNTER, VERSION, integer, load

MAX_ACK_BOOTS = 4


def encode_ack(upto: Iterable[tuple[int, int]]) -> bytes:
    """Everything of each boot up to its seq is committed on disk."""
    return cbor2.dumps([VERSION, *([boot, seq] for boot, seq in upto)])


def encode_command(counter: int, expiry_s: int, verb: str, args: Sequence[Any] = ()) -> bytes:
    """A command; the board obeys it once, if `counter` is above every earlier one and `expiry_s` is not past."""
    return cbor2.dumps([VERSION, counter, expiry_s, verb, list(args)])


def decode_state(payload: bytes) -> tuple[int, bool]:
    """(boot, online) of the payload of a sealed `state`. Raises FrameError or VersionError."""
    item = load(payload, FrameError)
    if len(item) != 3:
        raise FrameError("a state is [1, boot, 0 or 1]")
    integer(item[1], 1, MAX_COUNTER, "boot")
    integer(item[2], 0, 1, "online")
    return item[1], bool(item[2])
