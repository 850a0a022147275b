"""MQTT 3.1.1 packets in a stream of bytes, as far as the chaos proxies must know them. Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["CONNACK", "MAX_PACKET", "PUBLISH", "Splitter", "as_qos0", "kind", "topic"]

CONNACK: Final = 2
PUBLISH: Final = 3
MAX_PACKET: Final = 1 << 20
_QOS: Final = 0x06
_DUP: Final = 0x08
_RETAIN: Final = 0x01


class Splitter:
    """Cuts a stream into whole packets."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that end in `data`. Raises ValueError where the stream is not MQTT."""
        rest = self._rest
        rest += data
        packets = []
        while (end := _end(rest)) is not None and end <= len(rest):
            packets.append(bytes(rest[:end]))
            del rest[:end]
        return packets


def _end(data: bytes | bytearray) -> int | None:
    """Where the packet at the start of `data` ends; None while its head is not whole."""
    length = 0
    for at in range(1, 5):
        if at >= len(data):
            return None
        length |= (data[at] & 0x7F) << 7 * (at - 1)
        if not data[at] & 0x80:
            if length > MAX_PACKET:
                raise ValueError(f"a packet of {length} bytes")
            return at + 1 + length
    raise ValueError("a remaining length of more than four bytes")


def _head(packet: bytes) -> int:
    """Bytes of the fixed header."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    return at + 1


def kind(packet: bytes) -> int:
    """The type of a packet (section 2.2.1)."""
    return packet[0] >> 4


def topic(packet: bytes) -> str:
    """The topic of a PUBLISH."""
    at = _head(packet)
    size = int.from_bytes(packet[at : at + 2], "big")
    return packet[at + 2 : at + 2 + size].decode("utf-8", "replace")


def as_qos0(packet: bytes) -> bytes:
    """The same PUBLISH without a packet id: it can be said again without an answer that nobody waits for. An old birth
    is not retained again: it would hide what its board is until the next connection, which is not promised."""
    at = _head(packet)
    end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    tail = packet[end + 2 :] if packet[0] & _QOS else packet[end:]
    body = packet[at:end] + tail
    flags = _QOS | _DUP | (_RETAIN if packet[at:end].endswith(b"/birth") else 0)
    head = bytearray([packet[0] & ~flags])
    size = len(body)
    while True:
        size, digit = size >> 7, size & 0x7F
        head.append(digit | 0x80 if size else digit)
        if not size:
            return bytes(head) + body
