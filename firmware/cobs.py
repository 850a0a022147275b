"""Frames on a serial line, as gateway/wire/cable.py has them: COBS, and a CRC. Pure."""

import binascii

from micropython import const

_VERSION = const(1)
_HEAD = const(9)  # kind, seq, version, device
_CRC = const(4)
_MOST = const(4096)


def enclose(kind, seq, device, payload):
    """The frame as it goes on the line. `device` has six bytes."""
    body = bytearray(_HEAD)
    body[0], body[1], body[2] = kind, seq, _VERSION
    body[3:] = device
    body += payload
    body += _crc(body)
    return b"\0" + cobs(body) + b"\0"


def disclose(data):
    """(kind, seq, device, payload) of what stood between two 0; None if it is no frame."""
    body = uncobs(data)
    if body is None or not _HEAD + _CRC <= len(body) <= _MOST or body[2] != _VERSION or not body[1]:
        return None
    if body[-_CRC:] != _crc(memoryview(body)[:-_CRC]):
        return None
    return body[0], body[1], bytes(body[3:_HEAD]), bytes(body[_HEAD:-_CRC])


def _crc(body):
    crc = binascii.crc32(body)
    return bytes((crc & 0xFF, crc >> 8 & 0xFF, crc >> 16 & 0xFF, crc >> 24 & 0xFF))


def cobs(data):
    """The bytes without a 0: each run up to a 0 has one byte before it, its length and 1; 255: 254, and no 0."""
    data = bytes(data)
    out = bytearray()
    at = 0
    while True:
        end = data.find(b"\0", at, at + 254)
        if end < 0:
            end = min(at + 254, len(data))
        out.append(end - at + 1)
        out += data[at:end]
        if end == len(data):
            return out
        # After a run of 254 no 0 is left out.
        at = end if end - at == 254 else end + 1


def uncobs(data):
    """What `cobs` made that of, as a bytearray; None if it is cut short. It holds no 0."""
    out = bytearray()
    at = 0
    while True:
        code = data[at] if at < len(data) else 0
        if code == 0 or at + code > len(data):
            return None
        out += data[at + 1 : at + code]
        at += code
        if at == len(data):
            return out
        if code < 255:
            out.append(0)
