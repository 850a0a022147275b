"""Frames on a serial line: what passes between a board on a cable and the gateway, in place of MQTT. Pure.

A frame is 00, COBS of (kind, seq, version, device, payload, CRC-32), 00. COBS (Cheshire and Baker, "Consistent Overhead
Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999) leaves no 00 in it, so whatever else is on the line (a
prompt, a board's prints, noise) ends at the next 00, and its CRC tells it from a frame. The CRC is that of zlib, least
byte first. It keeps noise out; who sent a message is told by the seal in its payload, as on MQTT.

kind: one byte. `b` birth, `u` up, `s` state, `c` crash, `w` want: what a board says on those topics. `a` ack, `A` an
ack that was kept, `d` cmd, `o` update: what it is told. These are sent again until the other end confirms them, one at
a time each way: seq counts them, 1 to 255 and again from 1, and the same seq again is the same message again. `k`
confirms the seq. `p` of a board asks whether somebody is there, and is confirmed. `h` of a board begins anew: a nonce
of four bytes, then its last will, a state that the gateway takes when the board is silent for too long. `H` answers
with the nonce: both ends then count from 1. `r` says to a board that it is not known, and must begin anew.

The third byte is never 00, and kind and seq are not either. So the first byte of a frame is 4 at least, and the second
a letter: on a line that is also a board's prompt, a Ctrl-C (03) at the beginning, or behind a carriage return, is a
person's.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 1
MAX_FRAME_BYTES = 4096  # of a payload with all around it; what boards say is far below
NONCE_BYTES = 4
MAX_SEQ = 255

HELLO, WELCOME, CONFIRM, PING, STRANGER = b"hHkpr"
KINDS_UP = {"birth": ord("b"), "up": ord("u"), "state": ord("s"), "crash": ord("c"), "want": ord("w")}
KINDS_DOWN = {"ack": ord("a"), "cmd": ord("d"), "update": ord("o")}
KEPT_ACK = ord("A")
TOPICS_UP = {kind: what for what, kind in KINDS_UP.items()}

_DEVICE_BYTES = 6
_HEAD_BYTES = 3 + _DEVICE_BYTES
_CRC_BYTES = 4
_RUN = 254


@dataclass(frozen=True, slots=True)
class CableFrame:
    """One frame. `device` is 12 hex digits."""

    kind: int
    seq: int
    device: str
    payload: bytes = b""


def encode(frame: CableFrame) -> bytes:
    """The frame as it goes on the line. Raises ValueError if it is too long."""
    body = bytes((frame.kind, frame.seq, VERSION)) + bytes.fromhex(frame.device) + frame.payload
    if len(body) + _CRC_BYTES > MAX_FRAME_BYTES:
        raise ValueError(f"{len(frame.payload)} bytes are too many for a serial line")
    return b"\x00" + cobs(body + zlib.crc32(body).to_bytes(_CRC_BYTES, "little")) + b"\x00"


def decode(stuffed: bytes) -> CableFrame | None:
    """The frame in what stood between two 00; None if it is none."""
    body = uncobs(stuffed)
    if body is None or not _HEAD_BYTES + _CRC_BYTES <= len(body) <= MAX_FRAME_BYTES or body[2] != VERSION:
        return None
    body, crc = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
    if zlib.crc32(body).to_bytes(_CRC_BYTES, "little") != crc or not body[1]:
        return None
    return CableFrame(body[0], body[1], body[3:_HEAD_BYTES].hex(), body[_HEAD_BYTES:])


def cobs(data: bytes) -> bytes:
    """The bytes without a 00: each run up to a 00 has one byte before it, its length and 1; 255 is a run of 254 that no
    00 follows."""
    out = bytearray()
    runs = data.split(b"\x00")
    for n, run in enumerate(runs):
        at = 0
        while len(run) - at >= _RUN:
            out.append(_RUN + 1)
            out += run[at : at + _RUN]
            at += _RUN
            if at == len(run) and n == len(runs) - 1:
                return bytes(out)
        out.append(len(run) - at + 1)
        out += run[at:]
    return bytes(out)


def uncobs(stuffed: bytes) -> bytes | None:
    """What `cobs` made that of; None if it is cut short or holds a 00."""
    if not stuffed or 0 in stuffed:
        return None
    out = bytearray()
    at = 0
    while True:
        code = stuffed[at]
        run = stuffed[at + 1 : at + code]
        if len(run) != code - 1:
            return None
        out += run
        at += code
        if at == len(stuffed):
            return bytes(out)
        if code <= _RUN:
            out.append(0)


class Deframer:
    """Finds the frames in a stream of bytes. `noise` counts what was none."""

    def __init__(self) -> None:
        self.noise = 0
        self._rest = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> Iterator[CableFrame]:
        """The frames that end in `data`. Memory stays bounded whatever comes."""
        *whole, rest = data.split(b"\x00")
        for piece in whole:
            stuffed, self._rest = bytes(self._rest + piece), bytearray()
            frame = None if self._lost or len(stuffed) > 2 * MAX_FRAME_BYTES else decode(stuffed)
            if frame is not None:
                yield frame
            elif stuffed or self._lost:
                self.noise += 1
            self._lost = False
        self._rest += rest
        if len(self._rest) > 2 * MAX_FRAME_BYTES:
            self._rest.clear()
            self._lost = True


def next_seq(seq: int) -> int:
    """The seq after that one."""
    return seq % MAX_SEQ + 1
