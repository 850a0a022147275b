"""What the gateway says to a board: acks and commands. The payloads here; cose.seal closes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from gateway.wire.errors import FrameError
from gateway.wire.frame import MAX_COUNTER, MAX_TIME_S, VERSION, integer, load

MAX_ACK_BOOTS = 8
MAX_WAIT_S = 600


@dataclass(frozen=True, slots=True)
class Ack:
    """What an ack says: (boot, seq) marks, the gateway's clock, and how long a frame may wait for its commit."""

    time_s: int
    wait_s: int
    upto: tuple[tuple[int, int], ...]


def encode_ack(upto: Iterable[tuple[int, int]], *, time_s: int, wait_s: int) -> bytes:
    """Everything of each boot up to its seq is committed on disk; 1 to 8 boots.

    `time_s` is the gateway's Unix time at which it says so, `wait_s` how long a frame may at present wait for its
    commit: a board that hears nothing for longer may send again. Raises FrameError if a number is out of range.
    """
    marks = [[boot, seq] for boot, seq in upto]
    _check_ack(time_s, wait_s, marks)
    return cbor2.dumps([VERSION, time_s, wait_s, *marks])


def decode_ack(payload: bytes) -> Ack:
    """The payload of a sealed `ack` (boards read it in firmware; tests and tools here). Raises FrameError or
    VersionError."""
    item = load(payload, FrameError)
    if len(item) < 3:
        raise FrameError("an ack is [1, time_s, wait_s, [boot, seq], ...]")
    _, time_s, wait_s, *marks = item
    _check_ack(time_s, wait_s, marks)
    return Ack(time_s, wait_s, tuple((boot, seq) for boot, seq in marks))


def _check_ack(time_s: Any, wait_s: Any, marks: Sequence[Any]) -> None:
    integer(time_s, 0, MAX_TIME_S, "time_s")
    integer(wait_s, 0, MAX_WAIT_S, "wait_s")
    if not 1 <= len(marks) <= MAX_ACK_BOOTS:
        raise FrameError(f"an ack names 1 to {MAX_ACK_BOOTS} boots, not {len(marks)}")
    for mark in marks:
        if type(mark) is not list or len(mark) != 2:
            raise FrameError("an ack names each boot as [boot, seq]")
        integer(mark[0], 1, MAX_COUNTER, "boot")
        integer(mark[1], 0, MAX_COUNTER, "seq")


def encode_command(counter: int, expiry_s: int, verb: str, args: Sequence[Any] = ()) -> bytes:
    """A command; the board obeys it once, if `counter` is above every earlier one and `expiry_s` is not past."""
    return cbor2.dumps([VERSION, counter, expiry_s, verb, list(args)])
