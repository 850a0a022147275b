"""The bytes of MQTT 3.1.1 and the errors of its client: pure, no socket in it.

Source: OASIS MQTT Version 3.1.1; [x.y] in a comment is its section.
"""

import sys

DENIED = 0x80  # the one failure code of a SUBACK [3.9.3]


class Disconnected(OSError):
    """No connection, or it ended before the answer came: what was in flight may or may not have arrived."""


class Malformed(Disconnected):
    """The broker sent what MQTT 3.1.1 does not allow, or more than max_packet: the connection is closed."""


class Refused(Disconnected):
    """The broker said no: `code` of its CONNACK [3.2.2.3] or DENIED. The text says what to do."""

    def __init__(self, code):
        from mqtt_text import refusal

        del sys.modules["mqtt_text"]
        super().__init__(refusal(code))
        self.code = code


def text(value):
    """A str or bytes with its 16-bit length before it [1.5.3]. Raises ValueError past 65,535 bytes."""
    data = value.encode() if isinstance(value, str) else bytes(value)
    if len(data) > 0xFFFF:
        raise ValueError("longer than MQTT can say")
    return bytes((len(data) >> 8, len(data) & 0xFF)) + data


def packet(first, head, packet_id=0, tail=b""):
    """One packet in one buffer, so one segment on the air and one TLS record.

    Its body, at most 2,097,151 bytes, is head, packet id (none if 0), tail.
    """
    length = len(head) + len(tail) + (2 if packet_id else 0)
    out = bytearray(length + (2 if length < 0x80 else 3 if length < 0x4000 else 4))
    out[0] = first
    at = 1
    while length > 0x7F:
        out[at] = length & 0x7F | 0x80
        length >>= 7
        at += 1
    out[at] = length
    at += 1
    out[at : at + len(head)] = head
    at += len(head)
    if packet_id:
        out[at] = packet_id >> 8
        out[at + 1] = packet_id & 0xFF
    out[len(out) - len(tail) :] = tail
    return out


def parse_connack(first, body):
    """Raises Refused when the broker says no, Malformed when this is no CONNACK [3.2]."""
    if first != 0x20 or len(body) != 2 or body[0] > 1:
        raise Malformed("the first packet is not a CONNACK")
    if body[1]:
        raise Refused(body[1])


def parse_publish(first, body):
    """(topic, packet id as two bytes or none, payload) of a PUBLISH [3.3] of QoS 0 or 1; raises Malformed."""
    qos = first >> 1 & 3
    start = 2 + (body[0] << 8 | body[1]) if len(body) > 1 else 0
    end = start + (2 if qos else 0)
    if qos > 1 or start < 3 or end > len(body):
        raise Malformed("a PUBLISH of wrong lengths or QoS")
    packet_id = bytes(body[start:end])
    if packet_id == b"\x00\x00":
        raise Malformed("a packet id of 0")
    try:
        return str(body[2:start], "utf-8"), packet_id, bytes(body[end:])
    except ValueError:
        raise Malformed("a topic that is not UTF-8")
